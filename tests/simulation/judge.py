"""A player and a world → an outcome: what was delivered and earned, next to the optimum, and rules broken.

The judge keeps its own books. It sees which line items stood where and when, and checks all pages afterwards
with the world's tables; nothing of what a player believes enters.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from random import Random
from time import perf_counter

import numpy as np

from adserver.catalog.model import Tier
from tests.simulation.cells import worth_of
from tests.simulation.clicklog import ClickLog
from tests.simulation.optimum import PENALTY, Optimum
from tests.simulation.pacing_error import pacing_errors
from tests.simulation.pages import Pages, overspent_micros, violations
from tests.simulation.players import EMPTY, Player
from tests.simulation.traffic import WEEK_US, Floats
from tests.simulation.world import World

MINUTE_US = 60_000_000
#: A guaranteed line item counts as met from this part of its goal on.
MET = 0.99


@dataclass(frozen=True, slots=True)
class Outcome:
    """One week of one player. Percentages are of the optimum, unless they say otherwise."""

    guaranteed_percent: float
    revenue_percent: float
    """Clicks at their true rate × price, for luck with clicks would hide the differences looked for; less
    the clicks that no budget covered."""
    value_percent: float
    met_percent: float
    """Guaranteed line items with at least 99 % of their goal, of all of them."""
    error_uncontested: float
    """Mean pacing error of even guaranteed line items that were met, in points of their goal."""
    error_all: float
    share_error: float
    """Mean distance of sponsorships from their share, in points of requests."""
    over_goal: int
    """Impressions beyond goals."""
    over_budget_micros: int
    unpaid_clicks: int
    """Clicks beyond budgets, which the log marks and nobody pays."""
    violations: dict[str, int]
    filled_percent: float
    """Of all slots."""
    revenue: float
    shortfall: int
    seconds: float
    """Of real time, for the whole week."""


def play(world: World, player: Player, seed: int = 0) -> tuple[Pages, float]:
    """A week of pages filled by a player, and how many seconds that took."""
    views, ctr, slots = world.views, world.ctr.tolist(), range(len(world.site.slot))
    begin = perf_counter()
    player.begin(world, Random(f"{world.plan.name} {seed}"))
    pages, log = Pages.blank(len(views), len(slots)), ClickLog(world)
    minute_us = world.start_us
    for view, (at_us, luck) in enumerate(zip(views.at_us.tolist(), world.luck, strict=True)):
        while minute_us <= at_us:
            player.tick(minute_us)
            minute_us += MINUTE_US
        page = player.page(view)
        lucky = luck.tolist()
        clicks = [s for s in slots if page[s] != EMPTY and lucky[s] < ctr[s][page[s]]]
        pages.filled[view] = page
        if clicks:
            valid = log.valid(at_us, [page[s] for s in clicks])
            pages.clicked[view, clicks] = valid
            pages.unpaid[view, clicks] = np.logical_not(valid)
            clicks = list(compress(clicks, valid))
        player.counted(view, page, clicks)
    while minute_us < world.start_us + WEEK_US:
        player.tick(minute_us)
        minute_us += MINUTE_US
    return pages, perf_counter() - begin


def judge(world: World, optimum: Optimum, pages: Pages, seconds: float = 0.0) -> Outcome:
    """What a week of pages was worth."""
    lines, worth = world.lines, worth_of(world)
    delivered = pages.per_item(len(lines.items)).sum(axis=0)
    guaranteed = lines.of_tier(Tier.GUARANTEED)
    goal, got = lines.goal[guaranteed], delivered[guaranteed]
    unpaid = float(lines.per_click_micros[pages.filled[pages.unpaid]].sum()) / 1e6
    revenue = float((pages.per_item(len(lines.items)) * worth).sum()) - unpaid
    shortfall = int(np.maximum(0, goal - got).sum())
    met = got >= MET * goal
    errors = pacing_errors(world, pages)
    even = np.array([item.pacing == "even" for item in lines.items])[guaranteed]
    return Outcome(
        guaranteed_percent=100 * float(np.minimum(got, goal).sum()) / optimum.guaranteed,
        revenue_percent=100 * revenue / optimum.revenue,
        value_percent=100 * (revenue - PENALTY * shortfall) / optimum.value,
        met_percent=100 * float(met.mean()),
        error_uncontested=_mean(errors[guaranteed][even & met]),
        error_all=_mean(errors[guaranteed][even]),
        share_error=_share_error(world, pages),
        over_goal=int(np.maximum(0, got - goal).sum()),
        over_budget_micros=overspent_micros(world, pages),
        unpaid_clicks=int(pages.unpaid.sum()),
        violations=violations(world, pages),
        filled_percent=100 * float((pages.filled != EMPTY).mean()),
        revenue=revenue,
        shortfall=shortfall,
        seconds=seconds,
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def _share_error(world: World, pages: Pages) -> float:
    """Of all requests for which a sponsorship is eligible, it was sold its share."""
    lines = world.lines
    quarter = world.views.quarter(world.start_us)
    errors = []
    for number in np.flatnonzero(lines.of_tier(Tier.SPONSORSHIP)):
        could = lines.eligible[world.views.kind, :, number] & lines.active[number, quarter][:, None]
        if could.any():
            share = float((pages.filled == number).sum() / could.sum())
            errors.append(100 * abs(share - float(lines.share[number])))
    return float(np.mean(errors)) if errors else 0.0
