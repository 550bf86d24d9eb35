"""What a network paid by day, slot and creative ⇄ rows beside the rollups, for reports to use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from adserver.engines.sqlite_upkeep import Upkeep

_DELIVERED = """
WITH cut(day, lo, hi) AS (
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
  FROM json_each(:cuts))
SELECT day, slot, creative, sum(impression_count), sum(revenue_micros)
FROM cut CROSS JOIN rollup ON bucket >= lo AND bucket < hi
WHERE slot IN (SELECT value FROM json_each(:slots)) AND creative IN (SELECT value FROM json_each(:creatives))
GROUP BY 1, 2, 3
"""
_FORGET = "DELETE FROM earning WHERE day = ? AND creative = ?"
_KEEP = "INSERT INTO earning VALUES (?, ?, ?, ?, ?, ?)"


class Delivered(NamedTuple):
    """What was counted of a network's creative in a slot on one of the site's days, and its estimate."""

    day: int
    slot: int
    creative: int
    impression_count: int
    estimated_micros: int


class Earning(NamedTuple):
    """What a network says of one of the site's days, in days since 1970, slot and creative."""

    day: int
    slot: int
    creative: int
    impression_count: int
    click_count: int
    earned_micros: int


class SqliteEarnings(Upkeep):
    """The earnings of one database file; raises StorageFailed."""

    def delivered(
        self, cuts: Sequence[tuple[int, int, int]], slots: Sequence[int], creatives: Sequence[int]
    ) -> list[Delivered]:
        """Days (number, first bucket, end) × slots × creatives → what was counted, where anything was."""
        asked = {"cuts": json.dumps(cuts), "slots": json.dumps(slots), "creatives": json.dumps(creatives)}
        with self._faults():
            return [Delivered(*row) for row in self._db.execute(_DELIVERED, asked)]

    def replace(self, earnings: Iterable[Earning], reported: Iterable[tuple[int, int]]) -> None:
        """Keep earnings in place of what was known of the reported (day, creative), in one transaction."""
        with self._transaction():
            self._db.executemany(_FORGET, reported)
            self._db.executemany(_KEEP, earnings)
