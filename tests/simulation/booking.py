"""Line items and a forecast → goals and budgets, as a sales team would promise them.

The guaranteed ones are promised 70 % of the forecast supply, and a cluster of them more of the best slot than
there is. Capped ones are promised less, by what last week's visitors would have let through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adserver.catalog.model import Goal, LineItem, Tier
from adserver.clock import to_us
from tests.simulation.caps import most_under_caps
from tests.simulation.market import BEST_SLOT, SLOT_CTR, SLOTS, catalog_of
from tests.simulation.tables import Lines, tabulate
from tests.simulation.traffic import HISTORY_START, QUARTERS_PER_DAY, Flags, Floats, Forecast, Ints, Views

GUARANTEED_SHARE = 0.70
OVERSOLD = 1.1
"""Demand for the best slot as a share of its supply."""
BUDGET_SHARE = 0.35
"""Impressions that all budgets could buy, as a share of the supply."""
#: No line item is promised more than this share of what it could have alone.
_MOST_OF_OWN = 0.45
_SPREAD = 0.7
_DAILY, _CENT = 0.40, 10_000


@dataclass(frozen=True, slots=True)
class Supply:
    """Forecast opportunities of each line item."""

    slots: Floats
    """[line item, slot]."""
    pages: Floats
    """[line item]: pages on which it could stand once."""
    per_slot: float
    """Page views of the week, that is, the supply of one slot."""


def book(
    rng: np.random.Generator, items: Sequence[LineItem], forecast: Forecast, history: Views
) -> list[LineItem]:
    """The same line items with goals and budgets."""
    lines = tabulate(catalog_of(items))
    supply = _supply(lines, forecast, history)
    goals, budgets = _goals(rng, lines, supply), _budgets(rng, lines, supply)
    booked = []
    for number, item in enumerate(items):
        if item.tier is Tier.GUARANTEED:
            booked.append(item.model_copy(update={"goal": Goal(impressions=int(goals[number]))}))
        elif item.budget is not None:
            amount = float(budgets[number])
            booked.append(item.model_copy(update=_money(rng, amount, lines.active[number])))
        else:
            booked.append(item)
    return booked


def _supply(lines: Lines, forecast: Forecast, history: Views) -> Supply:
    rates = forecast.by_kind()
    # [line item, kind]: views while it is active.
    views = lines.active.astype(np.float64) @ rates.T
    slots = np.einsum("ik,ksi->is", views, lines.eligible.astype(np.float64))
    pages = np.einsum("ik,ki->i", views, lines.somewhere.astype(np.float64))
    for number, caps in enumerate(lines.caps):
        if caps:
            seen = _seen(lines, history, number)
            let = most_under_caps(history, seen, caps, to_us(HISTORY_START)) / max(1, seen.sum())
            pages[number] *= let
    return Supply(slots, pages, float(rates.sum()))


def _seen(lines: Lines, history: Views, number: int) -> Flags:
    """Last week's views on which a line item could have stood, had its flight been a week earlier."""
    quarter = history.quarter(to_us(HISTORY_START))
    seen: Flags = lines.somewhere[history.kind, number] & lines.active[number, quarter]
    return seen


def _goals(rng: np.random.Generator, lines: Lines, supply: Supply) -> Ints:
    """Whole goals by number, 0 for those that have none."""
    guaranteed = lines.of_tier(Tier.GUARANTEED)
    only_best = (supply.slots > 0).sum(axis=1) == 1
    cluster = guaranteed & only_best & (supply.slots[:, BEST_SLOT] > 0)
    wishes = rng.lognormal(0.0, _SPREAD, len(lines.items)) * supply.pages * guaranteed
    most = _MOST_OF_OWN * supply.pages
    spread = supply.slots / np.maximum(1e-9, supply.slots.sum(axis=1, keepdims=True))
    total = GUARANTEED_SHARE * supply.per_slot * len(SLOTS)
    goals = np.zeros(len(wishes))
    for _ in range(20):
        beside = float((goals * ~cluster * spread[:, BEST_SLOT]).sum())
        goals[cluster] = _scaled(wishes[cluster], 2 * most[cluster], OVERSOLD * supply.per_slot - beside)
        others = guaranteed & ~cluster
        goals[others] = _scaled(wishes[others], most[others], total - float(goals[cluster].sum()))
    return np.maximum(1, np.round(goals)).astype(np.int64) * guaranteed


def _scaled(wishes: Floats, most: Floats, total: float) -> Floats:
    """Wishes times one factor, none above its most, with this sum (or all at their most)."""
    low, high = 0.0, 1e3
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(wishes * middle, most).sum() < total else (low, middle)
    scaled: Floats = np.minimum(wishes * low, most)
    return scaled


def _budgets(rng: np.random.Generator, lines: Lines, supply: Supply) -> Floats:
    """Micros by number: together they want so many impressions that prices decide who gets them."""
    limited = lines.budget_micros >= 0
    wishes = rng.lognormal(0.0, _SPREAD, len(lines.items)) * supply.pages * limited
    wanted = BUDGET_SHARE * supply.per_slot * len(SLOTS)
    impressions = _scaled(wishes, _MOST_OF_OWN * supply.pages, wanted)
    micros: Floats = impressions * (lines.per_impression_micros + lines.per_click_micros * SLOT_CTR.mean())
    return micros


def _money(rng: np.random.Generator, micros: float, active: Flags) -> dict[str, int]:
    """A budget, at times with a daily one that leaves room for a better and a worse day."""
    budget = max(1, round(micros / _CENT)) * _CENT
    if rng.random() >= _DAILY:
        return {"budget": budget}
    days = int(active.reshape(-1, QUARTERS_PER_DAY).any(axis=1).sum())
    daily = max(1, round(micros / days * rng.uniform(1.0, 1.6) / _CENT)) * _CENT
    return {"budget": budget, "daily_budget": min(daily, budget)}
