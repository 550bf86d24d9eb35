"""A batch's reported orders and the log → which of its conversions count, and the orders that they stand for.

This runs inside the transaction that writes the batch, because only the log knows whether a fill was clicked
and an order was counted before, whichever worker recorded it. An order counts once for its advertiser, which
a unique index sees to as well, and a fill has one conversion that counts. Orders are rare beside other
events, so they are judged one after the other, as they came.

Numbers of validity are those of `measurement.event.Validity`, kinds those of `measurement.event.Kind`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from adserver.clock import BUCKETS_PER_DAY
from adserver.engines.sqlite_fold import Row, kept_from_day

_VALID, _LATE, _OVER_GOAL, _NO_CLICK, _ORDER_COUNTED = 0, 2, 4, 24, 25
_IMPRESSION, _CLICK = 1, 4
#: Where the columns of a row are that are looked at here.
_FILL, _AT_MS, _BUCKET, _VALIDITY = 0, 2, 3, 9


class Conversion(NamedTuple):
    """An order that was reported for a fill, with the row of the log that it becomes.

    It counts within so many milliseconds of the fill's click, or of its impression (0: that is not enough).
    """

    row: Row
    advertiser: int
    order_id: str
    value_micros: int | None
    click_lookback_ms: int
    view_lookback_ms: int

    @property
    def fill(self) -> int:
        """Whose conversion it is."""
        return self.row[_FILL]


_STANDS = "SELECT validity FROM incoming WHERE fill = ? AND kind = 5"
#: What became of a fill that an order can come from, in the log or in this batch.
_SEEN = """
SELECT kind, at_ms, validity FROM event WHERE fill = :fill AND kind IN (1, 4)
UNION ALL SELECT kind, at_ms, validity FROM incoming WHERE fill = :fill AND kind IN (1, 4)
"""
#: An order stays counted when its event is removed from the log, and not when it turned out to be invalid.
_FREE = """
UPDATE conversion SET counted = 0 WHERE advertiser = :advertiser AND order_id = :order_id AND counted = 1
  AND EXISTS (SELECT 1 FROM event WHERE fill = conversion.fill AND kind = 5 AND validity <> 0)
"""
_COUNTED = "SELECT 1 FROM conversion WHERE advertiser = :advertiser AND order_id = :order_id AND counted = 1"
_MARK = """
UPDATE incoming SET at_ms = :at_ms, validity = :validity
WHERE fill = :fill AND kind = 5
"""
_KEEP = """
INSERT INTO conversion SELECT :fill, :advertiser, :order_id, :value_micros, validity = 0
FROM event WHERE fill = :fill AND kind = 5
ON CONFLICT (fill) DO UPDATE SET advertiser = excluded.advertiser, order_id = excluded.order_id,
  value_micros = excluded.value_micros, counted = excluded.counted WHERE counted = 0
"""


def mark_conversions(db: sqlite3.Connection, conversions: Sequence[Conversion]) -> list[Conversion]:
    """Mark what of `incoming` is no conversion that counts; the order that each new row stands for."""
    chosen: dict[int, Conversion] = {}
    found: dict[int, int] = {}
    taken: set[tuple[int, str]] = set()
    for one in conversions:
        row = db.execute(_STANDS, (one.fill,)).fetchone()
        if row is None or found.get(one.fill) in (_VALID, _LATE):
            continue  # the fill had its conversion before: this one is a repeat
        if row[0] != _VALID:
            chosen.setdefault(one.fill, one)  # marked already, for what it was found to be
        elif one.row[_VALIDITY] == _VALID:
            found[one.fill] = _judge(db, one, taken)
            chosen[one.fill] = one
            if found[one.fill] == _VALID:
                taken.add((one.advertiser, one.order_id))
    marks = [
        {"fill": fill, "validity": validity, "at_ms": chosen[fill].row[_AT_MS]}
        for fill, validity in found.items()
    ]
    db.executemany(_MARK, marks)
    return list(chosen.values())


def keep_orders(db: sqlite3.Connection, conversions: Sequence[Conversion]) -> None:
    """Write down the orders of rows that are in the log now, and which of them are counted."""
    db.executemany(
        _KEEP, [{"fill": one.fill, **_order(one), "value_micros": one.value_micros} for one in conversions]
    )


def _order(one: Conversion) -> dict[str, int | str]:
    return {"advertiser": one.advertiser, "order_id": one.order_id}


def _judge(db: sqlite3.Connection, one: Conversion, taken: set[tuple[int, str]]) -> int:
    attributed = _attribute(db, one)
    if attributed != _VALID:
        return attributed
    if (one.advertiser, one.order_id) in taken:
        return _ORDER_COUNTED
    db.execute(_FREE, _order(one))
    return _ORDER_COUNTED if db.execute(_COUNTED, _order(one)).fetchone() else _VALID


def _attribute(db: sqlite3.Connection, one: Conversion) -> int:
    """Whether the order came soon enough after a click that a person made, or a view where these count."""
    lookbacks = {_CLICK: one.click_lookback_ms, _IMPRESSION: one.view_lookback_ms}
    was_there = False
    for kind, at_ms, validity in db.execute(_SEEN, {"fill": one.fill}):
        # What a goal had no room for is not billed, but it was a person's click all the same.
        if validity in (_VALID, _OVER_GOAL) and lookbacks[kind]:
            was_there = True
            if one.row[_AT_MS] < at_ms + lookbacks[kind]:
                return _VALID
    return _LATE if was_there or _was_removed(db, one.row[_BUCKET]) else _NO_CLICK


def _was_removed(db: sqlite3.Connection, bucket: int) -> bool:
    """Whether the log no longer holds the events of a bucket, so that nobody can say what was clicked."""
    day = kept_from_day(db)
    return day is not None and bucket < day * BUCKETS_PER_DAY
