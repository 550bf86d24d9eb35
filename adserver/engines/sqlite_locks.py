"""A place in an issue of a newsletter or feed ⇄ the creative that stands there for good, in one SQLite table.

The first who writes wins, whichever worker it is; whoever comes later is told what stands there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from adserver.engines.sqlite_upkeep import Upkeep


class Lock(NamedTuple):
    """What stands in one place. The image is kept in case its creative is archived later.

    `slot`, `item` and `creative` are ids of the catalog, `model` is a code (`measurement.token.MODELS`).
    """

    slot: int
    issue: str
    position: int
    at_ms: int
    item: int
    creative: int
    model: int
    price_micros: int
    catalog_version: int
    size: str
    image: str
    image_dark: str | None
    alt: str


_COLUMNS = ", ".join(Lock._fields)
_FIND = f"SELECT {_COLUMNS} FROM issue_lock WHERE slot = ? AND issue = ? AND position = ?"  # noqa: S608
_OF_ISSUE = (
    f"SELECT {_COLUMNS} FROM issue_lock "  # noqa: S608  (our own names)
    "WHERE issue = ? AND slot IN (SELECT value FROM json_each(?)) ORDER BY slot, position"
)
_COUNT_SINCE = "SELECT count(*) FROM issue_lock WHERE slot = ? AND at_ms >= ?"
_MARKS = ", ".join("?" * len(Lock._fields))
_KEEP = f"INSERT INTO issue_lock ({_COLUMNS}) VALUES ({_MARKS}) ON CONFLICT DO NOTHING"  # noqa: S608
_FORGET = "DELETE FROM issue_lock WHERE slot = ? AND issue = ? AND position = ?"


class SqliteLocks(Upkeep):
    """The locks of one database file; raises StorageFailed."""

    def find(self, slot: int, issue: str, position: int) -> Lock | None:
        """What stands in a place; None where nothing is locked yet."""
        with self._faults():
            row = self._db.execute(_FIND, (slot, issue, position)).fetchone()
        return None if row is None else Lock(*row)

    def of_issue(self, slots: Sequence[int], issue: str) -> list[Lock]:
        """All that is locked in an issue, of a site's slots."""
        with self._faults():
            rows = self._db.execute(_OF_ISSUE, (issue, f"[{','.join(map(str, slots))}]"))
            return [Lock(*row) for row in rows]

    def count_since(self, slot: int, at_ms: int) -> int:
        """How many places of a slot were locked at or after a time."""
        with self._faults():
            row: tuple[int] = self._db.execute(_COUNT_SINCE, (slot, at_ms)).fetchone()
        return row[0]

    def keep(self, lock: Lock, *, replace: bool = False) -> Lock:
        """Lock a place, durably → what stands there now: this, or what was there before."""
        with self._transaction():
            if replace:
                self._db.execute(_FORGET, lock[:3])
            self._db.execute(_KEEP, lock)
            row = self._db.execute(_FIND, lock[:3]).fetchone()
        return Lock(*row)
