"""The rollups in SQLite → sums by slot over named ranges of buckets, such as hours of the week."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from adserver.engines.day_sums import Day, hours_of
from adserver.engines.sqlite_days import Asking, SqliteDays, by_day

#: Requests that are invalid traffic, or auctions held elsewhere, have outcomes of their own.
_HOURS = by_day(
    """
WITH cut(n, lo, hi, hour) AS (
    SELECT d.key, json_extract(h.value, '$[0]'), json_extract(h.value, '$[1]'), json_extract(h.value, '$[2]')
    FROM json_each(:cuts) AS d CROSS JOIN json_each(d.value) AS h
),
wanted(slot) AS (SELECT value FROM json_each(:slots))
SELECT n, slot, hour, sum(requests), sum(impressions), sum(clicks), sum(micros) FROM (
    SELECT n, slot, hour, 0 AS requests, sum(impression_count) AS impressions, sum(click_count) AS clicks,
           sum(revenue_micros) AS micros
    FROM cut CROSS JOIN rollup ON bucket >= lo AND bucket < hi
    WHERE slot IN wanted GROUP BY n, slot, hour
    UNION ALL
    SELECT n, slot, hour, sum(request_count), 0, 0, 0
    FROM cut CROSS JOIN request_rollup ON bucket >= lo AND bucket < hi
    WHERE slot IN wanted AND outcome NOT GLOB 'invalid.*' AND outcome NOT GLOB 'auction.*'
    GROUP BY n, slot, hour)
GROUP BY n, slot, hour
""",
    width=7,
)
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


class SqliteHours(SqliteDays):
    """Reads the rollups of one database file by hours; raises StorageFailed."""

    async def hours(
        self, days: Sequence[tuple[tuple[int, int, int], ...]], slots: Sequence[int]
    ) -> list[Day[HourSums]]:
        """For each day half-open ranges of buckets, each with the number that it is summed under."""
        asking = [Asking(day, hours_of(day[0][0], day[-1][1])) for day in days]
        return await self._by_day(_HOURS, HourSums._make, asking, {"slots": json.dumps(slots)})

    async def by_day_until(self, slots: Sequence[int]) -> int:
        """The bucket before which some of the slots are kept by days only."""
        ((bucket,),) = await self._rows(_BY_DAY_UNTIL, {"slots": json.dumps(slots)})
        return int(bucket)
