"""Slots that fell silent, by real sums of real requests."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adserver.clock import bucket_of
from adserver.engines.migrate import migrate
from adserver.engines.sql import sqlite_url
from adserver.engines.sqlite_log import SqliteLog
from adserver.engines.sqlite_progress import SqliteProgress
from adserver.measurement.log import EventLog
from adserver.measurement.slots import SlotTraffic, SlotWatch, Trend
from tests.newsroom import NOW, apply_catalog, catalog_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def watched(path: Path, asked: dict[datetime, int], outcome: str = "filled") -> SlotTraffic:
    """What is said of the slot `top` that was asked for so often at these times."""
    stored = apply_catalog(path, catalog_of())
    slot = stored.ids["slot", "daily", "top"]

    async def watch() -> SlotTraffic:
        await migrate(sqlite_url(path), "events")
        engine = SqliteLog(path)
        log = EventLog(engine, max_waiting=10, flush_seconds=0.01)
        log.start()
        for at, count in asked.items():
            for _ in range(count):
                log.count_request(bucket_of(at), slot, outcome)
        await log.stop()
        progress = SqliteProgress(path)
        try:
            traffic = await SlotWatch(progress.slot_asks, lambda: stored, lambda: NOW).traffic()
            assert traffic["slot", "daily", "side"].trend is Trend.NEVER
            return traffic["slot", "daily", "top"]
        finally:
            await progress.close()
            engine.close()

    return asyncio.run(watch())


@pytest.mark.parametrize(
    ("now_count", "day_ago_count", "week_ago_count", "trend"),
    [
        (0, 60, 40, Trend.SILENT),
        (0, 9, 0, Trend.STEADY),
        (24, 60, 40, Trend.DROPPING),
        (26, 60, 40, Trend.STEADY),
        (5, 20, 40, Trend.STEADY),
        (3, 0, 0, Trend.STEADY),
    ],
)
def test_two_hours_are_compared_with_those_of_a_day_and_a_week_ago(
    tmp_path: Path, now_count: int, day_ago_count: int, week_ago_count: int, trend: Trend
) -> None:
    asked = {NOW - HOUR: now_count, NOW - DAY - HOUR: day_ago_count, NOW - 7 * DAY - HOUR: week_ago_count}
    # What is outside these hours, the quarter that still runs too, is not compared.
    asked |= {NOW - 3 * HOUR: 500, NOW: 500}
    found = watched(tmp_path / "ads.db", asked)
    assert (found.trend, found.recent_count, found.last_at) == (trend, now_count, NOW)


def test_what_is_invalid_or_long_ago_is_as_if_it_had_not_been(tmp_path: Path) -> None:
    assert watched(tmp_path / "bots.db", {NOW - HOUR: 90}, "invalid.bot").trend is Trend.NEVER
    old = watched(tmp_path / "old.db", {NOW - 9 * DAY: 90})
    assert (old.trend, old.last_at) == (Trend.NEVER, None)
