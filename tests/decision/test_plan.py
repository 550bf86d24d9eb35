"""The plan of the week: everybody gets what it needs where it is cheapest, and who has to hurry is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from adserver.decision.arrays import Floats
from adserver.decision.plan import Booked, Planned, plan
from adserver.decision.week import Supply

SLOTS = 400
EACH = 10.0
#: Opportunities of a row that may take every slot.
ALL = SLOTS * EACH
EVERY = range(SLOTS)


def week(*taken: Sequence[int], outside: float | Floats = 1.0, pay: float | Floats = 3.0) -> Supply:
    """One slot a page, and the slots that each row may take, in the order of time.

    `pay`: of a thousand impressions in each slot.
    """
    pairs = sorted((slot, row) for row, slots in enumerate(taken) for slot in slots)
    slots, rows = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    pays = np.broadcast_to(np.asarray(pay, dtype=float), SLOTS)
    outsides = np.broadcast_to(np.asarray(outside, dtype=float), SLOTS).copy()
    return Supply(slots, np.full(SLOTS, EACH), outsides, rows, slots.copy(), pays[slots])


def booked(*needs: float, **keys: Any) -> Booked:
    """Guaranteed line items, each worth 25 per thousand, unless said otherwise."""
    count = len(needs)
    fixed: dict[str, Any] = {
        "guaranteed": np.ones(count, dtype=bool),
        "worth": np.full(count, 25.0),
        "repeat": np.zeros(count, dtype=bool),
        "unit": 1.0,
        "levels": None,
    }
    given = {key: np.array(value) if isinstance(value, list) else value for key, value in keys.items()}
    return Booked(np.array(needs, dtype=float), **{**fixed, **given})


def won(supply: Supply, planned: Planned) -> Floats:
    """What each row would get by an auction at its level, of fixed price and luck of a fifth either way."""
    luck = np.random.default_rng(1).normal(0, 0.2, (50, len(supply.rows)))
    got = np.zeros(len(planned.levels))
    for tries in luck:
        bids = planned.levels[supply.rows] * np.exp(tries)
        best = np.zeros(SLOTS)
        np.maximum.at(best, supply.slots, bids)
        winning = (bids == best[supply.slots]) & (bids > supply.outside[supply.slots])
        got += np.bincount(supply.rows[winning], minlength=len(got)) * EACH / len(luck)
    return got


def test_one_that_is_alone_delivers_evenly_and_need_not_hurry() -> None:
    for need in (0.01, 0.3, 0.9):
        planned = plan(week(EVERY), booked(need * ALL))
        assert planned.haste[0] == pytest.approx(1, abs=0.01)
        assert planned.asking.tolist() == [True]
        assert planned.parts.tolist() == [1]


def test_the_more_one_needs_the_more_it_bids() -> None:
    levels = [float(plan(week(EVERY), booked(need * ALL)).levels[0]) for need in (0.3, 0.6, 0.9, 1.5)]
    assert levels == sorted(levels)
    assert levels[-1] == 25, "what cannot be met bids all that it is worth"


def test_who_are_undersold_bid_about_what_others_pay() -> None:
    """Two who need half of what there is: the dearer the others, the more they bid, and neither its worth."""
    levels = np.array(
        [plan(week(EVERY, EVERY, outside=price), booked(0.2 * ALL, 0.3 * ALL)).levels for price in (1.0, 6.0)]
    )
    np.testing.assert_allclose(levels[1] - levels[0], 5, atol=1)
    assert (levels[0] < 5).all() and (levels[0] > 0).all()
    supply = week(EVERY, EVERY)
    calm = plan(supply, booked(0.2 * ALL, 0.3 * ALL))
    assert won(supply, calm).sum() > 0.5 * ALL
    np.testing.assert_allclose(calm.haste, 1, atol=0.02)


def test_who_can_go_elsewhere_leaves_what_is_contested_to_who_cannot() -> None:
    """Undersold together: the one that has only the first half must win there, and bids more."""
    supply = week(range(SLOTS // 2), EVERY)
    planned = plan(supply, booked(0.4 * ALL, 0.4 * ALL))
    assert planned.levels[0] > planned.levels[1] + 0.5
    assert won(supply, planned)[0] >= 0.4 * ALL
    assert planned.haste[1] < 0.8


def test_who_are_oversold_bid_up_to_what_they_are_worth_and_the_one_worth_more_wins() -> None:
    supply = week(EVERY, EVERY)
    for need in (0.8, 1.5):
        planned = plan(supply, booked(need * ALL, need * ALL, worth=[12.0, 30.0]))
        assert planned.levels[0] == pytest.approx(12, rel=0.02)
        assert planned.levels[1] > planned.levels[0]
        assert planned.levels[1] <= 30
        got = won(supply, planned)
        assert got[1] > got[0]


@pytest.mark.parametrize("need", [0.35, 0.45])
def test_whose_slots_are_contested_later_hurries_now(need: float) -> None:
    """A competitor that takes most from the middle of the week on."""
    planned = plan(week(EVERY, range(SLOTS // 2, SLOTS)), booked(need * ALL, 0.45 * ALL))
    assert planned.haste[0] > 1.2
    assert planned.haste[1] == pytest.approx(1, abs=0.1)


def test_who_runs_on_after_others_have_gone_waits() -> None:
    planned = plan(week(EVERY, range(SLOTS // 2)), booked(0.4 * ALL, 0.45 * ALL))
    assert planned.haste[0] < 0.6
    assert planned.haste[1] == pytest.approx(1, abs=0.1)


def test_what_is_cheap_first_is_taken_first() -> None:
    """Where others pay eight at once and nothing later it waits, and the other way round it hurries."""
    dear = np.where(np.arange(SLOTS) < SLOTS // 2, 8.0, 0.0)
    hasty, calm = (plan(week(EVERY, outside=o), booked(0.3 * ALL)).haste[0] for o in (dear[::-1], dear))
    assert calm < 0.9 < 1.1 < hasty


def test_few_slots_soon_say_little_of_haste() -> None:
    """The same week as before, of which only every twentieth slot is known."""
    known = plan(week(EVERY, range(SLOTS // 2)), booked(0.4 * ALL, 0.45 * ALL)).haste[0]
    some = range(0, SLOTS, 20)
    few = plan(week(some, some[: len(some) // 2]), booked(0.4 * ALL / 20, 0.45 * ALL / 20)).haste[0]
    assert (1 + known) / 2 < few < 1


def budget(part: float, pay: float | Floats = 3.0, outside: float = 1.0) -> tuple[float, float]:
    """Part and level of a row without a goal, whose budget pays for such a part of what it could take."""
    supply = week(EVERY, outside=outside, pay=pay)
    all_of_it = float(np.sum(supply.ecpms) * EACH)
    planned = plan(supply, booked(part * all_of_it, guaranteed=[False], worth=[0.0]))
    assert 0 < planned.parts[0] <= 1
    assert planned.haste[0] == 1
    return float(planned.parts[0]), float(planned.levels[0])


def test_a_budget_bids_in_full_only_if_it_is_large_enough() -> None:
    parts = [budget(part)[0] for part in (0.02, 0.2, 0.5, 3.0)]
    assert parts == sorted(parts)
    assert parts[0] < 0.7
    assert parts[-1] == 1


def test_a_small_budget_is_held_back_near_what_others_pay() -> None:
    """Not below, where it would win nothing, and not far above, where it would be gone at once."""
    for outside in (1.0, 2.0):
        assert budget(0.1, outside=outside)[1] == pytest.approx(outside, abs=0.75)


def test_what_a_level_means_follows_the_prices() -> None:
    """In a currency of a hundredth of the value everything is a hundred times as much, and parts the same."""
    supply, needs = week(EVERY, EVERY), np.array([0.3, 0.4]) * ALL
    large = supply._replace(outside=supply.outside * 100, ecpms=supply.ecpms * 100)
    keys: dict[str, Any] = {"guaranteed": [True, False]}
    one = plan(supply, booked(needs[0], needs[1], **keys))
    other = plan(large, booked(needs[0], needs[1] * 100, worth=[2500.0, 2500.0], unit=100.0, **keys))
    np.testing.assert_allclose(other.levels, one.levels * 100)
    np.testing.assert_allclose(other.parts, one.parts)
    np.testing.assert_allclose(other.haste, one.haste)


def test_nobody_stands_twice_on_a_page_unless_it_may_repeat() -> None:
    """Pages with four slots: a quarter of them is there for who may not, and no more to be had."""
    single = week(EVERY)
    supply = single._replace(pages=single.slots // 4)
    for need, once, often in ((0.2, False, False), (0.6, True, False), (1.2, True, True)):
        levels = [plan(supply, booked(need * ALL, repeat=[repeat])).levels[0] for repeat in (False, True)]
        assert [level == 25 for level in levels] == [once, often]


def test_with_the_levels_of_before_it_comes_to_the_same() -> None:
    """Also where they come from another week, and whether too high or too low."""
    supply = week(range(SLOTS // 2), EVERY, range(SLOTS // 4, SLOTS))
    fixed: dict[str, Any] = {"guaranteed": [True, True, False]}
    needs = (0.3 * ALL, 0.35 * ALL, 0.5 * ALL)
    fresh = plan(supply, booked(*needs, **fixed))
    for before in (fresh.levels, fresh.levels * 1.5, fresh.levels / 1.5, np.zeros(3), np.full(3, 24.0)):
        levels = before
        for _ in range(4):
            again = plan(supply, booked(*needs, levels=levels, **fixed))
            levels = again.levels
        np.testing.assert_allclose(again.levels, fresh.levels, rtol=0.05, atol=0.1)
        np.testing.assert_allclose(again.haste, fresh.haste, rtol=0.05)


def test_what_nothing_can_be_said_of_is_left_alone() -> None:
    """Nothing needed, nothing there, or nobody at all."""
    planned = plan(week(EVERY, []), booked(0.0, 100.0))
    assert planned.asking.tolist() == [False, False]
    assert planned.haste.tolist() == [1, 1]
    assert np.isfinite(planned.levels).all()
    empty = plan(week(), booked())
    assert [len(column) for column in empty] == [0, 0, 0, 0]
    nothing = Supply(*(np.zeros(0, dtype=kind) for kind in (int, float, float, int, int, float)))
    planned = plan(nothing, booked(5.0, 7.0, guaranteed=[True, False]))
    assert planned.asking.tolist() == [False, False]
    assert planned.haste.tolist() == [1, 1]
    assert ((planned.parts > 0) & (planned.parts <= 1)).all()


@pytest.mark.parametrize(
    "needs", [[0.0, 0.0, 0.0], [1e12, 3.0, 1e12], [1e-12, 1e12, 1e-12], [1e12, 1e12, 0.0]]
)
@pytest.mark.parametrize("weight", [0.0, 1e-9, EACH, 1e9])
@pytest.mark.parametrize("price", [0.0, 1e-6, 3.0, 1e9])
def test_whatever_is_asked_all_stays_finite(needs: list[float], weight: float, price: float) -> None:
    """Slots that sponsors take whole, prices of nothing, and goals of a trillion."""
    supply = week(EVERY, EVERY, range(9), pay=price, outside=price)
    supply = supply._replace(weights=np.full(SLOTS, weight))
    planned = plan(supply, booked(*needs, guaranteed=[True, True, False]))
    assert np.isfinite(planned.levels).all() and (planned.levels >= 0).all()
    assert np.isfinite(planned.haste).all() and (planned.haste > 0).all()
    assert ((planned.parts > 0) & (planned.parts <= 1)).all()
    assert (planned.levels <= np.array([25.0, 25.0, max(price, 1e-9)]) * (1 + 1e-9)).all()
