"""The sums beside the log → what line items delivered, what was asked for, and how creatives do.

This is what each worker learns from, and how it hears of what the others counted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from adserver.engines.sqlite_reader import SqliteReader
from adserver.engines.sqlite_refilter import RESTATED

_PROGRESS = """
SELECT item, impression_count, viewable_count, click_count, conversion_count, revenue_micros FROM delivered
"""
_DAYS = "SELECT item, day, revenue_micros FROM progress WHERE day >= :first_day"
_DAY_COUNTS = """
SELECT item, day, impression_count, viewable_count, click_count FROM progress
WHERE day >= :first_day AND item IN (SELECT value FROM json_each(:items))
"""
#: Requests that were invalid traffic have outcomes of their own, and are not learned from.
_REQUESTS = """
SELECT bucket, slot, sum(request_count) FROM request_rollup
WHERE bucket >= :since_bucket AND outcome NOT GLOB 'invalid.*' GROUP BY 1, 2
"""
#: Two hours, and what a day and a week are, in quarter hours.
_ASKS = """
SELECT slot, max(bucket),
  coalesce(sum(request_count) FILTER (WHERE bucket >= :until - 8 AND bucket < :until), 0),
  coalesce(sum(request_count) FILTER (WHERE bucket >= :until - 104 AND bucket < :until - 96), 0),
  coalesce(sum(request_count) FILTER (WHERE bucket >= :until - 680 AND bucket < :until - 672), 0)
FROM request_rollup WHERE bucket >= :until - 768 AND outcome NOT GLOB 'invalid.*' GROUP BY slot
"""
_CREATIVES = """
SELECT slot, creative, sum(impression_count), sum(measurable_count), sum(viewable_count), sum(click_count),
  sum(conversion_count)
FROM rollup WHERE bucket >= :since_bucket GROUP BY 1, 2
"""


_RESTATED = "SELECT value FROM counter WHERE name = :name"


class Progress(NamedTuple):
    """What is counted of one line item, over all days."""

    item: int
    impression_count: int
    viewable_count: int
    click_count: int
    conversion_count: int
    revenue_micros: int


class DayProgress(NamedTuple):
    """What one line item earned on one of its days, in days since 1970-01-01."""

    item: int
    day: int
    revenue_micros: int


class DayCounts(NamedTuple):
    """What is counted of one line item on one of its days, in days since 1970-01-01."""

    item: int
    day: int
    impression_count: int
    viewable_count: int
    click_count: int


class SlotAsks(NamedTuple):
    """How often a slot was asked for in two hours, and in the same two a day and a week ago."""

    slot: int
    last_bucket: int
    """The last in which it was."""
    recent_count: int
    day_ago_count: int
    week_ago_count: int


class RequestCount(NamedTuple):
    """How often a slot was asked for in a quarter hour, but by invalid traffic, whatever came of it."""

    bucket: int
    slot: int
    request_count: int


class CreativeSums(NamedTuple):
    """How one creative did in one slot."""

    slot: int
    creative: int
    impression_count: int
    measurable_count: int
    viewable_count: int
    click_count: int
    conversion_count: int


class SqliteProgress(SqliteReader):
    """Reads what is kept beside the log. Every answer is of one instant; raises StorageFailed."""

    async def read_progress(self) -> list[Progress]:
        """Every line item of which anything was counted, by any worker."""
        return [Progress(*row) for row in await self._rows(_PROGRESS)]

    async def read_days(self, first_day: int) -> list[DayProgress]:
        """What line items earned on each of their days from one on."""
        return [DayProgress(*row) for row in await self._rows(_DAYS, {"first_day": first_day})]

    async def restated_count(self) -> int:
        """How often history was judged otherwise than before, so that what was counted changed."""
        return sum([row[0] for row in await self._rows(_RESTATED, {"name": RESTATED})])

    async def day_counts(self, first_day: int, items: Sequence[int]) -> list[DayCounts]:
        """What was counted of some line items on each of their days from one on."""
        asked: dict[str, int | str] = {"first_day": first_day, "items": json.dumps(items)}
        return [*map(DayCounts._make, await self._rows(_DAY_COUNTS, asked))]

    async def request_counts(self, since_bucket: int) -> list[RequestCount]:
        """How often slots were asked for, by quarter hour, from a bucket on."""
        return [RequestCount(*row) for row in await self._rows(_REQUESTS, {"since_bucket": since_bucket})]

    async def slot_asks(self, until_bucket: int) -> list[SlotAsks]:
        """Every slot that was asked for within eight days; the two hours end where a bucket begins."""
        return [SlotAsks(*row) for row in await self._rows(_ASKS, {"until": until_bucket})]

    async def read_creatives(self, since_bucket: int = 0) -> list[CreativeSums]:
        """How creatives did in each slot: over all time, or from a bucket on."""
        return [CreativeSums(*row) for row in await self._rows(_CREATIVES, {"since_bucket": since_bucket})]
