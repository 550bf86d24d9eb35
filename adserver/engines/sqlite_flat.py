"""Days of flat prices that fall due → rows of a batch: of each line item each day once, whole or not at all.

Every worker finds by itself that a day falls due, and again after each start. This runs inside the
transaction that writes the batch, so that the first of them is the one that counts, which the table's key
sees to as well. Kind 6 is `measurement.event.Kind.FLAT_DAY`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from adserver.engines.sqlite_fold import Row

#: Where the columns of a row are that are looked at here.
_DAY, _ITEM = 4, 6
_COUNTED = "SELECT 1 FROM flat_day WHERE item = ? AND day = ?"
_KEEP = "INSERT INTO flat_day SELECT DISTINCT item, day FROM incoming WHERE kind = 6 AND validity = 0"


def take_due(db: sqlite3.Connection, days: Sequence[Sequence[Row]]) -> list[Row]:
    """The rows of those days, each given in all of its parts, that are not counted yet."""
    due: dict[tuple[int, int], Sequence[Row]] = {}
    for parts in days:
        key = (parts[0][_ITEM], parts[0][_DAY])
        if key not in due and db.execute(_COUNTED, key).fetchone() is None:
            due[key] = parts
    return [row for parts in due.values() for row in parts]


def keep_days(db: sqlite3.Connection) -> None:
    """Write down which days of the batch, in `incoming`, count; one that a budget refused may come again."""
    db.execute(_KEEP)
