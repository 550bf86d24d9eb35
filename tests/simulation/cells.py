"""A world → cells of views that are all alike, and what could stand in them: columns of a linear program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adserver.catalog.model import Tier
from tests.simulation.tables import Lines
from tests.simulation.traffic import QUARTERS, QUARTERS_PER_DAY, Flags, Floats, Ints
from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells, and for each column (a line item in a slot of a cell) where it stands and what it earns."""

    views: Floats
    """[cell]."""
    capacity: Floats
    """[cell, slot]: views less the share of sponsorships."""
    day: Ints
    """[cell]: day of the week."""
    group: Ints
    """[kind]: kinds with the same eligible line items have one group."""
    block: Ints
    """[quarter hour]: number of its stretch of time."""
    cell_of: Ints
    """[group, block]: number of the cell."""
    cell: Ints
    slot: Ints
    item: Ints
    worth: Floats
    """[column]: expected revenue of one impression, in units of money."""


def cut(world: World) -> Cells:
    """Cells of a world, empty ones too, and the columns that can matter."""
    lines = world.lines
    busy = ~lines.of_tier(Tier.HOUSE)
    _, group = np.unique(
        lines.eligible[:, :, busy].reshape(len(lines.eligible), -1), axis=0, return_inverse=True
    )
    group = group.reshape(-1)
    block = _blocks(lines.active)
    first_kind = np.array([int(np.flatnonzero(group == g)[0]) for g in range(int(group.max()) + 1)])
    first_quarter = np.flatnonzero(np.diff(block, prepend=-1))
    cell_of = np.arange(len(first_kind) * len(first_quarter)).reshape(len(first_kind), -1)
    quarter = world.views.quarter(world.start_us)
    where = cell_of[group[world.views.kind], block[quarter]]
    views = np.bincount(where, minlength=cell_of.size).astype(np.float64)
    worth = worth_of(world)
    # [group, block, slot, item]
    open_to = lines.eligible[first_kind][:, None] & lines.active.T[first_quarter][None, :, None]
    shares = (open_to * (lines.share * lines.of_tier(Tier.SPONSORSHIP))).sum(axis=3)
    capacity = views[:, None] * np.maximum(0.0, 1 - shares.reshape(cell_of.size, -1))
    cell, slot, item = np.nonzero(_mattering(lines, open_to, worth).reshape(cell_of.size, *open_to.shape[2:]))
    held = views[cell] > 0
    cell, slot, item = cell[held], slot[held], item[held]
    day = np.tile(first_quarter // QUARTERS_PER_DAY, len(first_kind))
    return Cells(views, capacity, day, group, block, cell_of, cell, slot, item, worth[slot, item])


def worth_of(world: World) -> Floats:
    """[slot, line item]: what an impression earns in the long run, in units of money."""
    lines = world.lines
    worth: Floats = (lines.per_impression_micros + world.ctr * lines.per_click_micros) / 1e6
    return worth


def _blocks(active: Flags) -> Ints:
    """Number of each quarter hour's block: it ends where any line item starts or stops, and at midnight."""
    changes = np.zeros(QUARTERS, dtype=np.bool_)
    changes[1:] = (active[:, 1:] != active[:, :-1]).any(axis=0)
    changes[QUARTERS_PER_DAY::QUARTERS_PER_DAY] = True
    blocks: Ints = np.cumsum(changes)
    return blocks


def _mattering(lines: Lines, open_to: Flags, worth: Floats) -> Flags:
    """Which of the columns an optimum can need.

    Line items with nothing to limit them are needed in a slot only if they are among the best of them, as
    many as there are slots: if a worse one stood there, one of these would be free on some page.
    """
    slots = open_to.shape[2]
    earning = lines.of_tier(Tier.GUARANTEED, Tier.PRICE)
    limited = (lines.goal > 0) | (lines.budget_micros >= 0) | np.array([bool(caps) for caps in lines.caps])
    needed: Flags = open_to & (earning & limited)
    free = np.flatnonzero(earning & ~limited)
    for slot in range(slots):
        best_first = free[np.argsort(-worth[slot, free], kind="stable")]
        there = open_to[:, :, slot, best_first]
        needed[:, :, slot, best_first] = there & (np.cumsum(there, axis=2) <= slots)
    return needed
