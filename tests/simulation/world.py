"""A plan (seed, bias, scale) → a world: a real catalog, its tables, last week's page views and this week's.

What `lines`, `catalog` and `history` say, a server may know. `views` come to it one by one; `ctr`, the
visitors' numbers and the future are the world's own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from adserver.catalog.model import Catalog, Site
from adserver.clock import to_us
from tests.simulation.booking import book
from tests.simulation.market import SLOT_CTR, SLOTS, catalog_of, draw_items
from tests.simulation.tables import Lines, tabulate
from tests.simulation.traffic import (
    HISTORY_START,
    SPIKE_FACTOR,
    START,
    Floats,
    Public,
    Views,
    draw_views,
    expect,
    soar,
    surprise,
)

VIEWS_PER_DAY = 50_000
LINE_ITEMS = 300
#: Clicks per impression that a server expects of everything at first.
EXPECTED_CTR = float(SLOT_CTR.mean())
_CTR_SIGMA = 0.30


@dataclass(frozen=True, slots=True)
class Plan:
    """What a world is drawn from.

    `bias`: percent by which this week's traffic misses the forecast; `spike`: whether two sections soar on
    one of its days.
    """

    seed: int
    bias: int = 0
    scale: float = 1.0
    line_items: int = LINE_ITEMS
    spike: bool = True

    @property
    def name(self) -> str:
        """Short and fit for a file's name."""
        calm = "" if self.spike else "-calm"
        return f"seed{self.seed}-bias{self.bias:+d}-scale{self.scale:g}-items{self.line_items}{calm}"


@dataclass(frozen=True, slots=True)
class World:
    """One week of one site, and the week before."""

    plan: Plan
    catalog: Catalog
    lines: Lines
    history: Views
    views: Views
    ctr: Floats
    """[slot, line item]: true clicks per impression."""
    luck: Floats
    """[view, slot]: an impression is clicked where this is below its `ctr`, whoever plays."""
    start_us: int

    @property
    def site(self) -> Site:
        """The one site."""
        return self.catalog.site[0]

    def fingerprint(self) -> str:
        """A hash of all that the optimum depends on: what the catalog says, not how it is written."""
        lines, views = self.lines, self.views
        digest = hashlib.blake2b(repr(lines.caps).encode(), digest_size=16)
        told = (lines.tier, lines.eligible, lines.active, lines.goal, lines.share)
        money = (lines.per_impression_micros, lines.per_click_micros, lines.budget_micros)
        true = (views.at_us, views.kind, views.visitor, np.round(self.ctr, 9))
        for array in (*told, *money, lines.daily_budget_micros, *true):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def make_world(plan: Plan) -> World:
    """The same world for the same plan. Worlds that differ in bias alone share catalog, history and noise."""
    market, traffic, past, future, clicks = (
        np.random.Generator(np.random.PCG64(seed)) for seed in np.random.SeedSequence(plan.seed).spawn(5)
    )
    forecast = expect(traffic, VIEWS_PER_DAY * plan.scale)
    public = Public(traffic, forecast)
    known = surprise(past, forecast, 1.0)
    history = draw_views(past, forecast, known, public, HISTORY_START)
    items = book(market, draw_items(market, plan.line_items), forecast, history)
    catalog = catalog_of(items)
    rates = surprise(future, forecast, 1 + plan.bias / 100)
    soar(future, rates, SPIKE_FACTOR if plan.spike else 1.0)
    views = draw_views(future, forecast, rates, public, START)
    factors = clicks.lognormal(-(_CTR_SIGMA**2) / 2, _CTR_SIGMA, len(items))
    return World(
        plan=plan,
        catalog=catalog,
        lines=tabulate(catalog),
        history=history,
        views=views,
        ctr=np.minimum(0.5, SLOT_CTR[:, None] * factors[None, :]),
        luck=clicks.random((len(views), len(SLOTS))),
        start_us=to_us(START),
    )
