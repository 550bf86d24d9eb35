"""Rollups of a slot in quarter hours → sums of its hours, later of its whole local day, total for total.

What a bucket was summed into is written down (`thinned`), so that the fold of the log can be compared with
it, also when more came later. Everything is done a slot and a day at a time: a few milliseconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from adserver.engines.sqlite_upkeep import Upkeep

HOUR = 4
#: Table → the columns that tell its rows apart beside bucket and slot, and those that are summed, in order.
_TABLES = {
    "rollup": (
        ("creative",),
        (
            "impression_count",
            "measurable_count",
            "viewable_count",
            "click_count",
            "conversion_count",
            "revenue_micros",
        ),
    ),
    "marked_rollup": (("creative", "kind", "validity"), ("event_count",)),
    "request_rollup": (("outcome",), ("request_count",)),
}
_NEXT = """
SELECT min(bucket) FROM (
  SELECT min(bucket) AS bucket FROM rollup WHERE bucket >= :since
  UNION ALL SELECT min(bucket) FROM marked_rollup WHERE bucket >= :since
  UNION ALL SELECT min(bucket) FROM request_rollup WHERE bucket >= :since)
"""
_UNTIL = "SELECT coalesce(max(hi), 0) FROM thinned WHERE slot = ?"
_FINER = "SELECT slot, lo, hi FROM thinned WHERE width < hi - lo AND hi <= ? ORDER BY slot, lo"


class Span(NamedTuple):
    """Buckets of one slot, half-open: a local day of its site."""

    slot: int
    lo: int
    hi: int


class SqliteThinning(Upkeep):
    """The rollups of one file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._faults():
            self._db.execute("PRAGMA temp_store=MEMORY")

    def next_bucket(self, since: int) -> int | None:
        """The first bucket from one on of which anything is summed, of any slot."""
        with self._faults():
            row: tuple[int | None] = self._db.execute(_NEXT, {"since": since}).fetchone()
        return row[0]

    def thinned_until(self, slot: int) -> int:
        """The end of what is thinned of a slot; 0 when nothing is."""
        with self._faults():
            row = self._db.execute(_UNTIL, (slot,)).fetchone()
        return int(row[0])

    def in_hours(self, before: int) -> list[Span]:
        """Days that are thinned to hours and ended before a bucket."""
        with self._faults():
            return [Span(*row) for row in self._db.execute(_FINER, (before,))]

    def thin(self, span: Span, width: int) -> int:
        """Sum a span in steps of so many buckets, in one durable transaction; how many rows that saved."""
        with self._transaction():
            self._db.execute("REPLACE INTO thinned VALUES (?, ?, ?, ?)", (*span, width))
            return sum(self._sum(table, span, width) for table in _TABLES)

    def _sum(self, table: str, span: Span, width: int) -> int:
        keys, sums = _TABLES[table]
        # Written out, so that the primary key, which begins with the bucket, finds each quarter of the slot.
        buckets = ", ".join(map(str, range(span.lo, span.hi)))
        there = f"slot = {span.slot} AND bucket IN ({buckets})"
        columns = ", ".join((*keys, *(f"sum({name}) AS {name}" for name in sums)))
        first = f"{span.lo} + (bucket - {span.lo}) / {width} * {width} AS bucket"
        named = ", ".join(("1", "slot", *keys))
        self._db.execute(
            f"CREATE TEMP TABLE coarse AS SELECT {first}, slot, {columns} FROM {table} "  # noqa: S608
            f"WHERE {there} GROUP BY {named}"
        )
        removed = self._db.execute(f"DELETE FROM {table} WHERE {there}").rowcount  # noqa: S608
        added = self._db.execute(f"INSERT INTO {table} SELECT * FROM coarse").rowcount  # noqa: S608
        self._db.execute("DROP TABLE coarse")
        return removed - added
