"""What each row lists and excludes in one dimension → bitmaps of the rows that a request's values pass.

A row is a line item or a group in its target. The bitmap of a value is made when it is first asked for: a
catalog may name a hundred thousand authors, and bitmaps of them all would be a thousand times its own size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from adserver.decision import bitmap

#: A text, or the number of a pattern.
Value = str | int

#: How much the bitmaps of one dimension's values may take; the rest are made again when asked for.
_MOST_BITMAP_BYTES = 8_000_000


class Column(NamedTuple):
    """What rows list, or exclude, in one dimension: their positions, and their lists in the same order."""

    rows: list[int]
    lists: list[Sequence[Value]]


class Listed:
    """Values → the rows that list them."""

    def __init__(self, column: Column, row_count: int) -> None:
        found: dict[Value, list[int]] = {}
        for row, values in zip(*column, strict=True):
            for value in values:
                found.setdefault(value, []).append(row)
        self.rows = {value: bitmap.positions_array(rows) for value, rows in found.items()}
        flags = np.zeros(row_count, dtype=np.uint8)
        for rows in self.rows.values():
            flags[rows] = 1
        self.anyone = bitmap.of_flags(flags)
        """The rows that list some value."""
        most = max(64, _MOST_BITMAP_BYTES * 8 // max(1, row_count))
        # Not a method: that would be a cycle, and an old index is to be gone as soon as nobody uses it.
        found_rows = self.rows
        self._bits = lru_cache(maxsize=most)(lambda value: bitmap.of_positions(found_rows[value], row_count))

    def any_of(self, values: Iterable[Value]) -> int:
        """The rows that list one of the values."""
        bits = 0
        for value in values:
            if value in self.rows:
                bits |= self._bits(value)
        return bits


class Dimension:
    """One dimension: who lists which value, and who excludes it."""

    def __init__(self, wanted: Column, unwanted: Column, row_count: int) -> None:
        self.wanted = Listed(wanted, row_count)
        self.unwanted = Listed(unwanted, row_count)
        self.known = frozenset(self.wanted.rows) | frozenset(self.unwanted.rows)
        """The values that some row tells from others."""
        self._everyone = (1 << row_count) - 1
        self._rest = self._everyone & ~self.wanted.anyone

    def wanting(self, values: Iterable[Value] | None) -> int:
        """Who lists one of a request's values or does not look. None is unknown, which nobody lists."""
        return self._rest if values is None else self._rest | self.wanted.any_of(values)

    def bearing(self, values: Iterable[Value] | None) -> int:
        """Who excludes none of a request's values. Unknown passes only those who exclude nothing."""
        refusing = self.unwanted.anyone if values is None else self.unwanted.any_of(values)
        return self._everyone & ~refusing
