"""The pages of a week, as they were filled → sums, and every rule that they break."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.simulation.caps import overruns
from tests.simulation.traffic import QUARTERS_PER_DAY, Flags, Ints
from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Pages:
    """[view, slot]: which line item stood there (-1: none), and whether a click was paid or not."""

    filled: Ints
    clicked: Flags
    unpaid: Flags

    @classmethod
    def blank(cls, views: int, slots: int) -> Pages:
        """Pages with nothing on them."""
        clicks = (np.zeros((views, slots), dtype=np.bool_) for _ in range(2))
        return cls(np.full((views, slots), -1, dtype=np.int64), *clicks)

    def per_item(self, count: int) -> Ints:
        """[slot, line item]: impressions, for `count` line items."""
        return np.stack([np.bincount(slot[slot >= 0], minlength=count) for slot in self.filled.T])


def violations(world: World, pages: Pages) -> dict[str, int]:
    """How often each rule was broken. All must be 0."""
    lines = world.lines
    view, slot = np.nonzero(pages.filled >= 0)
    item = pages.filled[view, slot]
    at_us = world.views.at_us[view]
    quarter = world.views.quarter(world.start_us)[view]
    dated = (at_us >= lines.start_us[item]) & (at_us < lines.end_us[item])
    return {
        "targeting, sizes, floors": int((~lines.eligible[world.views.kind[view], slot, item]).sum()),
        "dates": int((~dated).sum()),
        "hours": int((dated & ~lines.active[item, quarter]).sum()),
        "repeats": _repeats(pages.filled),
        "labels": _label_clashes(world, pages.filled),
        "caps": sum(
            overruns(at_us[item == number], world.views.visitor[view[item == number]], caps)
            for number, caps in enumerate(lines.caps)
            if caps
        ),
    }


def _repeats(filled: Ints) -> int:
    ordered = np.sort(filled, axis=1)
    return int(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).sum())


def _label_clashes(world: World, filled: Ints) -> int:
    """For each label, how many more than one of its line items stood on a page."""
    labels = sorted(set().union(*world.lines.labels))
    clashes = 0
    for label in labels:
        bearing = np.array([*(label in own for own in world.lines.labels), False])
        clashes += int(np.maximum(0, bearing[filled].sum(axis=1) - 1).sum())
    return clashes


def overspent_micros(world: World, pages: Pages) -> int:
    """Micros beyond budgets and daily budgets: of impressions, and of clicks that were counted."""
    lines = world.lines
    view, slot = np.nonzero(pages.filled >= 0)
    item = pages.filled[view, slot]
    spent = lines.per_impression_micros[item] + lines.per_click_micros[item] * pages.clicked[view, slot]
    day = world.views.quarter(world.start_us)[view] // QUARTERS_PER_DAY
    totals = np.zeros((len(lines.items), 7), dtype=np.int64)
    np.add.at(totals, (item, day), spent)
    budget, daily = lines.budget_micros, lines.daily_budget_micros
    over = np.maximum(0, totals.sum(axis=1) - budget) * (budget >= 0)
    over_daily = np.maximum(0, totals - daily[:, None]) * (daily >= 0)[:, None]
    return int(over.sum() + over_daily.sum())
