"""The rollups in SQLite → sums per day and slot; all SQL of the reports.

One statement reads events and requests together, so that every number of a report is of one instant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from adserver.clock import BUCKET_SECONDS
from adserver.engines.day_sums import Day
from adserver.engines.sqlite_cuts import SqliteCuts
from adserver.engines.sqlite_days import DAYS_AND_SLOTS, Asking, by_day, of_rollups
from adserver.engines.sqlite_hours import SqliteHours
from adserver.engines.sqlite_minutes import SqliteMinutes
from adserver.engines.sqlite_reasons import SqliteReasons

# CROSS JOIN keeps the days outside, so that each is one range of the primary key (bucket, …). What a network
# says that it paid takes the place of what was estimated for the same day, slot and creative. What happened
# is summed once, by slot and creative, and told twice: by slot (creative NULL) and by creative (slot 0).
_COUNTS = """sum(impression_count), sum(measurable_count), sum(viewable_count), sum(click_count),
       sum(conversion_count), sum(revenue_micros)"""
_OF_NETWORKS = """sum(impression_count * (creative IN network)), 0, 0,
       sum(revenue_micros * (creative IN network)), sum(revenue_micros * (creative IN network))"""
_SUMS = by_day(
    f"""
{DAYS_AND_SLOTS},
network(creative) AS (SELECT value FROM json_each(:networks) UNION SELECT creative FROM earning),
happened AS MATERIALIZED (
    SELECT n, slot, creative, sum(impression_count) AS impression_count,
           sum(measurable_count) AS measurable_count, sum(viewable_count) AS viewable_count,
           sum(click_count) AS click_count, sum(conversion_count) AS conversion_count,
           sum(revenue_micros) AS revenue_micros
    FROM cut CROSS JOIN rollup ON bucket >= lo AND bucket < hi
    WHERE slot IN wanted
    GROUP BY n, slot, creative
),
earned AS MATERIALIZED (
    SELECT cut.n, e.slot, e.creative, e.earned_micros AS earned, coalesce(h.revenue_micros, 0) AS estimated
    FROM cut CROSS JOIN earning e USING (day)
        LEFT JOIN happened h ON h.n = cut.n AND h.slot = e.slot AND h.creative = e.creative
    WHERE e.slot IN wanted
)
SELECT n, slot, NULL AS outcome, 0 AS request_count, {_COUNTS}, 0 AS validity, {_OF_NETWORKS},
       0, 0, NULL AS creative
FROM happened GROUP BY n, slot
UNION ALL
SELECT n, slot, outcome, sum(request_count), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL
FROM cut CROSS JOIN request_rollup ON bucket >= lo AND bucket < hi
WHERE slot IN wanted
GROUP BY n, slot, outcome
UNION ALL
SELECT n, slot, NULL, 0, sum(event_count * (kind = 1)), sum(event_count * (kind = 2)),
       sum(event_count * (kind = 3)), sum(event_count * (kind = 4)), sum(event_count * (kind = 5)), 0,
       validity, 0, sum(event_count * (kind = 7)), sum(event_count * (kind = 8)), 0, 0,
       sum(event_count * (kind = 9)), sum(event_count * (kind = 13)), NULL
FROM cut CROSS JOIN marked_rollup ON bucket >= lo AND bucket < hi
WHERE slot IN wanted
GROUP BY n, slot, validity
UNION ALL
SELECT n, slot, NULL, 0, 0, 0, 0, 0, 0, sum(earned - estimated), 0,
       0, 0, 0, sum(earned - estimated), sum(-estimated), 0, 0, NULL
FROM earned GROUP BY n, slot
UNION ALL
SELECT n, 0, NULL, 0, {_COUNTS}, 0, {_OF_NETWORKS}, 0, 0, creative
FROM happened GROUP BY n, creative
UNION ALL
SELECT n, 0, NULL, 0, 0, 0, 0, 0, 0, sum(earned - estimated), 0,
       0, 0, 0, sum(earned - estimated), sum(-estimated), 0, 0, creative
FROM earned GROUP BY n, creative
""",  # noqa: S608  (our own names)
    width=19,
)

_REPORTED = "SELECT EXISTS (SELECT 1 FROM earning WHERE day = :day)"
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
    """One day × slot: its events of one validity (0: they count), or its requests with one outcome.

    And once more, where `creative` is not None: one day × creative, those events that count, in all slots.
    Whoever adds up rows adds those of one kind.

    An outcome is `filled` or the reason of a `NoFill`. What begins with `network_` is the part of line items
    of tier network; `network_estimate_micros` is what no report of theirs has told yet.
    """

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
    network_impression_count: int = 0
    unfilled_count: int = 0
    no_answer_count: int = 0
    network_micros: int = 0
    network_estimate_micros: int = 0
    video_start_count: int = 0
    video_complete_count: int = 0
    creative: int | None = None


class SqliteReport(SqliteCuts, SqliteHours, SqliteMinutes, SqliteReasons):
    """Reads the rollups, and the sums by dimension, of one database file; raises StorageFailed."""

    async def sums(
        self,
        cuts: Sequence[tuple[int, int, int]],
        slots: Sequence[int],
        networks: Sequence[int] = (),
        settled: int = 0,
    ) -> list[list[Day[Sums]]]:
        """Days × slots → for each day, in one part or two, the sums of slots that had any traffic.

        A day is a half-open range of buckets and the number of the local day. `networks`: creatives.
        `settled`: the bucket before which little changes any more, so that the day in which it lies is not
        read whole each time.
        """
        parted = {cut for cut in cuts if cut[0] < settled < cut[1] and not await self._is_reported(cut[2])}
        asking: list[Asking] = []
        counts = []
        for cut in cuts:
            lo, hi, day = cut
            parts = [(lo, settled, None), (settled, hi, None)] if cut in parted else [(lo, hi, day)]
            # Whose creatives ever had a report of a network count as its own, on all days.
            asking += map(of_rollups, parts)
            counts.append(len(parts))
        asked = {"slots": json.dumps(slots), "networks": json.dumps(networks)}
        found = iter(await self._by_day(_SUMS, Sums._make, asking, asked))
        return [list(islice(found, count)) for count in counts]

    async def _is_reported(self, day: int) -> bool:
        """Whether a network has reported on a day: what it says is of the whole of it."""
        ((found,),) = await self._rows(_REPORTED, {"day": day})
        return bool(found)

    async def last_event_ms(self, slots: Sequence[int]) -> int | None:
        """When the newest event of the slots came, in milliseconds since 1970; None before the first."""
        asked: dict[str, str | int] = {"slots": json.dumps(slots), "bucket_ms": BUCKET_SECONDS * 1000}
        ((at_ms,),) = await self._rows(LAST_EVENT, asked)
        return None if at_ms is None else int(at_ms)
