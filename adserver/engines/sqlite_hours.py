"""The rollups in SQLite → sums by slot over named ranges of buckets, such as hours of the week."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from adserver.engines.sqlite_reader import SqliteReader

#: Requests that are invalid traffic, or auctions held elsewhere, have outcomes of their own.
_HOURS = """
WITH cut(lo, hi, hour) AS (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(:cuts)
),
wanted(slot) AS (SELECT value FROM json_each(:slots))
SELECT slot, hour, sum(requests), sum(impressions), sum(clicks), sum(micros) FROM (
    SELECT slot, hour, 0 AS requests, sum(impression_count) AS impressions, sum(click_count) AS clicks,
           sum(revenue_micros) AS micros
    FROM cut CROSS JOIN rollup ON bucket >= lo AND bucket < hi
    WHERE slot IN wanted GROUP BY slot, hour
    UNION ALL
    SELECT slot, hour, sum(request_count), 0, 0, 0
    FROM cut CROSS JOIN request_rollup ON bucket >= lo AND bucket < hi
    WHERE slot IN wanted AND outcome NOT GLOB 'invalid.*' AND outcome NOT GLOB 'auction.*'
    GROUP BY slot, hour)
GROUP BY slot, hour
"""
#: Buckets before this one are summed by days, of which no hour is known any more.
_BY_DAY_UNTIL = """
SELECT coalesce(max(hi), 0) FROM thinned WHERE width > 4 AND slot IN (SELECT value FROM json_each(:slots))
"""


class HourSums(NamedTuple):
    """One slot × named range."""

    slot: int
    hour: int
    request_count: int
    impression_count: int
    click_count: int
    revenue_micros: int


class SqliteHours(SqliteReader):
    """Reads the rollups of one database file by hours; raises StorageFailed."""

    async def hours(self, cuts: Sequence[tuple[int, int, int]], slots: Sequence[int]) -> list[HourSums]:
        """Half-open ranges of buckets, each with the number that it is summed under, any number of times."""
        asked = {"cuts": json.dumps(cuts), "slots": json.dumps(slots)}
        return [HourSums(*row) for row in await self._rows(_HOURS, asked)]

    async def by_day_until(self, slots: Sequence[int]) -> int:
        """The bucket before which some of the slots are kept by days only."""
        ((bucket,),) = await self._rows(_BY_DAY_UNTIL, {"slots": json.dumps(slots)})
        return int(bucket)
