"""Rows of the log → sums for each day, slot and line item, once for every value of each dimension, and reach.

The dimensions, and where a row has their values, are those of `decision.facts`. Each cuts the same events, so
that the sums over a dimension are the totals. Reach is impressions by which one they were to their browser.

A commit does not sum up its own events here: that would cost as much as all else it does. Those of a while
ago follow with one of many, and not while more comes than usual (`SqliteLog`), all of a fill at once, up to
the fill that the counter `FOLDED_FILL` says; what comes late for a fill before that is added with its own
commit. So after every commit these sums are the fold of all events before that fill, and who reads them adds
the others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from adserver.clock import BUCKETS_PER_DAY
from adserver.decision.facts import DAY_SHIFT, FIELDS, Dimension

#: The counter that says up to which fill, exclusive, events are summed here.
FOLDED_FILL = "folded_fill"
#: The events of a fill come within seconds of each other: so much later most are there, to be summed at once.
_FOLD_AFTER_MS = 20_000
#: So many are summed at once, and as many as the commit brings itself, because they share the pages that are
#: written then; some with each commit cost much more. Where few events come, once an hour.
FOLD_AT_ONCE = 2_000
_FOLD_EVERY_MS = 3_600_000
#: A fill's id begins with its time in ms, before 22 other bits (`measurement.token`).
_AT_SHIFT = 22

SUMS = (
    "impression_count",
    "measurable_count",
    "viewable_count",
    "click_count",
    "conversion_count",
    "revenue_micros",
    "marked_impression_count",
    "marked_click_count",
    "marked_conversion_count",
)
#: In this order of the columns. Their primary keys begin with what reports ask for, and group by.
KEY = "dimension, day, slot, item, value"
REACH_KEY = "dimension, slot, item, ordinal"
FREQUENCIES = (Dimension.FREQUENCY, Dimension.CAMPAIGN_FREQUENCY)
#: A row's value of a dimension.
VALUE = {
    **{dimension: f"facts >> {field.shift} & {field.mask}" for dimension, field in FIELDS.items()},
    Dimension.SIZE: "size",
    Dimension.PRICE_MODEL: "model",
}
#: What is read of a table of events; `day` is the local date of the fill, where its site is.
_SHIFT = f"((facts >> {DAY_SHIFT.shift} & {DAY_SHIFT.mask}) + 1) % 3 - 1"
ROWS = f"""
SELECT fill, kind, bucket / {BUCKETS_PER_DAY} + {_SHIFT} AS day, slot, item, facts, size, model,
  revenue_micros, validity, repeat_count
FROM {{table}}
"""  # noqa: S608  (our own names and numbers)
#: All events of one fill, which share what they are cut by.
BY_FILL = """
SELECT day, slot, item, facts, size, model,
  sum(validity = 0 AND kind = 1) AS impression_count, sum(validity = 0 AND kind = 2) AS measurable_count,
  sum(validity = 0 AND kind = 3) AS viewable_count, sum(validity = 0 AND kind = 4) AS click_count,
  sum(validity = 0 AND kind = 5) AS conversion_count,
  sum(iif(validity = 0, revenue_micros, 0)) AS revenue_micros,
  sum(iif(kind = 1, (validity <> 0) + repeat_count, 0)) AS marked_impression_count,
  sum(iif(kind = 4, (validity <> 0) + repeat_count, 0)) AS marked_click_count,
  sum(iif(kind = 5, (validity <> 0) + repeat_count, 0)) AS marked_conversion_count
FROM {source} WHERE validity = 0 OR kind IN (1, 4, 5) GROUP BY fill
"""


def _cases(dimensions: Iterable[Dimension]) -> str:
    return f"CASE dimension {' '.join(f'WHEN {int(one)} THEN {VALUE[one]}' for one in dimensions)} END"


def _list(dimensions: Iterable[Dimension]) -> str:
    values = ", ".join(f"({int(one)})" for one in dimensions)
    return f"(SELECT column1 AS dimension FROM (VALUES {values}))"  # noqa: S608  (numbers)


#: One dimension after the other, each by slot and line item: what is written then is on few pages at a time.
_ADD = f"""
INSERT INTO {{table}}
SELECT dimension, day, slot, item, {_cases(Dimension)}, {", ".join(SUMS)}
FROM {_list(Dimension)} CROSS JOIN ({BY_FILL} ORDER BY day, slot, item) WHERE true
ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)}
"""  # noqa: S608  (our own names and numbers)
#: Impressions that count, once for their line item and once for their campaign.
REACHING = f"""
SELECT dimension, day, slot, item, {_cases(FREQUENCIES)} AS ordinal
FROM {{source}} CROSS JOIN {_list(FREQUENCIES)} WHERE kind = 1 AND validity = 0
"""  # noqa: S608  (our own names and numbers)
_ADD_REACH = f"""
INSERT INTO reach SELECT dimension, slot, item, ordinal, 1 FROM ({REACHING}) WHERE true
ON CONFLICT DO UPDATE SET impression_count = impression_count + 1
"""  # noqa: S608  (our own names and numbers)
#: Sums of the log, into an empty table with the key of this one; and of this one, over all days.
FOLD = _ADD
SHAPE = (
    f"({', '.join(f'{name} INTEGER NOT NULL' for name in (*KEY.split(', '), *SUMS))}, PRIMARY KEY ({KEY}))"
)
REACH_OF_DAYS = f"""
SELECT dimension, slot, item, value AS ordinal, sum(impression_count) AS impression_count
FROM {{source}} WHERE dimension IN ({", ".join(str(int(one)) for one in FREQUENCIES)})
GROUP BY 1, 2, 3, 4 HAVING sum(impression_count)
"""  # noqa: S608  (our own names and numbers)
_OF_LOG = f"({ROWS.format(table='event WHERE fill >= :since AND fill < :until')})"
_OF_INCOMING = f"({ROWS.format(table='incoming WHERE fill < :until')})"
#: A repeat is one more event that does not count, under the facts of the row that was there first.
_REPEATED = """
SELECT fill, kind, e.bucket, e.slot, item, facts, size, model, 0 AS revenue_micros, 1 AS validity,
  a.repeat_count - 1 AS repeat_count
FROM again a CROSS JOIN event e USING (fill, kind) WHERE fill < :until
"""
#: An invalid event that goes out of the log takes itself and its repeats away.
_WITHDRAWN = """
SELECT fill, kind, e.bucket, e.slot, item, facts, size, model, 0 AS revenue_micros, 1 AS validity,
  -e.repeat_count - 2 AS repeat_count
FROM withdrawn w CROSS JOIN event e USING (fill, kind) WHERE fill < :until
"""


def _of(rows: str) -> str:
    return f"({ROWS.format(table=f'({rows})')})"


_ADD_LOG, _ADD_INCOMING, _ADD_REPEATS, _TAKE_WITHDRAWN = (
    _ADD.format(table="breakdown", source=source)
    for source in (_OF_LOG, _OF_INCOMING, _of(_REPEATED), _of(_WITHDRAWN))
)
_REACH_LOG, _REACH_INCOMING = (_ADD_REACH.format(source=source) for source in (_OF_LOG, _OF_INCOMING))
_FOLDED = "SELECT value FROM counter WHERE name = ?"
_SET_FOLDED = "INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_NEWEST = "SELECT coalesce(max(at_ms), 0) FROM incoming"
_FILL_AFTER = "SELECT fill FROM event WHERE fill >= ? ORDER BY fill LIMIT 1 OFFSET ?"


def folded_fill(db: sqlite3.Connection) -> int:
    """The fill before which all events are summed."""
    row = db.execute(_FOLDED, (FOLDED_FILL,)).fetchone()
    return int(row[0]) if row else 0


def add_late(db: sqlite3.Connection) -> None:
    """Add those of the new rows, in `incoming`, that are of fills which are summed already."""
    asked = {"until": folded_fill(db)}
    db.execute(_ADD_INCOMING, asked)
    db.execute(_REACH_INCOMING, asked)


def add_repeats(db: sqlite3.Connection) -> None:
    """Add the repeats, in `again`, of events that are summed already."""
    db.execute(_ADD_REPEATS, {"until": folded_fill(db)})


def take_withdrawn(db: sqlite3.Connection) -> None:
    """Take away what goes out of the log, in `withdrawn`, as far as it is summed already."""
    db.execute(_TAKE_WITHDRAWN, {"until": folded_fill(db)})


def fold_some(db: sqlite3.Connection, count: int) -> bool:
    """Sum `count` more events, once so many are a while older than this batch; whether there are so many."""
    row = db.execute(_NEWEST).fetchone()
    since, until = folded_fill(db), (int(row[0]) - _FOLD_AFTER_MS) << _AT_SHIFT
    if until <= since:
        return False
    row = db.execute(_FILL_AFTER, (since, count)).fetchone()
    if row and row[0] <= until:
        _fold(db, since, row[0])
        return True
    row = db.execute(_FILL_AFTER, (since, 0)).fetchone()
    if row and row[0] < until - (_FOLD_EVERY_MS << _AT_SHIFT):
        _fold(db, since, until)
    return False


def fold_until(db: sqlite3.Connection, until: int) -> None:
    """Sum all of the log before a fill."""
    since = folded_fill(db)
    if since < until:
        _fold(db, since, until)


def fold_all(db: sqlite3.Connection) -> None:
    """Sum all of the log."""
    row: tuple[int | None] = db.execute("SELECT max(fill) FROM event").fetchone()
    if row[0] is not None:
        fold_until(db, row[0] + 1)


def _fold(db: sqlite3.Connection, since: int, until: int) -> None:
    asked = {"since": since, "until": until}
    db.execute(_ADD_LOG, asked)
    db.execute(_REACH_LOG, asked)
    db.execute(_SET_FOLDED, (FOLDED_FILL, until))
