"""Rows of the log → the sums that are kept beside them, and whether those equal the fold of the whole log.

Each sum is written once, as a query over `{source}`: a commit folds the rows that came in with it, `rebuild`
folds the log. Both therefore count alike.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from adserver.clock import BUCKET_SECONDS, BUCKETS_PER_DAY
from adserver.engines import sqlite_breakdown as breakdown

#: One row of the log: fill, kind, at_ms, bucket, day, slot, item, creative, revenue_micros, validity, size,
#: facts, model.
Row = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]
#: A fill's id begins with its time in ms, before 22 other bits (`measurement.token`).
_AT_SHIFT, _BUCKET_MS, _TWO_DAYS = 22, BUCKET_SECONDS * 1000, 2 * BUCKETS_PER_DAY
#: The counter that says from which UTC day on the log holds all events, in days since 1970.
KEPT_FROM_DAY = "kept_from_day"
_ROLLUP = """
SELECT bucket, slot, creative, sum(kind = 1) AS impression_count, sum(kind = 2) AS measurable_count,
  sum(kind = 3) AS viewable_count, sum(kind = 4) AS click_count, sum(kind = 5) AS conversion_count,
  sum(revenue_micros) AS revenue_micros
FROM {source} WHERE validity = 0 GROUP BY 1, 2, 3
"""
#: Whatever does not count, by reason; repeats are duplicates (validity 1). And, with validity 0, what counts
#: and has no column of its own: what became of fills that went to a network (kinds from 7 on).
MARKED = """
SELECT bucket, slot, creative, kind, validity, sum(event_count) AS event_count FROM (
  SELECT bucket, slot, creative, kind, validity, 1 AS event_count FROM {source}
  WHERE validity <> 0 OR kind >= 7
  UNION ALL
  SELECT bucket, slot, creative, kind, 1, repeat_count FROM {source} WHERE repeat_count > 0)
GROUP BY 1, 2, 3, 4, 5
"""
_PROGRESS = """
SELECT day, item, sum(kind = 1) AS impression_count, sum(kind = 3) AS viewable_count,
  sum(kind = 4) AS click_count, sum(kind = 5) AS conversion_count, sum(revenue_micros) AS revenue_micros
FROM {source} WHERE validity = 0 GROUP BY 1, 2
"""
#: Progress over all days, kept too, so that what is left of a goal is one look-up however long the flight.
_DELIVERED = """
SELECT item, sum(impression_count) AS impression_count, sum(viewable_count) AS viewable_count,
  sum(click_count) AS click_count, sum(conversion_count) AS conversion_count,
  sum(revenue_micros) AS revenue_micros
FROM ({progress}) GROUP BY 1
"""
_DELIVERED_OF_DAYS = _DELIVERED.format(progress="SELECT * FROM {source}")
#: The progress of a batch that is summed by line item, day, kind and minute already.
_PROGRESS_OF_COUNTED = """
SELECT day, item, sum(event_count * (kind = 1)) AS impression_count,
  sum(event_count * (kind = 3)) AS viewable_count, sum(event_count * (kind = 4)) AS click_count,
  sum(event_count * (kind = 5)) AS conversion_count, sum(revenue_micros) AS revenue_micros
FROM counted GROUP BY 1, 2
"""
#: Which flat days are counted: those that have rows which are.
_FLAT_DAYS = "SELECT DISTINCT item, day FROM {source} WHERE kind = 6 AND validity = 0"
_ADDED = ", ".join(
    f"{name} = {name} + excluded.{name}"
    for name in (
        "impression_count",
        "viewable_count",
        "click_count",
        "conversion_count",
        "revenue_micros",
    )
)
_ADD_ROLLUP = f"""
INSERT INTO rollup {_ROLLUP.format(source="incoming")}
ON CONFLICT DO UPDATE SET {_ADDED}, measurable_count = measurable_count + excluded.measurable_count
"""
_ADD_MARKED = f"""
INSERT INTO marked_rollup {MARKED.format(source="incoming")}
ON CONFLICT DO UPDATE SET event_count = event_count + excluded.event_count
"""
_ADD_PROGRESS = f"""
INSERT INTO progress {_PROGRESS_OF_COUNTED} ON CONFLICT DO UPDATE SET {_ADDED}
"""
_ADD_DELIVERED = f"""
INSERT INTO delivered {_DELIVERED.format(progress=_PROGRESS_OF_COUNTED)} ON CONFLICT DO UPDATE SET {_ADDED}
"""
#: Keys of the rows that are missing, surplus or different.
_DIFFERENT = """
CREATE TEMP TABLE different AS SELECT {key} FROM (
  SELECT * FROM (SELECT * FROM fold EXCEPT SELECT * FROM {table})
  UNION ALL
  SELECT * FROM (SELECT * FROM {table} EXCEPT SELECT * FROM fold)) GROUP BY {key}
"""


#: The bucket that a row is summed in now, where buckets of its slot are thinned (`sqlite_thinning`). What is
#: after all of these need not be looked up.
_THINNED = """
CASE WHEN bucket >= {after} THEN bucket ELSE coalesce((
  SELECT CASE WHEN t.hi > x.bucket THEN t.lo + (x.bucket - t.lo) / t.width * t.width END
  FROM thinned t WHERE t.slot = x.slot AND t.lo <= x.bucket ORDER BY t.lo DESC LIMIT 1), bucket) END
"""
#: A table as it is when all of it is thinned: columns beside the bucket, how they are summed.
_EVENT_ROWS = ("slot, creative, kind, validity, revenue_micros, repeat_count", "")
_ROLLUP_ROWS = (
    "slot, creative, sum(impression_count) AS impression_count, sum(measurable_count) AS measurable_count, "
    "sum(viewable_count) AS viewable_count, sum(click_count) AS click_count, "
    "sum(conversion_count) AS conversion_count, sum(revenue_micros) AS revenue_micros",
    "GROUP BY 1, 2, 3",
)
_MARKED_ROWS = (
    "slot, creative, kind, validity, sum(event_count) AS event_count",
    "GROUP BY 1, 2, 3, 4, 5",
)


class _Fold(NamedTuple):
    """A table of sums, what tells its rows apart, the query that makes them, and of what it is to be true.

    `source` is what is summed, `stored` the table as it is compared, `kept` a condition on both. With a
    `shape`, the query adds to a table of that shape instead: sorting as many rows would take too much memory.
    `bucket` is where a row of the table itself belongs now.
    """

    table: str
    key: str
    query: str
    source: str
    stored: str
    kept: str
    shape: str = ""
    bucket: str = "bucket"


class _Part(NamedTuple):
    """What is folded: events, as a table, and conditions on the keys of their sums."""

    event: str = "event"
    bucket: str = "true"
    day: str = "true"
    site_day: str = "true"
    item: str = "true"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What `rebuild` found: rows of the sums that were missing or different, and events in the log."""

    event_count: int
    wrong_rollup_count: int
    wrong_marked_count: int
    wrong_progress_count: int
    wrong_breakdown_count: int
    #: Events of earlier UTC days, in days since 1970, were removed: of those nothing was compared, but what
    #: line items delivered in all with what they delivered by day. None: no event ever was.
    kept_from_day: int | None = None

    @property
    def wrong_count(self) -> int:
        """Rows that were not what the log adds up to."""
        sums = self.wrong_rollup_count + self.wrong_marked_count + self.wrong_progress_count
        return sums + self.wrong_breakdown_count

    @property
    def equal(self) -> bool:
        """Whether all sums were the fold of the log already."""
        return not self.wrong_count


def add_incoming(db: sqlite3.Connection, *, any_marked: bool) -> None:
    """Add the new rows, in `incoming` and summed in `counted`, to everything that is kept beside the log.

    `any_marked`: some of them do not count, or were repeated.
    """
    db.execute(_ADD_ROLLUP)
    if any_marked:
        db.execute(_ADD_MARKED)
    db.execute(_ADD_PROGRESS)
    db.execute(_ADD_DELIVERED)


def rebuild(db: sqlite3.Connection) -> Rebuilt:
    """Compare all sums with the fold of the log and put right what differs, in the caller's transaction."""
    return _compare(db, _restate)


def refold(db: sqlite3.Connection) -> None:
    """Put right the sums that events in `touched` have or had, in the caller's transaction.

    `touched` has their bucket, day, site_day, slot and item; their fills' times lie within their buckets.
    """
    first, last = db.execute("SELECT min(bucket), max(bucket) FROM touched").fetchone()
    if first is None:
        return
    # What shares a sum with them is of the same local day, or of one that is thinned to one row.
    lo, hi = ((bucket * _BUCKET_MS) << _AT_SHIFT for bucket in (first - _TWO_DAYS, last + _TWO_DAYS))
    bucket = thinned_bucket(db)
    part = _Part(
        event=f"(SELECT * FROM event WHERE fill >= {lo} AND fill < {hi})",  # noqa: S608  (numbers)
        bucket=f"bucket IN (SELECT {bucket} FROM touched x)",  # noqa: S608  (our own names)
        day="(day, item) IN (SELECT day, item FROM touched)",
        site_day="(day, item) IN (SELECT site_day, item FROM touched)",
        item="item IN (SELECT item FROM touched)",
    )
    for fold in _folds(db, part):
        _restate(db, fold)


def compare(db: sqlite3.Connection) -> Rebuilt:
    """The same without putting anything right; the database may be one that cannot be written."""
    return _compare(db, _count_wrong)


def kept_from_day(db: sqlite3.Connection) -> int | None:
    """The UTC day, in days since 1970, before which events were removed from the log; None: none were."""
    row = db.execute("SELECT value FROM counter WHERE name = ?", (KEPT_FROM_DAY,)).fetchone()
    return None if row is None else int(row[0])


def _compare(db: sqlite3.Connection, check: Callable[[sqlite3.Connection, _Fold], int]) -> Rebuilt:
    wrong = Counter[str]()
    for fold in _folds(db, _Part()):
        wrong[fold.table] += check(db, fold)
    progress = wrong["progress"] + wrong["delivered"] + wrong["flat_day"]
    row: tuple[int] = db.execute("SELECT count(*) FROM event").fetchone()
    cuts = wrong["breakdown"] + wrong["reach"]
    return Rebuilt(row[0], wrong["rollup"], wrong["marked_rollup"], progress, cuts, kept_from_day(db))


def _folds(db: sqlite3.Connection, part: _Part) -> Iterator[_Fold]:
    """Every table of sums, those first that others are sums of."""
    day = kept_from_day(db)
    # A thinned row of which all is kept begins in a bucket that is.
    kept = part.bucket if day is None else f"bucket >= {day * BUCKETS_PER_DAY} AND {part.bucket}"
    bucket = thinned_bucket(db)
    events, sums, marks = (
        _thinned(bucket, table, *of)
        for table, of in (
            (part.event, _EVENT_ROWS),
            ("rollup", _ROLLUP_ROWS),
            ("marked_rollup", _MARKED_ROWS),
        )
    )
    yield _Fold("rollup", "bucket, slot, creative", _ROLLUP, events, sums, kept, bucket=bucket)
    key = "bucket, slot, creative, kind, validity"
    yield _Fold("marked_rollup", key, MARKED, events, marks, kept, bucket=bucket)
    # East of Greenwich the last hours of a UTC day are in the local day of the next one.
    kept = "true" if day is None else f"day > {day}"
    own = f"{kept} AND {part.day}"
    yield _Fold("progress", "day, item", _PROGRESS, part.event, "progress", own)
    yield _Fold("delivered", "item", _DELIVERED_OF_DAYS, "progress", "delivered", part.item)
    yield _Fold("flat_day", "item, day", _FLAT_DAYS, part.event, "flat_day", own)
    folded = f"({breakdown.ROWS.format(table=part.event)} WHERE fill < {breakdown.folded_fill(db)})"
    own = f"{kept} AND {part.site_day}"
    yield _Fold("breakdown", breakdown.KEY, breakdown.FOLD, folded, "breakdown", own, breakdown.SHAPE)
    key, of_days = breakdown.REACH_KEY, breakdown.REACH_OF_DAYS
    yield _Fold("reach", key, of_days, "breakdown", "reach", part.item)


def thinned_bucket(db: sqlite3.Connection) -> str:
    """The bucket that a row `x` belongs in now, in SQL."""
    row: tuple[int | None] = db.execute("SELECT max(hi) FROM thinned").fetchone()
    return "bucket" if row[0] is None else _THINNED.format(after=row[0])


def _thinned(bucket: str, table: str, columns: str, group: str) -> str:
    """A table's rows in the buckets that they belong in now; the table itself while nothing is thinned."""
    if bucket == "bucket":
        return table
    return f"(SELECT {bucket} AS bucket, {columns} FROM {table} x {group})"  # noqa: S608


def _restate(db: sqlite3.Connection, fold: _Fold) -> int:
    """Make a table of sums, as far as events are kept, equal to its fold; how many rows were not."""
    with _folded(db, fold):
        wrong = _different(db, fold)
        if wrong:
            place = fold.key.replace("bucket", fold.bucket, 1)
            found = "IN (SELECT * FROM different)"
            db.execute(f"DELETE FROM {fold.table} AS x WHERE ({place}) {found}")  # noqa: S608
            db.execute(f"INSERT INTO {fold.table} SELECT * FROM fold WHERE ({fold.key}) {found}")  # noqa: S608
    return wrong


def _count_wrong(db: sqlite3.Connection, fold: _Fold) -> int:
    """How many rows of a table of sums, as far as events are kept, are missing, surplus or different."""
    with _folded(db, fold):
        return _different(db, fold)


@contextmanager
def _folded(db: sqlite3.Connection, fold: _Fold) -> Iterator[None]:
    source = f"(SELECT * FROM {fold.source} WHERE {fold.kept})"  # noqa: S608
    if fold.shape:
        db.execute(f"CREATE TEMP TABLE fold {fold.shape}")
        db.execute(fold.query.format(table="fold", source=source))
    else:
        db.execute(f"CREATE TEMP TABLE fold AS {fold.query.format(source=source)}")
    yield
    db.execute("DROP TABLE fold")
    db.execute("DROP TABLE IF EXISTS different")


def _different(db: sqlite3.Connection, fold: _Fold) -> int:
    stored = f"(SELECT * FROM {fold.stored} WHERE {fold.kept})"  # noqa: S608
    db.execute(_DIFFERENT.format(table=stored, key=fold.key))
    row: tuple[int] = db.execute("SELECT count(*) FROM different").fetchone()
    return row[0]
