"""The week to come: samples are moved into it, and who may not serve there, or not all of it, is left out."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest

from adserver.decision.arrays import Floats
from adserver.decision.context import Ask, Context
from adserver.decision.index import Index
from adserver.decision.rates import Rates, Seen
from adserver.decision.week import Sample, Supply, Week
from tests.decision.deciding import index_of, steering_of
from tests.newsroom import NOW, catalog_of, line_item

WEEK = timedelta(days=7)
PAGES = 7000
TOP = (Ask("top"),)


def booking(name: str, **keys: Any) -> dict[str, Any]:
    """A guaranteed line item whose flight is the week to come."""
    fixed: dict[str, Any] = {"start": NOW, "end": NOW + WEEK, "price": {"cpm": "1"}}
    return line_item(name, "guaranteed", "728x90", **{**fixed, "goal": {"impressions": 1000}, **keys})


def samples(count: int, *sections: str, asks: tuple[Ask, ...] = TOP) -> list[Sample]:
    """Page requests spread evenly over the week before, in sections by turns."""
    names = sections or ("world",)
    return [
        Sample(NOW - WEEK + WEEK * (n + 0.5) / count, Context("daily", names[n % len(names)]), asks)
        for n in range(count)
    ]


def rates(index: Index, *seen: Seen) -> Rates:
    return Rates(index, seen, Random(1), expected_ctr=0.001, expected_viewability=0.7)


def supply(
    *items: dict[str, Any], of: list[Sample] | None = None, now: datetime = NOW, seen: tuple[Seen, ...] = ()
) -> Supply:
    """The week of some line items, of whom all with a goal or a budget are asked about."""
    index = index_of(catalog_of(*items))
    rows = [n for n, item in enumerate(index.items) if item.goal or item.budget or item.daily_budget]
    week = Week(index, np.array(rows, dtype=np.int64))
    return week.supply(samples(700) if of is None else of, rates(index, *seen), now, PAGES)


def opportunities(found: Supply) -> Floats:
    """By row."""
    return np.bincount(found.rows, found.weights[found.slots], minlength=1).astype(float, copy=False)


@pytest.mark.parametrize(
    ("keys", "share"),
    [
        ({}, 1.0),
        ({"target": {"section": ["sport"]}}, 0.5),
        ({"target": {"section": ["nowhere"]}}, 0.0),
        ({"target": {"slot": ["side"]}, "creative": line_item("side", "house", "300x250")["creative"]}, 0.0),
        ({"end": NOW + WEEK / 2}, 0.5),
        ({"start": NOW + WEEK / 4}, 0.75),
        ({"start": NOW - WEEK, "end": NOW - WEEK / 2}, 0.0),
        ({"start": NOW + WEEK, "end": NOW + 2 * WEEK}, 0.0),
        ({"paused": True}, 0.0),
        ({"target": {"hours": ["mon-sun 00:00-06:00"]}}, 0.25),
        ({"target": {"hours": ["mon-sun 00:00-06:00"], "section": ["sport"]}}, 0.125),
        ({"target": {"not": {"hours": ["mon-sun 00:00-06:00"]}}}, 0.75),
    ],
)
def test_samples_are_moved_into_the_week_to_come(keys: dict[str, Any], share: float) -> None:
    """What each may take of 7,000 pages, by its targeting, flight and hours there."""
    found = supply(booking("one", **keys), of=samples(1400, "world", "sport"))
    assert opportunities(found)[0] == pytest.approx(PAGES * share, rel=0.02)


@pytest.mark.parametrize("weeks", [0, 1, 3])
@pytest.mark.parametrize("day", [0.5, 6.5])
def test_a_sample_of_any_age_comes_again_on_its_day_of_the_week(weeks: int, day: float) -> None:
    """Also one of another week, and one of this very instant: within the flight of that day, or of none."""
    at = NOW + timedelta(days=day) - WEEK * weeks
    flight = {
        "start": NOW + timedelta(days=day) - timedelta(hours=1),
        "end": NOW + timedelta(days=day, hours=1),
    }
    inside = booking("inside", **flight)
    outside = booking("outside", start=flight["end"], end=NOW + 2 * WEEK)
    found = supply(inside, outside, of=[Sample(at, Context("daily"), TOP)])
    assert found.rows.tolist() == [0]
    now_found = supply(booking("one"), of=[Sample(NOW, Context("daily"), TOP)])
    assert opportunities(now_found).tolist() == [PAGES]


@pytest.mark.parametrize(
    ("sponsors", "left"),
    [
        ([{"share": 0.3}], 0.7),
        ([{"share": 0.3}, {"share": 0.9}], 0.0),
        ([{"share": 0.4, "target": {"section": ["sport"]}}], 1.0),
        ([{"share": 0.4, "end": NOW + WEEK / 2}], 0.8),
        ([{"share": 0.4, "target": {"hours": ["mon-sun 00:00-12:00"]}}], 0.8),
        ([{"share": 0.4, "paused": True}], 1.0),
    ],
)
def test_what_sponsors_take_is_not_there_for_others(sponsors: list[dict[str, Any]], left: float) -> None:
    items = [line_item(f"s{n}", "sponsorship", "728x90", **keys) for n, keys in enumerate(sponsors)]
    found = supply(booking("one"), *items)
    assert opportunities(found)[0] == pytest.approx(PAGES * left, rel=0.02, abs=1e-6)


def test_slots_come_in_the_order_of_time_and_pages_hold_together() -> None:
    """Pages with two slots, given in any order: the first half of the week is that of the first half."""
    both = line_item("x", "house", "728x90", "300x250")["creative"]
    of = samples(40, asks=(Ask("top"), Ask("side")))
    Random(4).shuffle(of)
    found = supply(booking("early", creative=both, end=NOW + WEEK / 2), booking("late", creative=both), of=of)
    early, late = (np.flatnonzero(found.rows == row) for row in (0, 1))
    assert found.slots[early].tolist() == list(range(40))
    assert found.slots[late].tolist() == list(range(80))
    assert (found.slots // 2 == found.pages).all()
    assert found.weights.sum() == pytest.approx(2 * PAGES)


def test_each_is_expected_to_pay_what_it_pays_in_that_slot() -> None:
    """Clicks by what is learned of the slot, impressions as they are priced."""
    clicks = line_item("clicks", "price", "728x90", "300x250", price={"cpc": "1"}, budget="9")
    plain = line_item("plain", "price", "728x90", "300x250", price={"cpm": "3"}, budget="9")
    index = index_of(catalog_of(clicks, plain))
    slots = index.sites["daily"].slots
    seen = (Seen(slots["top"].id, 999, 10**6, 0, 0, 10**4), Seen(slots["side"].id, 999, 10**6, 0, 0, 10**3))
    found = supply(clicks, plain, of=samples(10, asks=(Ask("side"), Ask("top"))), seen=seen)
    name = np.array([item.name for item in index.items])[found.rows]
    by_click = found.ecpms[name == "clicks"].reshape(10, 2)
    np.testing.assert_allclose(by_click[:, 1] / by_click[:, 0], 10, rtol=0.01)
    expected = rates(index, *seen).ecpms(slots["top"])[index.positions[index.item_ids[0]]]
    assert expected in found.ecpms
    np.testing.assert_allclose(found.ecpms[name == "plain"], 3)


@pytest.mark.parametrize(
    ("rivals", "outside"),
    [
        ([], 0.0),
        ([{"price": {"cpm": "2"}}], 2.0),
        ([{"price": {"cpm": "2"}}, {"price": {"cpm": "5"}}], 5.0),
        ([{"price": {"cpm": "2"}}, {"price": {"cpm": "5"}, "budget": "1"}], 2.0),
        ([{"price": {"cpm": "2"}}, {"price": {"cpm": "5"}, "daily_budget": "1"}], 2.0),
        ([{"price": {"cpm": "2"}}, {"price": {"cpm": "5"}, "end": NOW}], 2.0),
        ([{"price": {"cpm": "2"}}, {"price": {"cpm": "5"}, "paused": True}], 2.0),
        ([{"price": {"cpm": "2"}}, {"price": {"cpm": "5"}, "target": {"section": ["sport"]}}], 2.0),
        ([{"price": {"cpm": "2"}, "tier": "network"}], 2.0),
        ([{"tier": "house"}], 0.0),
    ],
)
def test_outside_is_the_best_of_those_that_nothing_limits(
    rivals: list[dict[str, Any]], outside: float
) -> None:
    """Of those who still run and may serve there."""
    items = [{**line_item(f"r{n}", "price", "728x90"), **keys} for n, keys in enumerate(rivals)]
    found = supply(booking("one"), *items, of=samples(20))
    np.testing.assert_allclose(found.outside, np.full(20, outside))


def test_of_too_many_pairs_some_are_looked_at_and_stand_for_all() -> None:
    """Three hundred line items on pages with sixteen slots: half of them in one section of three."""
    third = {"target": {"section": ["sport"]}}
    items = [booking(f"b{n:03d}", **(third if n % 2 else {})) for n in range(300)]
    of, rng = samples(700, asks=TOP * 16), Random(2)
    of = [one._replace(context=Context("daily", rng.choice(["world", "tea", "sport"]))) for one in of]
    few, many = supply(*items, of=of[::10]), supply(*items, of=of)
    assert len(many.rows) < 16 * 700 * (150 + 50)
    for found in (few, many):
        assert found.weights.sum() == pytest.approx(16 * PAGES)
        narrow = np.arange(300) % 2 == 1
        np.testing.assert_allclose(opportunities(found)[~narrow], 16 * PAGES)
        np.testing.assert_allclose(opportunities(found)[narrow], 16 * PAGES / 3, rtol=0.25)


def test_without_anybody_who_could_serve_there_is_nothing() -> None:
    """No samples; only those of unknown sites, or of unknown slots; nobody who is asked about."""
    gone, unknown = Sample(NOW - WEEK / 2, Context("gone"), TOP), Sample(NOW, Context("daily"), (Ask("no"),))
    bare = Sample(NOW - WEEK / 3, Context("daily"), ())
    for of in ([], [gone], [unknown], [gone, unknown, bare]):
        assert len(supply(booking("one"), of=of).rows) == 0
    assert len(supply(line_item("free", "price", "728x90", price={"cpm": "1"})).rows) == 0
    assert len(supply().rows) == 0
    whole = supply(booking("one"), of=[gone, unknown, *samples(30)])
    assert opportunities(whole)[0] == pytest.approx(PAGES * 30 / 31)


def test_the_same_week_asked_again_is_the_same() -> None:
    """What it remembers of pages changes nothing, and an hour later the week begins an hour later."""
    index = index_of(catalog_of(booking("one"), booking("two", end=NOW + WEEK / 2)))
    week, learned = Week(index, np.array([0, 1])), rates(index)
    first, again, later = (
        week.supply(samples(1000, "world", "sport"), learned, at, PAGES) for at in (NOW, NOW, NOW + WEEK / 4)
    )
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert opportunities(later) == pytest.approx(np.array([0.75, 0.25]) * PAGES, rel=0.02)


def test_samples_are_a_fair_picture_of_the_week_and_bounded() -> None:
    """Of ten thousand pages two thousand are kept; later ones replace earlier ones by chance."""
    steering = steering_of(catalog_of(booking("one")), NOW, seed=3)
    rng, at = Random(1), NOW
    for n in range(10_000):
        at = NOW + WEEK * n / 10_000
        steering.note(Context("daily", rng.choice(["world", "world", "sport"])), TOP, at)
    kept = steering.learned.samples
    assert len(kept) == steering.expectations.max_samples
    sport = sum(sample.context.section == "sport" for sample in kept)
    assert sport / len(kept) == pytest.approx(1 / 3, abs=0.05)
    late = sum(sample.at >= NOW + WEEK / 2 for sample in kept)
    assert late / len(kept) == pytest.approx(0.5, abs=0.1)
