"""Days as they were read, each with how often it had been changed then → those that are as they were.

Reports are mostly of days that are over. These are read once; the changes that the database counts say when a
late event, a judgement or a thinned day has made them others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from adserver.clock import BUCKETS_PER_HOUR

T = TypeVar("T")

#: UTC hour since 1970 → how often it was changed; one that was never changed is not there.
Changes = Mapping[int, int]
#: Stands for all reports of networks, of whatever day.
OF_NETWORKS = -1


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Day(Generic[T]):
    """The rows of one day: one and the same object for as long as nothing of it is changed."""

    rows: tuple[T, ...]


def hours_of(lo: int, hi: int) -> range:
    """The UTC hours that a half-open range of buckets touches."""
    return range(lo // BUCKETS_PER_HOUR, (hi - 1) // BUCKETS_PER_HOUR + 1)


class DaySums:
    """The days that were asked for last, up to so many rows in all."""

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._row_count = 0
        self._kept: OrderedDict[Hashable, tuple[int, Day[Any]]] = OrderedDict()

    def find(self, key: Hashable, seen: int) -> Day[Any] | None:
        """A day that has not been changed since; None for any other."""
        kept = self._kept.get(key)
        if kept is None or kept[0] != seen:
            return None
        self._kept.move_to_end(key)
        return kept[1]

    def keep(self, key: Hashable, seen: int, rows: Sequence[T]) -> Day[T]:
        """Take the place of what was known of a day."""
        before = self._kept.pop(key, None)
        self._row_count += len(rows) - (len(before[1].rows) if before else 0)
        day = Day(tuple(rows))
        self._kept[key] = (seen, day)
        while self._row_count > self._most_rows:
            _, (_, gone) = self._kept.popitem(last=False)
            self._row_count -= len(gone.rows)
        return day
