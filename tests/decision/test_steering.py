"""A plan in service: whose bid it sets, whose haste, and for how long it is anybody's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from adserver.decision.context import Ask, Context
from adserver.decision.ledger import Delivered
from adserver.decision.pacing import Memory
from adserver.decision.plan import Planned
from adserver.decision.rates import Seen
from adserver.decision.steering import Learned, Steering
from adserver.decision.traffic import Level
from adserver.decision.week import Sample
from tests.decision.deciding import index_of, steering_of
from tests.newsroom import NOW, catalog_of, line_item

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
TOP = (Ask("top"),)
PAGES = 7000


def booking(name: str, goal: int = 2000, **keys: Any) -> dict[str, Any]:
    """A guaranteed line item whose flight is the week to come."""
    fixed: dict[str, Any] = {"start": NOW, "end": NOW + WEEK, "price": {"cpm": "3"}}
    return line_item(name, "guaranteed", "728x90", **{**fixed, "goal": {"impressions": goal}, **keys})


def spender(name: str, **keys: Any) -> dict[str, Any]:
    """A line item of tier price with a budget of some kind, at 4 per thousand."""
    return line_item(name, "price", "728x90", price={"cpm": "4"}, **keys)


RIVAL = line_item("rival", "price", "728x90", price={"cpm": "2"})


def learned(**memories: float) -> Learned:
    """A week of samples, seven thousand pages a week, and what some line items bid, by `id_…`."""
    samples = [Sample(NOW - WEEK + WEEK * (n + 0.5) / 700, Context("daily"), TOP) for n in range(700)]
    known = {int(key[3:]): Memory(x) for key, x in memories.items()}
    return Learned(memories=known, level=Level(PAGES / 168 * 48, 48), samples=samples)


def planned(steering: Steering, now: datetime) -> Planned:
    """Plan, and take the plan over."""
    planning = steering.planning(now)
    assert planning, "it is time for a plan"
    found = planning()
    steering.adopt(found, now)
    return found.planned


def x_of(steering: Steering, name: str) -> float:
    return float(steering.pacing.x[[item.name for item in steering.pacing.items].index(name)])


def row_of(steering: Steering, name: str) -> int:
    return [item.name for item in steering.pacing.items].index(name)


def test_who_is_new_bids_by_the_plan_and_who_has_experience_as_it_did() -> None:
    catalog = catalog_of(booking("known"), booking("new"), RIVAL)
    index = index_of(catalog)
    known_id = next(
        id_ for id_, item in zip(index.item_ids, index.items, strict=True) if item.name == "known"
    )
    steering = steering_of(catalog, NOW, learned(**{f"id_{known_id}": 0.123}))
    first = x_of(steering, "new")
    plan = planned(steering, NOW)
    assert x_of(steering, "known") == 0.123
    assert x_of(steering, "new") != first
    assert x_of(steering, "new") == pytest.approx(np.log(plan.levels[row_of(steering, "new")]))
    bids = steering.decider.standing.bids
    assert sorted(bids[~np.isnan(bids)]) == pytest.approx(sorted(np.exp(steering.pacing.x)))


def test_a_plan_sets_a_bid_once_and_a_multiplier_little_by_little() -> None:
    """What a goal bids is then steered by what is served; a budget goes on to be drawn to each new plan."""
    steering = steering_of(catalog_of(booking("one"), spender("two", budget="3"), RIVAL), NOW, learned())
    planned(steering, NOW)
    steering.pacing.x[:] = [1.5, -3.0] if row_of(steering, "one") == 0 else [-3.0, 1.5]
    plan = planned(steering, NOW + HOUR)
    part = np.log(plan.parts[row_of(steering, "two")])
    assert x_of(steering, "one") == 1.5
    assert -3 < x_of(steering, "two") < (part - 3) / 2 < part


def test_who_has_not_begun_follows_each_new_plan() -> None:
    """Until its flight begins; from then on it has a will of its own."""
    item = booking("later", 500, start=NOW + 2 * HOUR)
    steering = steering_of(catalog_of(item, RIVAL), NOW, learned())
    for hour, follows in ((0, True), (1, True), (2, False), (3, False)):
        steering.pacing.x[:] = 2.9
        plan = planned(steering, NOW + hour * HOUR)
        expected = float(np.log(plan.levels[0])) if follows else 2.9
        assert steering.pacing.x.tolist() == pytest.approx([expected])
        assert not follows or abs(expected - 2.9) > 0.5


def test_who_takes_all_it_can_get_bids_on_as_high_as_it_did() -> None:
    items = [booking("one", pacing="asap"), spender("two", budget="3", pacing="asap", end=NOW + WEEK)]
    steering = steering_of(catalog_of(*items, RIVAL), NOW, learned())
    for minute in (1, 2):
        steering.tick(NOW + timedelta(minutes=minute))
        before = steering.pacing.x.tolist()
        assert x_of(steering, "two") == 0
        planned(steering, NOW + minute * HOUR)
        assert steering.pacing.x.tolist() == before


def test_haste_is_the_plans_and_survives_a_new_catalog() -> None:
    """A competitor comes in the middle of the week, so `one` hurries now."""
    catalog = catalog_of(booking("one", 2500), booking("two", 3000, start=NOW + WEEK / 2), RIVAL)
    steering = steering_of(catalog, NOW, learned())
    plan = planned(steering, NOW)
    hurry = float(steering.pacing.haste[row_of(steering, "one")])
    assert steering.pacing.haste.tolist() == plan.haste.tolist()
    assert hurry > 1.15
    steering.follow(steering.prepare(index_of(catalog), NOW + HOUR / 2), NOW + HOUR / 2)
    assert float(steering.pacing.haste[row_of(steering, "one")]) == hurry


def test_a_plan_for_an_old_catalog_is_nobodys() -> None:
    """A new one came while it was made: nothing of it is taken over, and the next tick makes another."""
    steering = steering_of(catalog_of(booking("one"), RIVAL), NOW, learned())
    planning = steering.planning(NOW)
    assert planning
    steering.follow(steering.prepare(index_of(catalog_of(booking("one"), booking("two"), RIVAL)), NOW), NOW)
    before, standing = steering.pacing.x.tolist(), steering.decider.standing
    steering.adopt(planning(), NOW)
    assert steering.pacing.x.tolist() == before
    assert steering.decider.standing is standing
    planned(steering, NOW + timedelta(minutes=1))
    assert steering.pacing.x.tolist() != before


def test_planning_is_for_once_an_hour_and_changes_nothing() -> None:
    steering = steering_of(catalog_of(booking("one"), RIVAL), NOW, learned())
    before = steering.pacing.x.tolist(), steering.pacing.haste.tolist()
    planning = steering.planning(NOW)
    assert planning
    one, other = planning(), planning()
    assert (steering.pacing.x.tolist(), steering.pacing.haste.tolist()) == before
    for column, again in zip(one.planned, other.planned, strict=True):
        np.testing.assert_array_equal(column, again)
    assert steering.planning(NOW + HOUR - timedelta(seconds=1)) is None
    assert steering.planning(NOW + HOUR) is not None
    assert steering_of(catalog_of(booking("one")), NOW).planning(NOW) is None, "nobody ever came"


def test_samples_older_than_a_week_are_forgotten() -> None:
    steering = steering_of(catalog_of(booking("one")), NOW, learned())
    later = NOW + 3 * DAY
    assert steering.planning(later)
    assert len(steering.learned.samples) == pytest.approx(400, abs=1)
    assert all(later - sample.at <= WEEK for sample in steering.learned.samples)
    assert steering.planning(NOW + 8 * DAY) is None
    assert steering.learned.samples == []


def needs(item: dict[str, Any], *delivered: Delivered) -> float:
    """What a line item asks of the week to come."""
    steering = steering_of(catalog_of(item), NOW, learned())
    steering.ledger.restate(delivered)
    (need,) = steering.pacing.booked(steering.ledger).needs
    return float(need)


def test_a_goal_asks_for_what_is_left_of_it_in_this_week() -> None:
    """And for some more, as fewer pages may come: as much more for everybody."""
    whole = needs(booking("one", 1000))
    assert 1000 <= whole <= 1500
    assert needs(booking("one", 1000, end=NOW + 2 * WEEK)) == pytest.approx(whole / 2)
    assert needs(booking("one", 1000, start=NOW + WEEK / 2, end=NOW + 1.5 * WEEK)) == pytest.approx(whole / 2)
    assert needs(booking("one", 1000, start=NOW - WEEK)) == pytest.approx(whole)
    item_id = index_of(catalog_of(booking("one"))).item_ids[0]
    assert needs(booking("one", 1000), Delivered(item_id, 400)) == pytest.approx(whole * 0.6)
    assert needs(booking("one", 1000), Delivered(item_id, 4000)) == 0
    assert needs(booking("one", 1000, paused=True)) == 0


@pytest.mark.parametrize(
    ("keys", "money"),
    [
        ({"budget": "10"}, 10),
        ({"budget": "10", "end": NOW + 2 * DAY}, 10),
        ({"budget": "10", "end": NOW + 2 * WEEK}, 5),
        ({"daily_budget": "2"}, 14),
        ({"daily_budget": "2", "end": NOW + 2 * WEEK}, 14),
        ({"daily_budget": "2", "end": NOW + 2 * DAY}, 4),
        ({"daily_budget": "2", "start": NOW + 3 * DAY, "end": NOW + 2 * WEEK}, 8),
        ({"daily_budget": "2", "budget": "10", "end": NOW + 2 * WEEK}, 5),
        ({"daily_budget": "2", "budget": "100"}, 14),
    ],
)
def test_a_budget_asks_for_what_may_be_spent_in_this_week(keys: dict[str, Any], money: float) -> None:
    """In currency units times a thousand, as what a thousand impressions pay is counted."""
    assert needs(spender("one", **keys)) == pytest.approx(1000 * money)


def test_a_week_is_planned_from_enough_samples_as_soon_as_there_are() -> None:
    """A new server plans within minutes of its first readers, not an hour later."""
    few = Learned(level=Level(PAGES / 168 * 48, 48), samples=learned().samples[:49])
    steering = steering_of(catalog_of(booking("one"), RIVAL), NOW, few)
    assert steering.planning(NOW + HOUR / 60) is None
    steering.learned.samples = learned().samples[:60]
    assert steering.planning(NOW + HOUR / 30) is not None
    assert steering.planning(NOW + HOUR / 20) is None


def test_rates_that_are_known_at_the_start_are_used_at_once() -> None:
    clicks = line_item("clicks", "price", "728x90", price={"cpc": "1"})
    steering = steering_of(catalog_of(clicks), NOW)
    slot = steering.decider.index.sites["daily"].slots["top"]
    (choice,) = steering.decider.index.choices[0]
    before = float(steering.decider.standing.scores(slot)[0])
    steering.learned.seen = [Seen(slot.id, choice.creative_id, 10_000, 0, 0, 500)]
    steering.learn_rates(NOW)
    assert float(steering.decider.standing.scores(slot)[0]) > 10 * before
