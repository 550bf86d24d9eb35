"""A catalog → what the world, its judge and simple players look up: numbers per line item, and who may serve.

It reads targeting by itself, value by value and without the server's index: the judge must not share its
mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adserver.catalog.model import Catalog, LineItem, PriceModel, Site, Tier
from adserver.catalog.targeting import Conditions, parse_hours
from adserver.clock import to_us
from tests.simulation.traffic import (
    DEVICES,
    KINDS,
    QUARTER_US,
    QUARTERS,
    START,
    Flags,
    Floats,
    Ints,
    describe_kind,
)

TIERS = tuple(Tier)
_WINDOW_US = {"m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_NEVER_US = 1 << 62
#: More than any goal or budget.
UNLIMITED = 1 << 60
#: Sizes that fit a mobile page; all others fit a desktop's.
MOBILE_SIZES = ("320x50", "320x100", "300x250", "336x280")
DESKTOP_SIZES = ("970x250", "728x90", "300x600", "160x600", "300x250", "336x280")


@dataclass(frozen=True, slots=True)
class Lines:
    """The line items of a catalog in the order of the file; their position there is their number."""

    items: tuple[LineItem, ...]
    tier: Ints
    """Position in `TIERS`."""
    eligible: Flags
    """[kind, slot, line item]: whether targeting, sizes and floor let it serve; time apart."""
    active: Flags
    """[line item, quarter hour]: whether flight and hours let it serve. Both change at whole ones."""
    start_us: Ints
    end_us: Ints
    goal: Ints
    """Impressions, 0 without."""
    per_impression_micros: Ints
    per_click_micros: Ints
    budget_micros: Ints
    """-1 without; so is the next."""
    daily_budget_micros: Ints
    share: Floats
    labels: tuple[frozenset[str], ...]
    caps: tuple[tuple[tuple[int, int], ...], ...]
    """(most impressions, length of the sliding window in µs) of each line item."""

    @property
    def somewhere(self) -> Flags:
        """[kind, line item]: whether it may serve in any slot."""
        return self.eligible.any(axis=1, out=np.empty((len(self.eligible), len(self.items)), dtype=np.bool_))

    def of_tier(self, *tiers: Tier) -> Flags:
        """Whether each line item is of one of these tiers."""
        return np.isin(self.tier, [TIERS.index(tier) for tier in tiers])


def tabulate(catalog: Catalog) -> Lines:
    """Tables of a catalog with one site."""
    (site,) = catalog.site
    items = tuple(item for _, _, item in catalog.line_items())
    goals = [item.goal.impressions or 0 if item.goal else 0 for item in items]
    clicks = [_price(item, PriceModel.CPC) for item in items]
    return Lines(
        items=items,
        tier=np.array([TIERS.index(item.tier) for item in items]),
        eligible=np.stack([eligible_for(site, item) for item in items], axis=-1),
        active=np.stack([active_of(item) for item in items]),
        start_us=np.array([to_us(item.start) if item.start else -_NEVER_US for item in items]),
        end_us=np.array([to_us(item.end) if item.end else _NEVER_US for item in items]),
        goal=np.array(goals, dtype=np.int64),
        per_impression_micros=np.array([_price(item, PriceModel.CPM) // 1000 for item in items]),
        per_click_micros=np.array(clicks, dtype=np.int64),
        budget_micros=np.array([-1 if item.budget is None else item.budget for item in items]),
        daily_budget_micros=np.array(
            [-1 if item.daily_budget is None else item.daily_budget for item in items]
        ),
        share=np.array([item.share or 0.0 for item in items]),
        labels=tuple(frozenset(item.labels) for item in items),
        caps=tuple(
            tuple((cap.impressions, int(cap.per[:-1]) * _WINDOW_US[cap.per[-1]]) for cap in item.caps)
            for item in items
        ),
    )


def asked_sizes(site: Site, device: str) -> tuple[tuple[str, ...], ...]:
    """What a page on this device can show, per slot of the site."""
    fitting = MOBILE_SIZES if device == "mobile" else DESKTOP_SIZES
    return tuple(tuple(size for size in slot.sizes if size in fitting) for slot in site.slot)


def _price(item: LineItem, model: PriceModel) -> int:
    return item.price.micros if item.price and item.price.model is model else 0


def eligible_for(site: Site, item: LineItem) -> Flags:
    """[kind, slot]: whether targeting, sizes and floor let one line item serve."""
    sizes = {creative.size for creative in item.creative}
    table = np.zeros((KINDS, len(site.slot)), dtype=np.bool_)
    asked = {device: asked_sizes(site, device) for device in DEVICES}
    for kind in range(KINDS):
        section, country, device = describe_kind(kind)
        for s, slot in enumerate(site.slot):
            facts = {"slot": slot.name, "section": section, "country": country, "device": device}
            table[kind, s] = (
                _passes(item, facts) and not sizes.isdisjoint(asked[device][s]) and _pays(item, slot.floor)
            )
    return table


def _passes(item: LineItem, facts: dict[str, str]) -> bool:
    wanted, unwanted = item.target, item.target.exclude or Conditions()
    return all(
        (getattr(wanted, name) is None or value in getattr(wanted, name))
        and value not in (getattr(unwanted, name) or ())
        for name, value in facts.items()
    )


def _pays(item: LineItem, floor_micros: int) -> bool:
    """Floors are compared with a CPM; the world sells clicks only where any likely rate pays the floor."""
    cpm = _price(item, PriceModel.CPM)
    return cpm == 0 or cpm >= floor_micros


def active_of(item: LineItem) -> Flags:
    """[quarter hour]: whether flight and hours let one line item serve."""
    at_us = to_us(START) + np.arange(QUARTERS, dtype=np.int64) * QUARTER_US
    active = np.ones(QUARTERS, dtype=np.bool_)
    for edge, sign in ((item.start, 1), (item.end, -1)):
        if edge:
            assert (to_us(edge) - to_us(START)) % QUARTER_US == 0, (
                f"{item.name} changes within a quarter hour"
            )
            active &= (at_us >= to_us(edge)) if sign > 0 else (at_us < to_us(edge))
    if item.target.hours:
        active &= _in_hours(item.target.hours)
    return active


def _in_hours(hours: Sequence[str]) -> Flags:
    admitted = np.zeros(QUARTERS, dtype=np.bool_)
    for text in hours:
        for start, end in parse_hours(text):
            assert start % 15 == end % 15 == 0, f"{text} changes within a quarter hour"
            admitted[start // 15 : end // 15] = True
    return admitted
