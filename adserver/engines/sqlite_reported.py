"""What networks reported that they paid, and the rollups in SQLite → by how much it was not as estimated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from adserver.engines.day_sums import Day
from adserver.engines.sqlite_days import DAYS_AND_SLOTS, SqliteDays, by_day, of_rollups

# Only days of which there is a report are read, and of these the creatives that ever had one.
_REPORTED = by_day(
    f"""
{DAYS_AND_SLOTS},
estimated AS MATERIALIZED (
    SELECT n, slot, creative, sum(revenue_micros) AS micros
    FROM cut CROSS JOIN rollup ON bucket >= lo AND bucket < hi
    WHERE day IN (SELECT day FROM earning) AND creative IN (SELECT creative FROM earning) AND slot IN wanted
    GROUP BY n, slot, creative
)
SELECT n, day, slot, creative, e.earned_micros - coalesce(micros, 0)
FROM cut CROSS JOIN earning e USING (day) LEFT JOIN estimated USING (n, slot, creative)
WHERE slot IN wanted
""",  # noqa: S608  (our own words)
    width=5,
)


class Reported(NamedTuple):
    """What a network paid for a creative in a slot on a local day, less what was estimated for it."""

    day: int
    slot: int
    creative: int
    difference_micros: int


class SqliteReported(SqliteDays):
    """Reads the networks' reports of one database file; raises StorageFailed."""

    async def reported(
        self, cuts: Sequence[tuple[int, int, int]], slots: Sequence[int]
    ) -> list[Day[Reported]]:
        """Days (half-open range of buckets, number of the local day) × slots → what was reported."""
        return await self._by_day(
            _REPORTED, Reported._make, [*map(of_rollups, cuts)], {"slots": json.dumps(slots)}
        )
