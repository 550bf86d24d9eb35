"""Days as they were read, each with how often it had been changed then → those that are as they were.

Reports are mostly of days that are over. These are read once; the changes that the database counts say when a
late event, a judgement or a thinned day has made them others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from adserver.clock import BUCKETS_PER_DAY

T = TypeVar("T")

#: UTC day → how often it was changed; one that was never changed is not there. -1: networks' own reports.
Changes = Mapping[int, int]
OF_NETWORKS = -1


def days_of(cut: Sequence[int]) -> Iterable[int]:
    """The UTC days that a half-open range of buckets touches, and `OF_NETWORKS`."""
    return (*range(cut[0] // BUCKETS_PER_DAY, (cut[1] - 1) // BUCKETS_PER_DAY + 1), OF_NETWORKS)


def seen_of(cut: Sequence[int], changes: Changes) -> tuple[int, ...]:
    """How often each of a cut's days was changed."""
    return tuple(changes.get(day, 0) for day in days_of(cut))


class DaySums(Generic[T]):
    """Rows of days, the ones that were asked for last, up to so many."""

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._row_count = 0
        self._kept: OrderedDict[Hashable, tuple[tuple[int, ...], Sequence[T]]] = OrderedDict()

    def find(self, key: Hashable, seen: tuple[int, ...]) -> Sequence[T] | None:
        """The rows of a day that has not been changed since; None for any other."""
        kept = self._kept.get(key)
        if kept is None or kept[0] != seen:
            return None
        self._kept.move_to_end(key)
        return kept[1]

    def keep(self, key: Hashable, seen: tuple[int, ...], rows: Sequence[T]) -> None:
        """Take the place of what was known of a day."""
        before = self._kept.pop(key, None)
        self._row_count += len(rows) - (len(before[1]) if before else 0)
        self._kept[key] = (seen, rows)
        while self._row_count > self._most_rows:
            _, (_, gone) = self._kept.popitem(last=False)
            self._row_count -= len(gone)
