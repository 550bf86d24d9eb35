"""What networks reported that they paid, and the rollups in SQLite → by how much it was not as estimated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from adserver.engines.day_sums import Day, hours_of
from adserver.engines.sqlite_days import Asking, SqliteDays, by_day

# Only days of which there is a report are read, and of these the creatives that ever had one.
_REPORTED = by_day(
    """
WITH cut(n, lo, hi, day) AS (
    SELECT key, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(:cuts)
),
wanted(slot) AS (SELECT value FROM json_each(:slots)),
estimated AS MATERIALIZED (
    SELECT n, slot, creative, sum(revenue_micros) AS micros
    FROM cut CROSS JOIN rollup ON bucket >= lo AND bucket < hi
    WHERE day IN (SELECT day FROM earning) AND creative IN (SELECT creative FROM earning) AND slot IN wanted
    GROUP BY n, slot, creative
)
SELECT n, day, slot, creative, e.earned_micros - coalesce(micros, 0)
FROM cut CROSS JOIN earning e USING (day) LEFT JOIN estimated USING (n, slot, creative)
WHERE slot IN wanted
""",
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
        asking = [Asking(cut, hours_of(*cut[:2]), networks=True) for cut in cuts]
        return await self._by_day(_REPORTED, Reported._make, asking, {"slots": json.dumps(slots)})
