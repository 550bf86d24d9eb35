"""A batch's new rows and what was bought → the same rows, those beyond a goal or budget marked `OVER_GOAL`.

This is what makes limits hard. It runs inside the transaction that writes the batch, while no other worker
can write, and looks at what the log itself has counted: whatever was served too much, and by whom, no goal is
exceeded by one event and no budget by one micro.

What a batch holds is summed first (`counted`). Only line items for which that could be too much are looked at
row by row, so that a batch costs the same whether one line item has a limit or ten thousand have. In the SQL,
validity 4 is `measurement.event.Validity.OVER_GOAL`, and kinds are `measurement.event.Kind`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple


class Limit(NamedTuple):
    """What may be counted for one line item; None stands for no limit, and 0 for nothing at all.

    `kind` is the kind of event that `goal` counts. `daily_budget_micros` holds for each local day of its own.
    """

    item: int
    kind: int = 0
    goal: int | None = None
    budget_micros: int | None = None
    daily_budget_micros: int | None = None


class Counted(NamedTuple):
    """Events of one kind, valid and new, of one line item, and what they earned.

    `day` is one of the line item's own, and `minute` that in which their fills were decided, since 1970, by
    the node with this number.
    """

    item: int
    day: int
    kind: int
    minute: int
    event_count: int
    revenue_micros: int
    node: int = 0


_TABLES = (
    """
    CREATE TEMP TABLE limited (
      item INTEGER PRIMARY KEY, kind INTEGER NOT NULL, goal INTEGER, budget_micros INTEGER,
      daily_budget_micros INTEGER)
    """,
    """
    CREATE TEMP TABLE counted (
      item INTEGER NOT NULL, day INTEGER NOT NULL, kind INTEGER NOT NULL, minute INTEGER NOT NULL,
      event_count INTEGER NOT NULL, revenue_micros INTEGER NOT NULL, node INTEGER NOT NULL,
      PRIMARY KEY (item, day, kind, minute, node)) WITHOUT ROWID
    """,
    """
    CREATE TEMP TABLE pressed (
      item INTEGER PRIMARY KEY, kind INTEGER NOT NULL, goal INTEGER, budget_micros INTEGER,
      daily_budget_micros INTEGER, reached INTEGER NOT NULL, spent INTEGER NOT NULL)
    """,
)
#: A fill's id is its time in ms, 10 bits with the number of its node, and 12 others (`measurement.token`).
_COUNT = """
INSERT INTO counted
SELECT item, day, kind, (fill >> 22) / 60000, count(*), sum(revenue_micros), fill >> 12 & 1023
FROM incoming WHERE validity = 0 GROUP BY 1, 2, 3, 4, 7
"""
#: Line items of the batch that may be beyond a limit, with their limits and what is counted of them so far.
#: Nothing is more than a limit that is NULL.
_PRESS = """
INSERT INTO pressed
SELECT item, kind, goal, budget_micros, daily_budget_micros, reached, spent FROM (
  SELECT batch.*, coalesce(d.revenue_micros, 0) AS spent,
    coalesce(CASE batch.kind WHEN 1 THEN d.impression_count WHEN 3 THEN d.viewable_count
      WHEN 4 THEN d.click_count WHEN 5 THEN d.conversion_count END, 0) AS reached
  FROM (
    SELECT l.*, sum(c.event_count * (c.kind = l.kind)) AS more, sum(c.revenue_micros) AS earned
    FROM counted c CROSS JOIN limited l USING (item) GROUP BY c.item) AS batch
  LEFT JOIN delivered d ON d.item = batch.item) AS sums
WHERE reached + more > goal
   OR spent + earned > budget_micros
   OR (daily_budget_micros IS NOT NULL AND EXISTS (
        SELECT 1 FROM counted c LEFT JOIN progress p USING (item, day)
        WHERE c.item = sums.item GROUP BY c.day
        HAVING coalesce(max(p.revenue_micros), 0) + sum(c.revenue_micros) > daily_budget_micros))
"""
#: A fill whose impression is beyond a limit has no other events that count: rates stay within 100 %.
_FOLLOW = """
UPDATE incoming SET validity = 4 WHERE validity = 0 AND kind <> 1 AND EXISTS (
  SELECT 1 FROM {table} AS shown
  WHERE shown.fill = incoming.fill AND shown.kind = 1 AND shown.validity = 4)
"""
_FOLLOW_LOG, _FOLLOW_BATCH = _FOLLOW.format(table="event"), _FOLLOW.format(table="incoming")
#: What is refused, in order of the fills, impressions first. `:last_kind` is 1 while only impressions are
#: judged: events of other kinds come after all of them, and so never change what is left for one.
_MARK_GOAL = """
UPDATE incoming SET validity = 4 WHERE (fill, kind) IN (SELECT fill, kind FROM (
  SELECT i.fill, i.kind, x.goal,
    x.reached + row_number() OVER (PARTITION BY i.item ORDER BY i.fill) AS reached
  FROM incoming i JOIN pressed x ON x.item = i.item AND x.kind = i.kind WHERE i.validity = 0)
WHERE reached > goal AND kind <= :last_kind)
"""
_MARK_DAILY = """
UPDATE incoming SET validity = 4 WHERE (fill, kind) IN (SELECT fill, kind FROM (
  SELECT i.fill, i.kind, x.daily_budget_micros AS budget_micros, coalesce(p.revenue_micros, 0) +
    sum(i.revenue_micros) OVER (PARTITION BY i.item, i.day ORDER BY i.kind > 1, i.fill, i.kind) AS spent
  FROM incoming i JOIN pressed x ON x.item = i.item AND x.daily_budget_micros IS NOT NULL
  LEFT JOIN progress p ON p.item = i.item AND p.day = i.day
  WHERE i.validity = 0 AND i.revenue_micros)
WHERE spent > budget_micros AND kind <= :last_kind)
"""
_MARK_BUDGET = """
UPDATE incoming SET validity = 4 WHERE (fill, kind) IN (SELECT fill, kind FROM (
  SELECT i.fill, i.kind, x.budget_micros, x.spent +
    sum(i.revenue_micros) OVER (PARTITION BY i.item ORDER BY i.kind > 1, i.fill, i.kind) AS spent
  FROM incoming i JOIN pressed x ON x.item = i.item AND x.budget_micros IS NOT NULL
  WHERE i.validity = 0 AND i.revenue_micros)
WHERE spent > budget_micros AND kind <= :last_kind)
"""
#: A flat day is earned whole or not at all.
_MARK_WHOLE_DAYS = """
UPDATE incoming SET validity = 4 WHERE kind = 6 AND validity = 0 AND (item, day) IN (
  SELECT item, day FROM incoming WHERE kind = 6 AND validity = 4)
"""
_LAST_KIND = 14


def prepare_limits(db: sqlite3.Connection) -> None:
    """Make the tables of a connection that limits are kept in."""
    for statement in _TABLES:
        db.execute(statement)


def replace_limits(db: sqlite3.Connection, limits: Sequence[Limit]) -> None:
    """Make these the limits of all later batches, in the caller's transaction."""
    db.execute("DELETE FROM limited")
    db.executemany("INSERT INTO limited VALUES (?, ?, ?, ?, ?)", limits)


def keep_limits(db: sqlite3.Connection, *, follows: bool = True) -> list[Counted]:
    """Mark what of `incoming` is beyond a limit; what is valid then, which stays in `counted` as well.

    `follows`: not all of it are impressions.
    """
    if follows:
        db.execute(_FOLLOW_LOG)
    _count(db)
    if db.execute(_PRESS).rowcount:
        _mark(db, last_kind=1)
        db.execute(_FOLLOW_BATCH)
        _mark(db, last_kind=_LAST_KIND)
        db.execute(_MARK_WHOLE_DAYS)
        db.execute("DELETE FROM pressed")
        _count(db)
    return [Counted(*row) for row in db.execute("SELECT * FROM counted")]


def _mark(db: sqlite3.Connection, *, last_kind: int) -> None:
    """Mark what is too much, up to one kind of event. What one limit refuses takes nothing from the next."""
    for statement in (_MARK_GOAL, _MARK_DAILY, _MARK_BUDGET):
        db.execute(statement, {"last_kind": last_kind})


def _count(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM counted")
    db.execute(_COUNT)
