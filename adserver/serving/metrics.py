"""Counts and times that the parts keep of themselves → Prometheus metrics, read only when somebody asks.

They are those of one worker since it was started, and the names say the unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from adserver.measurement.log import COMMIT_BOUNDS_SECONDS, LogCounts
from adserver.serving.jobs import Jobs
from adserver.serving.parts import EdgeCounts, Parts


class Figures(Collector):
    """All metrics of a worker."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """What the parts counted until now."""
        parts, log = self._parts, self._parts.log
        yield _labelled(
            "decisions", "Slots decided, by outcome: filled, or why not.", "outcome", log.counts.decisions
        )
        yield from _edge_figures(parts.counts)
        unjudged = parts.screen.unjudged_count
        yield _counter("bursts_unjudged", "Requests of more addresses than bursts are counted of.", unjudged)
        yield from _log_figures(log.counts)
        yield GaugeMetricFamily("adserver_events_waiting", "Events not on disk yet.", value=log.waiting_count)
        age = log.last_event_age_seconds
        if age is not None:
            yield GaugeMetricFamily("adserver_last_event_age_seconds", "Since the newest event.", value=age)
        yield GaugeMetricFamily("adserver_catalog_version", "Catalog in service.", value=parts.live.version)
        yield from _job_figures(parts.jobs)


def _edge_figures(edge: EdgeCounts) -> Iterator[Metric]:
    what = "Pages, beacons and clicks that are invalid traffic."
    yield _labelled("invalid_requests", what, "rule", edge.invalid)
    for name, text, count in (
        ("page_requests", "Page requests that could be read.", edge.page_requests),
        ("unreadable", "Bodies answered with 400.", edge.unreadable),
        ("forged", "Tokens that we did not sign.", edge.forged),
        ("errors", "Faults of ours, each turned into an empty slot or an unrecorded click.", edge.errors),
        ("clicks", "Clicks redirected.", edge.clicks),
        ("conversions", "Orders reported, whether they count or not.", edge.conversions),
    ):
        yield _counter(name, text, count)


def _log_figures(log: LogCounts) -> Iterator[Metric]:
    for name, text, count in (
        ("events_committed", "Events on disk.", log.committed),
        ("commits", "Transactions of the event log.", log.commits),
        ("failed_commits", "Transactions that failed and are tried again.", log.failed_commits),
        ("events_shed", "Events refused because too many waited.", log.shed),
    ):
        yield _counter(name, text, count)
    what = "Events on disk that do not count, by reason; a repeat is a duplicate."
    yield _labelled("events_marked", what, "reason", log.marked)
    bounds = (*map(str, COMMIT_BOUNDS_SECONDS), "+Inf")
    yield HistogramMetricFamily(
        "adserver_commit_seconds",
        "Time of each transaction of the event log, its sync to the disk included.",
        buckets=[*zip(bounds, accumulate(log.commits_by_time), strict=True)],
        sum_value=log.commit_seconds,
    )


def _job_figures(jobs: Jobs) -> Iterator[Metric]:
    ages = GaugeMetricFamily(
        "adserver_job_last_success_age_seconds", "Since a periodic job last succeeded.", labels=["job"]
    )
    failures = CounterMetricFamily(
        "adserver_job_failures", "Attempts of a periodic job that failed.", labels=["job"]
    )
    for job in jobs.states():
        if job.age_seconds is not None:
            ages.add_metric([job.name], job.age_seconds)
        failures.add_metric([job.name], job.failure_count)
    yield ages
    yield failures


def _counter(name: str, text: str, count: int) -> Metric:
    return CounterMetricFamily(f"adserver_{name}", text, value=count)


def _labelled(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"adserver_{name}", text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
