"""A batch's new rows and the rest of their fills → the same rows, clicks that nobody can have made marked.

This runs inside the transaction that writes the batch, because only the log knows what became of a fill
before, whichever worker recorded it. In the SQL, numbers of validity from 16 on are invalid traffic, 22 is
`measurement.event.Validity.NO_IMPRESSION` and 23 `TOO_SOON`; kinds are `measurement.event.Kind`.
"""

from __future__ import annotations

import sqlite3

from adserver.engines.sqlite_breakdown import take_withdrawn
from adserver.engines.sqlite_fold import MARKED

_WITHDRAWN = """
CREATE TEMP TABLE withdrawn (
  fill INTEGER NOT NULL, kind INTEGER NOT NULL, bucket INTEGER NOT NULL, slot INTEGER NOT NULL,
  creative INTEGER NOT NULL, validity INTEGER NOT NULL, repeat_count INTEGER NOT NULL,
  PRIMARY KEY (fill, kind)) WITHOUT ROWID
"""
#: Invalid traffic that a valid event of the same fill and kind has followed.
_WITHDRAW = """
INSERT INTO withdrawn SELECT e.fill, e.kind, e.bucket, e.slot, e.creative, e.validity, e.repeat_count
FROM again CROSS JOIN event e USING (fill, kind) JOIN incoming i USING (fill, kind)
WHERE e.validity >= 16 AND i.validity = 0
"""
#: The row goes out of the log and its sums, and comes in again as repeats of the valid one.
_REPLACE = (
    f"""
    UPDATE marked_rollup SET event_count = marked_rollup.event_count - gone.event_count
    FROM ({MARKED.format(source="withdrawn")}) AS gone
    WHERE marked_rollup.bucket = gone.bucket AND marked_rollup.slot = gone.slot
      AND marked_rollup.creative = gone.creative AND marked_rollup.kind = gone.kind
      AND marked_rollup.validity = gone.validity
    """,  # noqa: S608  (the fold of the log, over another table)
    "DELETE FROM marked_rollup WHERE event_count = 0 AND bucket IN (SELECT bucket FROM withdrawn)",
    """
    UPDATE incoming SET repeat_count = incoming.repeat_count + 1 + withdrawn.repeat_count FROM withdrawn
    WHERE incoming.fill = withdrawn.fill AND incoming.kind = withdrawn.kind
    """,
    "DELETE FROM event WHERE (fill, kind) IN (SELECT fill, kind FROM withdrawn)",
    "DELETE FROM again WHERE (fill, kind) IN (SELECT fill, kind FROM withdrawn)",
)
#: What follows an impression that was invalid traffic is so for the same reason: rates stay within 100 %.
_SHOWN = "SELECT shown.validity FROM {table} AS shown WHERE shown.fill = incoming.fill AND shown.kind = 1"
_FOLLOWS = tuple(
    f"""
    UPDATE incoming SET validity = ({shown})
    WHERE validity = 0 AND kind <> 1 AND EXISTS ({shown} AND shown.validity >= 16)
    """  # noqa: S608  (two fixed tables)
    for shown in (_SHOWN.format(table="event"), _SHOWN.format(table="incoming"))
)
#: Which events `{event}` need an impression before them: clicks, but what stands outside pages may be clicked
#: though its picture was never fetched, as many mail programs show none. That a fill is of those, its signed
#: facts say (theme 3, `decision.facts.OUTSIDE`).
NEEDS_SHOWING = "{event}.kind = 4 AND ({event}.facts >> 10 & 3) <> 3"
_BEFORE = "{shown} AND shown.at_ms <= incoming.at_ms"
_MARK_UNSHOWN = f"""
UPDATE incoming SET validity = 22 WHERE validity = 0 AND {NEEDS_SHOWING.format(event="incoming")}
  AND NOT EXISTS ({_BEFORE.format(shown=_SHOWN.format(table="event"))})
  AND NOT EXISTS ({_BEFORE.format(shown=_SHOWN.format(table="incoming"))})
"""  # noqa: S608  (two fixed tables)
#: A click is compared with when its impression arrived, by the clock of whoever received it.
_SOON = "{shown} AND incoming.at_ms < shown.at_ms + :min_click_delay_ms"
_MARK_SOON = f"""
UPDATE incoming SET validity = 23 WHERE validity = 0 AND kind = 4 AND (
  EXISTS ({_SOON.format(shown=_SHOWN.format(table="event"))})
  OR EXISTS ({_SOON.format(shown=_SHOWN.format(table="incoming"))}))
"""  # noqa: S608  (two fixed tables)


def prepare_traffic(db: sqlite3.Connection) -> None:
    """Make the table of a connection that this works with."""
    db.execute(_WITHDRAWN)


def withdraw_invalid(db: sqlite3.Connection) -> None:
    """Let valid events take the place of earlier invalid ones, among the rows that `again` found.

    A prefetch, a link scanner or a burst must not use up the one click of the person who comes after it ("not
    counted until acted-upon by a valid user": MRC, General Invalid Traffic).
    """
    db.execute("DELETE FROM withdrawn")
    if db.execute(_WITHDRAW).rowcount:
        take_withdrawn(db)
        for statement in _REPLACE:
            db.execute(statement)


def mark_clicks(db: sqlite3.Connection, min_click_delay_ms: int) -> None:
    """Mark what follows an invalid impression, and clicks without one or sooner after it than anybody can."""
    for statement in _FOLLOWS:
        db.execute(statement)
    db.execute(_MARK_UNSHOWN)
    db.execute(_MARK_SOON, {"min_click_delay_ms": min_click_delay_ms})
