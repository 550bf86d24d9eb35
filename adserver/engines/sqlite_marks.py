"""Traffic that operators mark by hand → its events as they come, marked `EXCLUDED`.

A mark names fills by their time, and if it likes by slot, line item and kind of event. In the SQL, validity
27 is `measurement.event.Validity.EXCLUDED`, and kind 6 a flat day, which is nobody's traffic.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

#: A fill's id begins with its time in ms, before 22 other bits (`measurement.token`).
_AT_SHIFT = 22


class Mark(NamedTuple):
    """Events of fills from one time until before another, in ms since 1970. None stands for any."""

    from_ms: int
    until_ms: int
    slot: int | None
    item: int | None
    kind: int | None
    reason: str


#: Whether an event `{event}` is marked. Marks of long ago are not looked at: the index is by their end.
MARKED_BY_HAND = """
EXISTS (SELECT 1 FROM mark WHERE mark.until_fill > {event}.fill AND mark.from_fill <= {event}.fill
  AND {event}.slot = coalesce(mark.slot, {event}.slot) AND {event}.item = coalesce(mark.item, {event}.item)
  AND {event}.kind = coalesce(mark.kind, {event}.kind) AND {event}.kind <> 6)
"""
_MARK = f"""
UPDATE incoming SET validity = 27 WHERE validity = 0 AND {MARKED_BY_HAND.format(event="incoming")}
"""  # noqa: S608  (our own names)
_ALL = "SELECT from_fill >> 22, until_fill >> 22, slot, item, kind, reason FROM mark ORDER BY rowid"


def mark_excluded(db: sqlite3.Connection) -> None:
    """Mark what of `incoming` is of traffic that is marked by hand."""
    if db.execute("SELECT 1 FROM mark LIMIT 1").fetchone():
        db.execute(_MARK)


def read_marks(db: sqlite3.Connection) -> list[Mark]:
    """The marks that hold, in the order in which they were given."""
    return [Mark(*row) for row in db.execute(_ALL)]


def replace_marks(db: sqlite3.Connection, marks: Sequence[Mark]) -> None:
    """Make these the marks that hold, in the caller's transaction."""
    db.execute("DELETE FROM mark")
    db.executemany(
        "INSERT INTO mark VALUES (?, ?, ?, ?, ?, ?)",
        [(one.from_ms << _AT_SHIFT, one.until_ms << _AT_SHIFT, *one[2:]) for one in marks],
    )
