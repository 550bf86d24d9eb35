"""What was done to numbers that were reported before ⇄ entries: who did it, when, and what changed."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from adserver.engines.sqlite_upkeep import Upkeep


class AuditEntry(NamedTuple):
    """One restatement. `at_ms` is since 1970; `body`: what changed, as JSON in a form of its `action`."""

    at_ms: int
    author: str
    action: str
    summary: str
    body: str


_KEEP = "INSERT INTO audit (at_ms, author, action, summary, body) VALUES (?, ?, ?, ?, ?)"
_LAST = "SELECT id, at_ms, author, action, summary, body FROM audit ORDER BY id DESC LIMIT ?"
_ONE = "SELECT at_ms, author, action, summary, body FROM audit WHERE id = ?"


def keep_entry(db: sqlite3.Connection, entry: AuditEntry) -> None:
    """Write an entry, in the transaction of what it tells of."""
    db.execute(_KEEP, entry)


class SqliteAudit(Upkeep):
    """The audit log of one database file; entries are never changed or removed. Raises StorageFailed."""

    def last(self, count: int) -> list[tuple[int, AuditEntry]]:
        """The newest entries with their numbers, newest first."""
        with self._faults():
            return [(row[0], AuditEntry(*row[1:])) for row in self._db.execute(_LAST, (count,))]

    def entry(self, number: int) -> AuditEntry | None:
        """One entry; None where there is none of that number."""
        with self._faults():
            row = self._db.execute(_ONE, (number,)).fetchone()
        return None if row is None else AuditEntry(*row)
