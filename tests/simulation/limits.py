"""Cells and a world → the rows of the linear program: capacity, goals, budgets and caps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack  # type: ignore[import-untyped]  # ships no types

from adserver.catalog.model import Tier
from tests.simulation.caps import most_under_caps
from tests.simulation.cells import Cells
from tests.simulation.tables import TIERS
from tests.simulation.traffic import QUARTERS_PER_DAY, Flags, Floats, Ints
from tests.simulation.world import World

_MICROS = 1_000_000
_EARNING = (TIERS.index(Tier.GUARANTEED), TIERS.index(Tier.PRICE))


@dataclass(frozen=True, slots=True)
class Rows:
    """matrix @ x ≤ most."""

    matrix: csr_array
    most: Floats


def limit_rows(world: World, cells: Cells) -> Rows:
    """All rows but those against repeats."""
    return stacked(
        [_capacity(cells), _goals(world, cells), *_budgets(world, cells), *_caps(world, cells)],
    )


def stacked(parts: Sequence[Rows]) -> Rows:
    """All rows of all parts."""
    matrix = vstack([part.matrix for part in parts], format="csr")
    return Rows(matrix, np.concatenate([part.most for part in parts]))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Line items in a cell: what must not exceed the cell's views, summed over slots."""

    of_column: Ints
    """[column]: number of its pair."""
    views: Floats
    """[pair]."""

    def rows(self, kept: Flags) -> Rows:
        """One row for each pair that is `kept`."""
        return _grouped(self.of_column, np.where(kept, self.views, -1), np.ones(len(self.of_column)))


def pairs_of(cells: Cells) -> Pairs:
    """The pairs that columns belong to."""
    pair = cells.cell * (int(cells.item.max()) + 1) + cells.item
    _, first, number = np.unique(pair, return_index=True, return_inverse=True)
    return Pairs(number, cells.views[cells.cell[first]])


def _capacity(cells: Cells) -> Rows:
    slots = cells.capacity.shape[1]
    return _grouped(cells.cell * slots + cells.slot, cells.capacity.ravel(), np.ones(len(cells.cell)))


def _goals(world: World, cells: Cells) -> Rows:
    goal = np.where(world.lines.of_tier(Tier.GUARANTEED), world.lines.goal, -1).astype(np.float64)
    return _grouped(cells.item, goal, np.ones(len(cells.item)))


def _budgets(world: World, cells: Cells) -> list[Rows]:
    budget, daily = (b / _MICROS for b in (world.lines.budget_micros, world.lines.daily_budget_micros))
    day = cells.day[cells.cell]
    return [
        _grouped(cells.item, np.where(budget < 0, -1, budget), cells.worth),
        _grouped(cells.item * 7 + day, np.repeat(np.where(daily < 0, -1, daily), 7), cells.worth),
    ]


def _grouped(row: Ints, most: Floats, weight: Floats) -> Rows:
    """One row per number for which `most` is not negative, over the columns that have this number."""
    column = np.flatnonzero(most[row] >= 0)
    used, position = np.unique(row[column], return_inverse=True)
    matrix = coo_array((weight[column], (position, column)), shape=(len(used), len(row))).tocsr()
    return Rows(matrix, most[used])


def _caps(world: World, cells: Cells) -> list[Rows]:
    """A row per capped line item and day, and one for the week."""
    lines, views = world.lines, world.views
    quarter = views.quarter(world.start_us)
    most = np.full((len(lines.items), 8), -1.0)
    for number, caps in enumerate(lines.caps):
        if not caps or lines.tier[number] not in _EARNING:
            continue
        seen = lines.somewhere[views.kind, number] & lines.active[number, quarter]
        for day in range(7):
            most[number, day] = most_under_caps(
                views, seen & (quarter // QUARTERS_PER_DAY == day), caps, world.start_us
            )
        most[number, 7] = most_under_caps(views, seen, caps, world.start_us)
    return [
        _grouped(cells.item * 8 + day, most.ravel(), np.ones(len(cells.item)))
        for day in (cells.day[cells.cell], np.full(len(cells.item), 7))
    ]
