"""Groups in targets → rows behind those of the line items, and which line items' groups pass.

Whether a row passes is found for all rows at once. Then, from the innermost groups outwards, a row fails that
needs one of its groups and has none that passes (`any`), or needs all and has one that does not (`all`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adserver.catalog.targeting import Group, Target
from adserver.decision import bitmap

#: What has groups: a target, or a group.
Row = Target | Group


@dataclass(frozen=True, slots=True)
class Branch:
    """The groups, of all rows of one depth, under one key; these are the rows from `first` on."""

    key: str
    """`any` or `all`."""
    parents: NDArray[np.intp]
    """The row that each group belongs to."""
    first: int
    before: bitmap.Flags
    """Rows up to that depth that pass as long as nothing is known of their groups."""

    def passed(self, flags: bitmap.Flags) -> bitmap.Flags:
        """The rows up to that depth that their groups let pass, from the flags of all rows."""
        passed = self.before.copy()
        combine = np.maximum if self.key == "any" else np.minimum
        combine.at(passed, self.parents, flags[self.first : self.first + len(self.parents)])
        return passed


class Branches:
    """All groups of the line items, by depth, outermost first."""

    def __init__(self, levels: Sequence[Sequence[Branch]]) -> None:
        self._levels = levels

    def passed(self, bits: int, row_count: int) -> Iterator[tuple[str, int]]:
        """`any` and `all`, where there are such, with the line items whose groups pass or that have none.

        `bits` are the rows that pass what they say themselves.
        """
        if not self._levels:
            return
        flags = bitmap.flags_of(bits, row_count)
        for level in reversed(self._levels[1:]):
            for branch in level:
                flags[: len(branch.before)] &= branch.passed(flags)
        for branch in self._levels[0]:
            yield branch.key, bitmap.of_flags(branch.passed(flags))


def add_groups(rows: list[Row]) -> Branches:
    """Append the groups of all rows to them, level by level."""
    levels: list[list[Branch]] = []
    begin, end = 0, len(rows)
    while begin < end:
        branches = [branch for key in ("any", "all") if (branch := _branch(key, begin, end, rows))]
        if branches:
            levels.append(branches)
        begin, end = end, len(rows)
    return Branches(levels)


def _branch(key: str, begin: int, end: int, rows: list[Row]) -> Branch | None:
    first = len(rows)
    parents: list[int] = []
    for i in range(begin, end):
        groups: tuple[Group, ...] | None = getattr(rows[i], key)
        if groups:
            parents += [i] * len(groups)
            rows.extend(groups)
    if not parents:
        return None
    before = np.ones(end, dtype=np.uint8)
    before[parents] = key == "all"
    return Branch(key, np.array(parents, dtype=np.intp), first, before)
