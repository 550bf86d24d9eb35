"""The log in SQLite → the raw events of its oldest days, and the log without those that are kept elsewhere.

A fill's id begins with its time, so a day is a range of the primary key. Nothing here holds the writer for
longer than a few hundred rows take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adserver.engines.parquet_archive import KeptEvent
from adserver.engines.sqlite_breakdown import fold_until
from adserver.engines.sqlite_fold import KEPT_FROM_DAY
from adserver.engines.sqlite_upkeep import Upkeep

#: Milliseconds of a day, before the 22 other bits of a fill's id (`measurement.token`).
_FILLS_PER_DAY = 86_400_000 << 22
_BATCH = 20_000
_FIRST_FILL = "SELECT min(fill) FROM event WHERE fill >= ?"
_ROWS = f"""
SELECT {", ".join(KeptEvent._fields)} FROM event
WHERE fill < :end AND (fill, kind) > (:fill, :kind) ORDER BY fill, kind LIMIT {_BATCH}
"""  # noqa: S608  (our own names)
#: What changed after it was written elsewhere is not what was written, and stays for the next time.
_REMOVE = """
DELETE FROM event WHERE fill = ? AND kind = ? AND at_ms = ? AND repeat_count = ? AND validity = ?
"""
_KEEP_FROM = """
INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)
"""


class SqliteRetention(Upkeep):
    """The old end of a log."""

    def first_day(self, since: int = 0) -> int | None:
        """The first UTC day, in days since 1970, from one on, that has events in the log."""
        with self._faults():
            row = self._db.execute(_FIRST_FILL, (since * _FILLS_PER_DAY,)).fetchone()
        return None if row[0] is None else int(row[0]) // _FILLS_PER_DAY

    def events_of(self, day: int) -> Iterator[list[KeptEvent]]:
        """The events of a UTC day in the order of fill and kind. Writers do not wait for whoever reads."""
        fill, kind = day * _FILLS_PER_DAY, 0
        while True:
            asked = {"end": (day + 1) * _FILLS_PER_DAY, "fill": fill, "kind": kind}
            with self._faults():
                rows = [KeptEvent(*row) for row in self._db.execute(_ROWS, asked)]
            if not rows:
                return
            yield rows
            fill, kind = rows[-1].fill, rows[-1].kind

    def remove(self, day: int, rows: Sequence[KeptEvent]) -> int:
        """Remove events of a UTC day that are as given, in one durable transaction; how many there were.

        From the first of them on it is known that the log does not hold all of that day.
        """
        keys = [(row.fill, row.kind, row.at_ms, row.repeat_count, row.validity) for row in rows]
        with self._transaction():
            fold_until(self._db, (day + 1) * _FILLS_PER_DAY)
            self._db.execute(_KEEP_FROM, (KEPT_FROM_DAY, day + 1))
            return self._db.executemany(_REMOVE, keys).rowcount
