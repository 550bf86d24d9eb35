"""The edge's state → the quiet routes beside it: `tag.js`, health, readiness and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from adserver.serving.conversions import answer_pixel
from adserver.serving.metrics import Figures
from adserver.serving.parts import Parts

#: An outdated tag may be used for so long while the browser asks for the new one, in seconds.
_STALE_SECONDS = 7 * 86_400
#: What keeps a worker from being ready, in words; None when nothing does.
Unready = Callable[[], str | None]


def routes(parts: Parts, unready: Unready) -> list[BaseRoute]:
    """Routes of the pages' door that need not be fast."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(parts))

    async def tag(request: Request) -> Response:
        tags, site = parts.live.tags, request.query_params.get("site")
        served = tags.made(site)
        if served is None:
            served = await asyncio.to_thread(tags.make, site)
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

    async def pixel(request: Request) -> Response:
        return await answer_pixel(parts, request)

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})

    async def ready(request: Request) -> Response:
        problem = unready()
        body = {"status": problem or "ready", "catalog": parts.live.version, **_health_of(parts)}
        return JSONResponse(body, 503 if problem else 200, headers={"cache-control": "no-store"})

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/tag.js", tag),
        Route("/v1/conversion.gif", pixel),
        Route("/healthz", health),
        Route("/readyz", ready),
        Route("/metrics", metrics),
    ]


def _health_of(parts: Parts) -> dict[str, Any]:
    """How far the log is, and each periodic job: none of it keeps pages from being answered.

    Ages are in seconds, and null before anything happened.
    """
    log = parts.log
    return {
        "events": {
            "waiting": log.waiting_count,
            "written": not log.failing,
            "last_event_age_seconds": _rounded(log.last_event_age_seconds),
        },
        "jobs": {
            job.name: {
                "every_seconds": job.every_seconds,
                "last_success_age_seconds": _rounded(job.age_seconds),
                "failures": job.failure_count,
                "failing": job.failing,
            }
            for job in parts.jobs.states()
        },
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
