"""A small week through the judge: players keep the rules, the judge sees who does not, optima are true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
import pytest

from adserver.catalog.model import Tier
from tests.simulation.baselines import Ground
from tests.simulation.caps import most_under_caps, overruns
from tests.simulation.contest import PLAYERS, VARIANTS
from tests.simulation.judge import judge, play
from tests.simulation.optimum import Optimum, optimum_of, solve
from tests.simulation.pages import Pages, overspent_micros, violations
from tests.simulation.traffic import QUARTERS_PER_DAY, SECTIONS
from tests.simulation.world import Plan, World, make_world

SMALL = Plan(seed=1, scale=0.01, line_items=50)


@cache
def small() -> World:
    return make_world(SMALL)


@cache
def best() -> Optimum:
    return optimum_of(small())


@cache
def week(player: str) -> Pages:
    return play(small(), (PLAYERS | VARIANTS)[player]())[0]


@pytest.mark.parametrize("player", [*PLAYERS, "ours-restarted"])
def test_player_breaks_no_rule_and_delivers_nothing_beyond_what_was_bought(player: str) -> None:
    outcome = judge(small(), best(), week(player))
    assert not any(outcome.violations.values()), outcome.violations
    assert outcome.over_goal == outcome.over_budget_micros == 0
    assert 50 < outcome.guaranteed_percent <= 100
    assert outcome.revenue_percent > 50
    assert outcome.value_percent <= 100


def test_optimum_in_the_repository_is_that_of_this_very_world() -> None:
    kept, fresh = best(), solve(small())
    assert kept.world == fresh.world
    assert kept.guaranteed == pytest.approx(fresh.guaranteed, rel=1e-4)
    assert kept.revenue == pytest.approx(fresh.revenue, rel=1e-4)
    assert kept.shortfall == pytest.approx(fresh.shortfall, abs=1)


def test_one_seed_makes_one_world_and_one_week() -> None:
    again = make_world(SMALL)
    assert again.fingerprint() == small().fingerprint()
    assert again.catalog == small().catalog
    np.testing.assert_array_equal(play(again, PLAYERS["revive"]())[0].filled, week("revive").filled)
    assert make_world(replace(SMALL, seed=2)).fingerprint() != small().fingerprint()


def test_bias_changes_traffic_and_nothing_that_was_booked() -> None:
    poor = make_world(replace(SMALL, bias=-25))
    assert poor.catalog == small().catalog
    assert len(poor.history) == len(small().history)
    assert len(poor.views) == pytest.approx(0.75 * len(small().views), rel=0.05)


def test_one_day_of_two_sections_is_all_that_a_spike_changes() -> None:
    calm = make_world(replace(SMALL, spike=False))
    assert calm.catalog == small().catalog
    places = (len(SECTIONS), 7)
    usual, wild = (
        np.bincount(
            world.views.section.astype(np.int64) * 7
            + world.views.quarter(world.start_us) // QUARTERS_PER_DAY,
            minlength=70,
        ).reshape(places)
        for world in (calm, small())
    )
    _, days = np.nonzero(wild > 1.5 * usual + 10)
    assert len(days) == 2
    assert days[0] == days[1]


def test_market_is_as_described() -> None:
    lines = make_world(Plan(seed=3, scale=0.02)).lines
    counts = {tier: int(lines.of_tier(tier).sum()) for tier in Tier}
    assert counts == {"sponsorship": 9, "guaranteed": 120, "price": 156, "network": 0, "house": 15}
    assert 0.15 < np.mean([bool(caps) for caps in lines.caps]) < 0.35
    assert 0.20 < np.mean([bool(labels) for labels in lines.labels]) < 0.40
    guaranteed = lines.of_tier(Tier.GUARANTEED)
    assert (lines.goal[guaranteed] > 0).all()
    assert lines.eligible.any(axis=(0, 1)).all() and lines.active.any(axis=1).all()


class _Reckless(Ground):
    """Puts the first line item everywhere."""

    def page(self, view: int) -> Sequence[int]:
        """One and the same for all slots."""
        return [0] * len(self.world.site.slot)


def test_judge_sees_every_rule_that_a_reckless_player_breaks() -> None:
    world = small()
    pages, _ = play(world, _Reckless())
    broken = violations(world, pages)
    assert broken["repeats"] == 5 * len(world.views)
    assert broken["targeting, sizes, floors"] > 0
    assert broken["dates"] > 0
    assert judge(world, best(), pages).over_goal == 6 * len(world.views) - world.lines.goal[0]


@pytest.mark.parametrize("rule", ["hours", "labels", "caps", "budget"])
def test_judge_sees_a_single_broken_rule(rule: str) -> None:
    """A kept week is clean; with one line item's limit drawn tighter afterwards, the same week is not."""
    world, pages = small(), week("strict")
    served = pages.per_item(len(world.lines.items)).sum(axis=0)
    price = np.flatnonzero(world.lines.per_impression_micros * served)
    number = int(price[np.argmax(served[price])])
    tightened = _tightened(world, rule, number)
    if rule == "budget":
        assert overspent_micros(tightened, pages) > 0
    else:
        assert violations(tightened, pages)[rule] > 0


def _tightened(world: World, rule: str, number: int) -> World:
    lines = world.lines
    if rule == "hours":
        active = lines.active.copy()
        active[number] = False
        return replace(world, lines=replace(lines, active=active))
    if rule == "budget":
        budget = lines.budget_micros.copy()
        budget[number] = 0
        return replace(world, lines=replace(lines, budget_micros=budget))
    if rule == "labels":
        return replace(world, lines=replace(lines, labels=(frozenset(["one"]),) * len(lines.items)))
    caps = [((1, 7 * 86_400_000_000),) if i == number else own for i, own in enumerate(lines.caps)]
    return replace(world, lines=replace(lines, caps=tuple(caps)))


def test_sliding_window_is_half_open() -> None:
    visitor = np.zeros(3, dtype=np.int64)
    assert overruns(np.array([0, 10, 20]), visitor, [(1, 10)]) == 0
    assert overruns(np.array([0, 9, 20]), visitor, [(1, 10)]) == 1
    assert overruns(np.array([0, 9, 20]), visitor, [(2, 100)]) == 1
    assert overruns(np.array([0, 9, 20]), np.arange(3), [(1, 100)]) == 0


def test_bound_of_caps_is_never_below_what_a_greedy_visitor_gets() -> None:
    world, rng = small(), Random(1)
    seen = np.array([rng.random() < 0.5 for _ in range(len(world.views))])
    caps = [(2, 86_400_000_000), (3, 7 * 86_400_000_000)]
    taken: dict[int, list[int]] = {}
    for at_us, visitor in zip(world.views.at_us[seen], world.views.visitor[seen], strict=True):
        own = taken.setdefault(int(visitor), [])
        if all(len(own) < most or at_us - own[-most] >= window for most, window in caps):
            own.append(int(at_us))
    most = most_under_caps(world.views, seen, caps, world.start_us)
    assert sum(map(len, taken.values())) <= most < seen.sum()
