"""The sums of a site's month → what it was closed with, and corrections; what is booked never changes.

A month has one list of bookings: the closing, and after it the difference between what the log adds up to and
all that was booked, each time that somebody restates history or asks for it. So their sum is what is true
now, and each of them is what was true then.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from adserver.decision.facts import Dimension
from adserver.engines.sqlite_audit import AuditEntry, keep_entry
from adserver.engines.sqlite_breakdown import fold_until
from adserver.engines.sqlite_upkeep import Upkeep


class Month(NamedTuple):
    """A month (`2026-10`) of a site: its local days, both included, since 1970, and the ids of its slots.

    `share_ppm`: the part of what it earned that is the publisher's, in millionths.
    """

    site: str
    month: str
    first_day: int
    last_day: int
    slots: Sequence[int]
    share_ppm: int


class MonthSum(NamedTuple):
    """What counts of a line item and price model (by its code), or by how much that changed."""

    item: int
    model: int
    impression_count: int
    viewable_count: int
    click_count: int
    conversion_count: int
    revenue_micros: int


class Booked(NamedTuple):
    """One booking of a month: the first is its closing, the others are corrections."""

    at_ms: int
    author: str
    reason: str
    sums: Sequence[MonthSum]


class Closed(NamedTuple):
    """A closed month: all its bookings in order, and what is not booked yet."""

    booked: Sequence[Booked]
    pending: Sequence[MonthSum]
    share_ppm: int
    """As it was when the month was closed."""


#: A fill's id begins with its time in ms, before 22 other bits (`measurement.token`).
_AT_SHIFT = 22
_SUMS = MonthSum._fields[2:]
_TOTALS = ", ".join(f"sum({name})" for name in _SUMS)
#: What counts and is not booked. Any dimension has the totals of the month's days.
_OPEN = f"""
SELECT item, model, {_TOTALS} FROM (
  SELECT item, value AS model, {", ".join(_SUMS)} FROM breakdown
  WHERE dimension = {int(Dimension.PRICE_MODEL)} AND day BETWEEN :first_day AND :last_day
    AND slot IN (SELECT value FROM json_each(:slots))
  UNION ALL
  SELECT item, model, {", ".join(f"-{name}" for name in _SUMS)} FROM booked_sum
  WHERE site = :site AND month = :month)
GROUP BY 1, 2 HAVING ({_TOTALS}) <> ({", ".join("0" for _ in _SUMS)})
"""  # noqa: S608  (our own names)
_MONTHS = "SELECT site, month, first_day, last_day, slots, share_ppm FROM closed_month"
_CLOSED = f"{_MONTHS} WHERE site = ? AND month = ?"
_CLOSE = "INSERT INTO closed_month VALUES (:site, :month, :first_day, :last_day, :slots, :share_ppm)"
_NEXT = "SELECT count(*) FROM booking WHERE site = ? AND month = ?"
_BOOK = "INSERT INTO booking VALUES (?, ?, ?, ?, ?, ?)"
_BOOK_SUM = f"INSERT INTO booked_sum VALUES (?, ?, ?, {', '.join('?' for _ in MonthSum._fields)})"  # noqa: S608
_BOOKINGS = """
SELECT number, at_ms, author, reason FROM booking WHERE site = ? AND month = ? ORDER BY number
"""
_BOOKED = (
    f"SELECT {', '.join(MonthSum._fields)} FROM booked_sum "  # noqa: S608  (our own names)
    "WHERE site = ? AND month = ? AND number = ?"
)


def correct_months(db: sqlite3.Connection, at_ms: int, author: str, reason: str) -> None:
    """Book what changed of closed months, in the transaction in which it changed."""
    for row in db.execute(_MONTHS).fetchall():
        _book(db, _month(row), at_ms, author, reason)


class SqliteClosing(Upkeep):
    """The closed months of one database file; raises StorageFailed."""

    def open_sums(self, month: Month, end_ms: int) -> list[MonthSum]:
        """What counts of a month that ends at `end_ms` and is not booked."""
        with self._transaction():
            fold_until(self._db, end_ms << _AT_SHIFT)
            return _open(self._db, month)

    def book(self, month: Month, end_ms: int, at_ms: int, author: str, reason: str) -> Booked | None:
        """Close a month that ends at `end_ms`, or book what changed since it was; None where nothing did."""
        with self._transaction():
            # What was counted last is in the log only; what comes from now on is summed as it comes.
            fold_until(self._db, end_ms << _AT_SHIFT)
            row = self._db.execute(_CLOSED, month[:2]).fetchone()
            if row is None:
                self._db.execute(_CLOSE, _asked(month))
            return _book(self._db, _month(row) if row else month, at_ms, author, reason, empty=row is None)

    def read(self, site: str, month: str) -> Closed | None:
        """What a month was closed with, and what became of it since; None where it is not closed."""
        with self._faults():
            self._db.execute("BEGIN")
            try:
                row = self._db.execute(_CLOSED, (site, month)).fetchone()
                if row is None:
                    return None
                booked = [
                    Booked(at_ms, author, reason, self._sums(site, month, number))
                    for number, at_ms, author, reason in self._db.execute(_BOOKINGS, (site, month)).fetchall()
                ]
                found = _month(row)
                return Closed(booked, _open(self._db, found), found.share_ppm)
            finally:
                self._db.execute("ROLLBACK")

    def _sums(self, site: str, month: str, number: int) -> list[MonthSum]:
        return [MonthSum(*row) for row in self._db.execute(_BOOKED, (site, month, number))]


def _book(
    db: sqlite3.Connection, month: Month, at_ms: int, author: str, reason: str, *, empty: bool = False
) -> Booked | None:
    """Book what is not booked yet, with its entry in the audit log; `empty`: even if that is nothing."""
    sums = _open(db, month)
    if not sums and not empty:
        return None
    key = month[:2]
    (number,) = db.execute(_NEXT, key).fetchone()
    db.execute(_BOOK, (*key, number, at_ms, author, reason))
    db.executemany(_BOOK_SUM, [(*key, number, *one) for one in sums])
    action = "correct" if number else "close"
    summary = f"{month.site} {month.month}: {reason}"
    keep_entry(db, AuditEntry(at_ms, author, action, summary, json.dumps([one._asdict() for one in sums])))
    return Booked(at_ms, author, reason, sums)


def _open(db: sqlite3.Connection, month: Month) -> list[MonthSum]:
    return [MonthSum(*row) for row in db.execute(_OPEN, _asked(month))]


def _asked(month: Month) -> dict[str, object]:
    return {**month._asdict(), "slots": json.dumps(list(month.slots))}


def _month(row: tuple[str, str, int, int, str, int]) -> Month:
    return Month(*row[:4], json.loads(row[4]), row[5])
