"""The log, rules as they are now, and marks → events that are judged otherwise, and all sums with them.

What an event was found to be when it came stands in its row (`found`): nothing of its request is kept by
which that could be asked again. All else can: what operators mark by hand, what follows an invalid
impression, clicks without or too soon after one, orders that nothing led to in time or that count elsewhere,
and limits.
Everything is done in one transaction of `sqlite_log`, so that whoever looks meanwhile sees what was before.

Numbers of validity are those of `measurement.event.Validity`, kinds those of `measurement.event.Kind`. Flat
days (kind 6) are nobody's traffic and stay as they are. What another ad server judged (`found` −1) is asked
for marks only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from adserver.engines.sqlite_breakdown import ROWS
from adserver.engines.sqlite_fold import kept_from_day, refold
from adserver.engines.sqlite_marks import MARKED_BY_HAND, Mark
from adserver.engines.sqlite_traffic import NEEDS_SHOWING

#: The counter that rises with each restatement, by which running servers notice it.
RESTATED = "restated"
_FILLS_PER_DAY = 86_400_000 << 22


class Rules(NamedTuple):
    """By what history is judged.

    `marks` None: those that hold. `lookbacks`: line item → after how many ms from a click, and from a view,
    an order is late (0: nothing follows from it); what is not named keeps what it was judged to be.
    """

    marks: Sequence[Mark] | None
    min_click_delay_ms: int
    lookbacks: Mapping[int, tuple[int, int]]


class Moved(NamedTuple):
    """Events of one line item, one of its days (since 1970) and one kind, and what was said of them and is.

    `revenue_micros` is by how much their revenue changed.
    """

    day: int
    item: int
    kind: int
    was: int
    validity: int
    event_count: int
    revenue_micros: int


_TABLES = (
    """
    CREATE TEMP TABLE judged (
      fill INTEGER NOT NULL, kind INTEGER NOT NULL, was INTEGER NOT NULL, validity INTEGER NOT NULL,
      PRIMARY KEY (fill, kind)) WITHOUT ROWID
    """,
    """
    CREATE TEMP TABLE attributed (
      fill INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, was INTEGER NOT NULL, validity INTEGER NOT NULL,
      advertiser INTEGER, order_id TEXT, counted INTEGER NOT NULL)
    """,
    "CREATE TEMP TABLE lookback (item INTEGER PRIMARY KEY, click_ms INTEGER, view_ms INTEGER)",
    """
    CREATE TEMP TABLE touched (
      bucket INTEGER NOT NULL, day INTEGER NOT NULL, site_day INTEGER NOT NULL, slot INTEGER NOT NULL,
      item INTEGER NOT NULL, PRIMARY KEY (bucket, day, site_day, slot, item)) WITHOUT ROWID
    """,
)


def _own(event: str) -> str:
    """What an event is whatever became of the rest of its fill; of no event, 0."""
    return (
        f"CASE WHEN {event}.found > 0 THEN {event}.found "
        f"WHEN {MARKED_BY_HAND.format(event=event)} THEN 27 ELSE 0 END"
    )


def _verdict(event: str) -> str:
    """What an event is beside the impression `shown` of its fill; orders are judged by `_ATTRIBUTE`."""
    return f"""
    CASE WHEN {_own(event)} <> 0 THEN {_own(event)}
      WHEN {_own("shown")} >= 16 THEN {_own("shown")}
      WHEN {event}.found <> 0 OR {event}.kind <> 4 THEN 0
      WHEN (shown.fill IS NULL OR shown.at_ms > {event}.at_ms) AND {NEEDS_SHOWING.format(event=event)} THEN 22
      WHEN shown.at_ms <= {event}.at_ms AND {event}.at_ms < shown.at_ms + :min_click_delay_ms THEN 23
      ELSE 0 END
    """


#: `OVER_GOAL` is nothing that an event is by itself: it stays while nothing else changes.
_DIFFERS = "validity <> iif(was = 4, 0, was)"
_JUDGE = f"""
INSERT INTO judged SELECT * FROM (
  SELECT e.fill, e.kind, e.validity AS was, {_verdict("e")} AS validity
  FROM event e LEFT JOIN event shown ON shown.fill = e.fill AND shown.kind = 1
  WHERE e.fill >= :since AND e.kind NOT IN (5, 6))
WHERE {_DIFFERS}
"""  # noqa: S608  (our own names)
#: When what an order may follow from happened, if it counts and the campaign lets orders follow from it.
_CLICKED = f"iif({_verdict('clicked')} = 0 AND l.click_ms > 0, clicked.at_ms, NULL)"
_SEEN = f"iif({_own('shown')} = 0 AND l.view_ms > 0, shown.at_ms, NULL)"
_ATTRIBUTE = f"""
INSERT INTO attributed SELECT fill, at_ms, was,
  CASE WHEN own <> 0 THEN own
    WHEN shown_as >= 16 THEN shown_as
    WHEN found <> 0 THEN 0
    WHEN click_ms IS NULL THEN iif(was IN (2, 24), was, 0)
    WHEN at_ms < clicked_ms + click_ms OR at_ms < seen_ms + view_ms THEN 0
    WHEN clicked_ms IS NOT NULL OR seen_ms IS NOT NULL THEN 2
    ELSE 24 END,
  advertiser, order_id, counted
FROM (
  SELECT e.fill, e.at_ms, e.validity AS was, e.found, {_own("e")} AS own, {_own("shown")} AS shown_as,
    l.click_ms, l.view_ms, {_CLICKED} AS clicked_ms, {_SEEN} AS seen_ms,
    k.advertiser, k.order_id, coalesce(k.counted, 0) AS counted
  FROM event e LEFT JOIN event shown ON shown.fill = e.fill AND shown.kind = 1
    LEFT JOIN event clicked ON clicked.fill = e.fill AND clicked.kind = 4
    LEFT JOIN lookback l ON l.item = e.item
    LEFT JOIN conversion k ON k.fill = e.fill
  WHERE e.fill >= :since AND e.kind = 5)
"""  # noqa: S608  (our own names)
#: An order counts once: where it was counted before, or else where it was reported first. Where it is counted
#: for a fill that is not judged, nowhere else.
_FIND_ORDERS = """
CREATE TEMP TABLE counts AS SELECT fill FROM (
  SELECT fill, advertiser, order_id,
    row_number() OVER (PARTITION BY advertiser, order_id ORDER BY counted DESC, at_ms, fill) AS place
  FROM attributed WHERE validity = 0) AS a
WHERE place = 1 AND NOT EXISTS (
  SELECT 1 FROM conversion k WHERE k.advertiser = a.advertiser AND k.order_id = a.order_id AND k.counted = 1
    AND k.fill NOT IN (SELECT fill FROM attributed))
"""
_JUDGE_ORDERS = (
    """
    UPDATE attributed SET validity = 25
    WHERE validity = 0 AND order_id IS NOT NULL AND fill NOT IN (SELECT fill FROM counts)
    """,
    "DROP TABLE counts",
    f"INSERT INTO judged SELECT fill, 5, was, validity FROM attributed WHERE {_DIFFERS}",  # noqa: S608
)
#: Where something no longer counts there is room again for what was beyond a limit.
_FREE = """
INSERT INTO judged SELECT fill, kind, 4, 0 FROM event
WHERE validity = 4 AND kind <> 6 AND fill >= :since AND item IN (
  SELECT e.item FROM judged j JOIN event e USING (fill, kind) JOIN limited USING (item) WHERE j.was = 0)
ON CONFLICT DO NOTHING
"""
_TOUCH = f"""
INSERT OR IGNORE INTO touched
SELECT e.bucket, e.day, r.day, e.slot, e.item
FROM judged CROSS JOIN event e USING (fill, kind)
  CROSS JOIN ({ROWS.format(table="event")}) AS r USING (fill, kind)
"""  # noqa: S608  (our own names)
_CHANGE = (
    """
    UPDATE event SET validity = judged.validity FROM judged
    WHERE judged.fill = event.fill AND judged.kind = event.kind AND judged.validity <> 0
    """,
    "DELETE FROM event WHERE (fill, kind) IN (SELECT fill, kind FROM judged WHERE validity = 0)",
)
_SETTLE_ORDERS = (
    """
    UPDATE conversion SET counted = 0 WHERE counted = 1
      AND fill IN (
        SELECT j.fill FROM judged j JOIN event e USING (fill, kind) WHERE kind = 5 AND e.validity <> 0)
    """,
    """
    UPDATE conversion SET counted = 1 WHERE counted = 0
      AND fill IN (
        SELECT j.fill FROM judged j JOIN event e USING (fill, kind) WHERE kind = 5 AND e.validity = 0)
    """,
)
_MOVED = """
SELECT day, item, kind, was, event.validity, count(*),
  sum(revenue_micros) * ((event.validity = 0) - (was = 0))
FROM judged CROSS JOIN event USING (fill, kind) WHERE was <> event.validity GROUP BY 1, 2, 3, 4, 5
"""
_RAISE = "INSERT INTO counter VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1"


def prepare_refilter(db: sqlite3.Connection) -> None:
    """Make the tables of a connection that this works with."""
    for statement in _TABLES:
        db.execute(statement)


def judge(db: sqlite3.Connection, rules: Rules) -> None:
    """Find what is to be judged otherwise, from two days after the oldest whose events are kept on.

    So that all sums that such events are part of can be folded anew.
    """
    day = kept_from_day(db)
    asked = {
        "since": 0 if day is None else (day + 2) * _FILLS_PER_DAY,
        "min_click_delay_ms": rules.min_click_delay_ms,
    }
    for table in ("judged", "attributed", "lookback", "touched"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608  (our own names)
    lookbacks = [(item, *windows) for item, windows in rules.lookbacks.items()]
    db.executemany("INSERT INTO lookback VALUES (?, ?, ?)", lookbacks)
    db.execute(_JUDGE, asked)
    db.execute(_ATTRIBUTE, asked)
    db.execute(_FIND_ORDERS)
    for statement in _JUDGE_ORDERS:
        db.execute(statement)
    db.execute(_FREE, asked)


def take_judged(db: sqlite3.Connection, columns: str) -> None:
    """Write what was judged into the log and its sums; what may count now comes into `incoming` instead.

    `columns`: those of `event` and `incoming`.
    """
    given = columns.replace("validity", "0")
    db.execute(_TOUCH)
    db.execute("DELETE FROM incoming")
    rows = "(SELECT fill, kind FROM judged WHERE validity = 0) CROSS JOIN event USING (fill, kind)"
    db.execute(f"INSERT INTO incoming ({columns}) SELECT {given} FROM {rows}")  # noqa: S608  (our own names)
    for statement in _CHANGE:
        db.execute(statement)
    refold(db)


def settle(db: sqlite3.Connection) -> list[Moved]:
    """Once all that was judged is in the log again: which orders count, and all that changed."""
    for statement in _SETTLE_ORDERS:
        db.execute(statement)
    moved = [Moved(*row) for row in db.execute(_MOVED)]
    if moved:
        db.execute(_RAISE, (RESTATED,))
    return moved
