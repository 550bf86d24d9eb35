"""The rollups in SQLite → sums per day and slot; all SQL of the reports.

One statement reads events and requests together, so that every number of a report is of one instant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from adserver.clock import BUCKET_SECONDS
from adserver.engines.sqlite_cuts import SqliteCuts

# CROSS JOIN keeps the days outside, so that each is one range of the primary key (bucket, …).
SUMS = """
WITH cut(n, lo, hi) AS (
    SELECT key, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:cuts)
)
SELECT n, slot, NULL AS outcome, 0 AS request_count, sum(impression_count), sum(measurable_count),
       sum(viewable_count), sum(click_count), sum(conversion_count), sum(revenue_micros), 0 AS validity
FROM cut CROSS JOIN rollup ON bucket >= lo AND bucket < hi
WHERE slot IN (SELECT value FROM json_each(:slots))
GROUP BY n, slot
UNION ALL
SELECT n, slot, outcome, sum(request_count), 0, 0, 0, 0, 0, 0, 0
FROM cut CROSS JOIN request_rollup ON bucket >= lo AND bucket < hi
WHERE slot IN (SELECT value FROM json_each(:slots))
GROUP BY n, slot, outcome
UNION ALL
SELECT n, slot, NULL, 0, sum(event_count * (kind = 1)), sum(event_count * (kind = 2)),
       sum(event_count * (kind = 3)), sum(event_count * (kind = 4)), sum(event_count * (kind = 5)), 0,
       validity
FROM cut CROSS JOIN marked_rollup ON bucket >= lo AND bucket < hi
WHERE slot IN (SELECT value FROM json_each(:slots))
GROUP BY n, slot, validity
"""

# Fill ids rise with time, so the end of the log is read, not all of it. A site that is silent while others
# are busy is not found there; its newest bucket then says when, 15 minutes too early at most.
LAST_EVENT = """
WITH wanted(slot) AS (SELECT value FROM json_each(:slots)),
newest(at_ms, slot) AS (SELECT at_ms, slot FROM event WHERE kind <> 6 ORDER BY fill DESC LIMIT 1000)
SELECT coalesce(
    (SELECT max(at_ms) FROM newest WHERE slot IN wanted),
    (SELECT bucket * :bucket_ms FROM rollup WHERE slot IN wanted ORDER BY bucket DESC LIMIT 1))
"""


class Sums(NamedTuple):
    """One range × slot: its events of one validity (0: they count), or its requests with one outcome.

    `cut` is the position of the range in what was asked. An outcome is `filled` or the reason of a `NoFill`.
    """

    cut: int
    slot: int
    outcome: str | None
    request_count: int
    impression_count: int
    measurable_count: int
    viewable_count: int
    click_count: int
    conversion_count: int
    revenue_micros: int
    validity: int


class SqliteReport(SqliteCuts):
    """Reads the rollups, and the sums by dimension, of one database file; raises StorageFailed."""

    async def sums(self, cuts: Sequence[tuple[int, int]], slots: Sequence[int]) -> list[Sums]:
        """Half-open ranges of buckets × slots → their sums; a pair without any traffic has no row."""
        asked = {"cuts": json.dumps(cuts), "slots": json.dumps(slots)}
        return [Sums(*row) for row in await self._rows(SUMS, asked)]

    async def last_event_ms(self, slots: Sequence[int]) -> int | None:
        """When the newest event of the slots came, in milliseconds since 1970; None before the first."""
        asked: dict[str, str | int] = {"slots": json.dumps(slots), "bucket_ms": BUCKET_SECONDS * 1000}
        ((at_ms,),) = await self._rows(LAST_EVENT, asked)
        return None if at_ms is None else int(at_ms)
