"""The edge's state → the quiet routes beside it: `tag.js`, health, readiness and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from adserver.serving.parts import Parts

#: An outdated tag may be used for so long while the browser asks for the new one, in seconds.
_STALE_SECONDS = 7 * 86_400
#: What keeps a worker from being ready, in words; None when nothing does.
Unready = Callable[[], str | None]


def routes(parts: Parts, unready: Unready) -> list[BaseRoute]:
    """Routes of the pages' door that need not be fast."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(parts))

    async def tag(request: Request) -> Response:
        served = parts.live.tag
        coding = served.coding_for(request.headers.get("accept-encoding", ""))
        age = parts.settings.tag_cache_seconds
        headers = {
            "etag": served.etag,
            # A visitor who comes back later gets the old one at once, while the browser asks for a newer one.
            "cache-control": f"public, max-age={age}, stale-while-revalidate={_STALE_SECONDS}",
            "vary": "accept-encoding",
            "access-control-allow-origin": "*",
            "x-content-type-options": "nosniff",
        }
        if request.headers.get("if-none-match") == served.etag:
            return Response(status_code=304, headers=headers)
        if coding != "identity":
            headers["content-encoding"] = coding
        return Response(served.bodies[coding], media_type="text/javascript", headers=headers)

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})

    async def ready(request: Request) -> Response:
        problem = unready()
        body = {"status": problem or "ready", "catalog": parts.live.version}
        return JSONResponse(body, 503 if problem else 200, headers={"cache-control": "no-store"})

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/tag.js", tag),
        Route("/healthz", health),
        Route("/readyz", ready),
        Route("/metrics", metrics),
    ]


class _Figures(Collector):
    """Counts kept as plain integers on the hot path, read only when somebody asks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        edge, log, unjudged = self._parts.counts, self._parts.log, self._parts.screen.unjudged_count
        decisions = CounterMetricFamily(
            "adserver_decisions", "Slots decided, by outcome: filled, or why not.", labels=["outcome"]
        )
        for outcome, count in log.counts.decisions.items():
            decisions.add_metric([outcome], count)
        yield decisions
        invalid = CounterMetricFamily(
            "adserver_invalid_requests",
            "Pages, beacons and clicks that are invalid traffic.",
            labels=["rule"],
        )
        for rule, count in edge.invalid.items():
            invalid.add_metric([rule], count)
        yield invalid
        for name, text, count in (
            ("page_requests", "Page requests that could be read.", edge.page_requests),
            ("unreadable", "Bodies answered with 400.", edge.unreadable),
            ("forged", "Tokens that we did not sign.", edge.forged),
            ("errors", "Faults of ours, each turned into an empty slot or an unrecorded click.", edge.errors),
            ("clicks", "Clicks redirected.", edge.clicks),
            ("events_committed", "Events on disk.", log.counts.committed),
            ("commits", "Transactions of the event log.", log.counts.commits),
            ("failed_commits", "Transactions that failed and are tried again.", log.counts.failed_commits),
            ("bursts_unjudged", "Requests of more addresses than bursts are counted of.", unjudged),
            ("events_shed", "Events refused because too many waited.", log.counts.shed),
        ):
            yield CounterMetricFamily(f"adserver_{name}", text, value=count)
        yield GaugeMetricFamily("adserver_events_waiting", "Events not on disk yet.", value=log.waiting_count)
        version = self._parts.live.version
        yield GaugeMetricFamily("adserver_catalog_version", "Catalog in service.", value=version)
