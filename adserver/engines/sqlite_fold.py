"""Rows of the log → the sums that are kept beside them, and whether those equal the fold of the whole log.

Each sum is written once, as a query over `{source}`: a commit folds the rows that came in with it, `rebuild`
folds the log. Both therefore count alike.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_ROLLUP = """
SELECT bucket, slot, creative, sum(kind = 1) AS impression_count, sum(kind = 2) AS measurable_count,
  sum(kind = 3) AS viewable_count, sum(kind = 4) AS click_count, sum(kind = 5) AS conversion_count,
  sum(revenue_micros) AS revenue_micros
FROM {source} WHERE validity = 0 GROUP BY 1, 2, 3
"""
_MARKED = """
SELECT bucket, slot, creative, kind, validity, sum(event_count) AS event_count FROM (
  SELECT bucket, slot, creative, kind, validity, 1 AS event_count FROM {source} WHERE validity <> 0
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
#: The progress of a batch that is summed by line item, day, kind and minute already.
_PROGRESS_OF_COUNTED = """
SELECT day, item, sum(event_count * (kind = 1)) AS impression_count,
  sum(event_count * (kind = 3)) AS viewable_count, sum(event_count * (kind = 4)) AS click_count,
  sum(event_count * (kind = 5)) AS conversion_count, sum(revenue_micros) AS revenue_micros
FROM counted GROUP BY 1, 2
"""
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
INSERT INTO marked_rollup {_MARKED.format(source="incoming")}
ON CONFLICT DO UPDATE SET event_count = event_count + excluded.event_count
"""
_ADD_PROGRESS = f"""
INSERT INTO progress {_PROGRESS_OF_COUNTED} ON CONFLICT DO UPDATE SET {_ADDED}
"""
_ADD_DELIVERED = f"""
INSERT INTO delivered {_DELIVERED.format(progress=_PROGRESS_OF_COUNTED)} ON CONFLICT DO UPDATE SET {_ADDED}
"""
_DIFFERENT = """
SELECT count(*) FROM (SELECT {key} FROM (
  SELECT * FROM (SELECT * FROM fold EXCEPT SELECT * FROM {table})
  UNION ALL
  SELECT * FROM (SELECT * FROM {table} EXCEPT SELECT * FROM fold)) GROUP BY {key})
"""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What `rebuild` found: rows of the sums that were missing or different, and events in the log."""

    event_count: int
    wrong_rollup_count: int
    wrong_marked_count: int
    wrong_progress_count: int

    @property
    def wrong_count(self) -> int:
        """Rows that were not what the log adds up to."""
        return self.wrong_rollup_count + self.wrong_marked_count + self.wrong_progress_count

    @property
    def equal(self) -> bool:
        """Whether all sums were the fold of the log already."""
        return not self.wrong_count


def add_incoming(db: sqlite3.Connection) -> None:
    """Add the new rows, in `incoming` and summed in `counted`, to everything that is kept beside the log."""
    db.execute(_ADD_ROLLUP)
    db.execute(_ADD_MARKED)
    db.execute(_ADD_PROGRESS)
    db.execute(_ADD_DELIVERED)


def rebuild(db: sqlite3.Connection) -> Rebuilt:
    """Compare all sums with the fold of the log and put right what differs, in the caller's transaction."""
    return _compare(db, _restate)


def compare(db: sqlite3.Connection) -> Rebuilt:
    """The same without putting anything right; the database may be one that cannot be written."""
    return _compare(db, _count_wrong)


def _compare(db: sqlite3.Connection, check: Callable[[sqlite3.Connection, str, str, str], int]) -> Rebuilt:
    wrong = check(db, "rollup", "bucket, slot, creative", _ROLLUP)
    marked = check(db, "marked_rollup", "bucket, slot, creative, kind, validity", _MARKED)
    progress = check(db, "progress", "day, item", _PROGRESS)
    progress += check(db, "delivered", "item", _DELIVERED.format(progress=_PROGRESS))
    row: tuple[int] = db.execute("SELECT count(*) FROM event").fetchone()
    return Rebuilt(row[0], wrong, marked, progress)


def _restate(db: sqlite3.Connection, table: str, key: str, fold: str) -> int:
    """Make a table of sums equal to its fold; how many rows were missing, surplus or different."""
    with _folded(db, fold):
        wrong = _different(db, table, key)
        if wrong:
            db.execute(f"DELETE FROM {table}")  # noqa: S608
            db.execute(f"INSERT INTO {table} SELECT * FROM fold")  # noqa: S608
    return wrong


def _count_wrong(db: sqlite3.Connection, table: str, key: str, fold: str) -> int:
    """How many rows of a table of sums are missing, surplus or different."""
    with _folded(db, fold):
        return _different(db, table, key)


@contextmanager
def _folded(db: sqlite3.Connection, fold: str) -> Iterator[None]:
    db.execute(f"CREATE TEMP TABLE fold AS {fold.format(source='event')}")
    yield
    db.execute("DROP TABLE fold")


def _different(db: sqlite3.Connection, table: str, key: str) -> int:
    row: tuple[int] = db.execute(_DIFFERENT.format(table=table, key=key)).fetchone()
    return row[0]
