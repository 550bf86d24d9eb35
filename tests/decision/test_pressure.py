"""Booking pressure: who is booked beyond what there is must overstate what it needs, and nobody else."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import numpy as np
import pytest

from adserver.decision.arrays import Floats
from adserver.decision.context import Ask, Context
from adserver.decision.pressure import Opportunities, Sample, Week, pressure
from adserver.decision.steering import Learned
from adserver.decision.traffic import Level
from tests.decision.deciding import index_of, steering_of
from tests.newsroom import NOW, catalog_of, line_item

WEEK = timedelta(days=7)
TOP = (Ask("top"),)
ROWS = np.array([0, 1])


def booking(name: str, goal: int = 1000, **keys: Any) -> dict[str, Any]:
    """A guaranteed line item whose flight is the week to come."""
    fixed: dict[str, Any] = {"start": NOW, "end": NOW + WEEK, "price": {"cpm": "1"}}
    return line_item(name, "guaranteed", "728x90", **{**fixed, "goal": {"impressions": goal}, **keys})


def samples(count: int = 700, *sections: str) -> list[Sample]:
    """Page requests spread evenly over the week before, in sections by turns."""
    names = sections or ("world",)
    return [
        Sample(NOW - WEEK + WEEK * (n + 0.5) / count, Context("daily", names[n % len(names)]), TOP)
        for n in range(count)
    ]


def supply(*items: dict[str, Any], pages: int = 7000, of: list[Sample] | None = None) -> Floats:
    """Opportunities in the week to come of the line items, by name, which must sort as they are given."""
    index = index_of(catalog_of(*items))
    rows = np.array([n for n, item in enumerate(index.items) if item.tier == "guaranteed"])
    found = Week(index, rows).opportunities(samples() if of is None else of, NOW, pages)
    by_row: Floats = np.bincount(found.rows, found.weights[found.slots], minlength=len(rows)).astype(float)
    return by_row


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
        ({"target": {"hours": ["mon-sun 00:00-06:00"]}}, 0.25),
        ({"target": {"hours": ["mon-sun 00:00-06:00"], "section": ["sport"]}}, 0.125),
    ],
)
def test_samples_are_moved_into_the_week_to_come(keys: dict[str, Any], share: float) -> None:
    """What each may take of 7,000 pages, by its targeting, flight and hours there."""
    both = samples(1400, "world", "sport")
    found = supply(booking("one", **keys), of=both)
    assert found[0] == pytest.approx(7000 * share, rel=0.02)


@pytest.mark.parametrize(
    ("sponsors", "left"),
    [
        ([{"share": 0.3}], 0.7),
        ([{"share": 0.3}, {"share": 0.9}], 0.0),
        ([{"share": 0.4, "target": {"section": ["sport"]}}], 1.0),
        ([{"share": 0.4, "end": NOW + WEEK / 2}], 0.8),
        ([{"share": 0.4, "paused": True}], 1.0),
    ],
)
def test_what_sponsors_take_is_not_there_for_others(sponsors: list[dict[str, Any]], left: float) -> None:
    items = [line_item(f"s{n}", "sponsorship", "728x90", **keys) for n, keys in enumerate(sponsors)]
    assert supply(booking("one"), *items)[0] == pytest.approx(7000 * left, rel=0.02, abs=1e-6)


def one_slot(pages: int, *rows: int) -> Opportunities:
    """A hundred slots that stand for so many pages, and who may take every one of them."""
    slots = np.repeat(np.arange(100), len(rows))
    return Opportunities(slots, np.tile(np.array(rows), 100), np.full(100, pages / 100))


def test_who_is_undersold_asks_for_what_it_needs() -> None:
    np.testing.assert_array_equal(pressure(one_slot(1000, 0, 1), np.array([300.0, 400.0])), 1)


def test_who_is_oversold_asks_for_more() -> None:
    found = pressure(one_slot(1000, 0, 1), np.array([900.0, 600.0]))
    assert (found > 1.2).all()
    assert (found <= 4).all()


def test_pressure_lies_on_those_who_share_what_is_oversold_and_grows_with_it() -> None:
    """Two want the first slots, and one of them can go elsewhere; a third is alone, with enough."""
    slots = np.repeat(np.arange(300), 2)
    takers = np.array([[0, 1]] * 100 + [[1, 1]] * 100 + [[2, 2]] * 100).ravel()
    once = np.unique(np.stack([slots, takers]), axis=1)
    found = Opportunities(once[0], once[1], np.full(300, 10.0))
    for need, least in ((500.0, 1.0), (900.0, 1.1), (990.0, 1.3)):
        lambdas = pressure(found, np.array([need, 800.0, 500.0]))
        assert lambdas[2] == 1
        assert lambdas[0] >= max(least, 1.0)
        assert lambdas[0] >= lambdas[1]
    got = pressure(found, np.array([400.0, 800.0, 500.0]))
    np.testing.assert_allclose(got, 1, atol=0.15)


@pytest.mark.parametrize("needs", [[0.0, 0.0], [5e12, 3.0], [1e-12, 1e12]])
def test_pressure_stays_within_bounds(needs: list[float]) -> None:
    for found in (one_slot(1000, 0, 1), one_slot(1000, 1), one_slot(0, 0, 1)):
        lambdas = pressure(found, np.array(needs))
        assert ((lambdas >= 1) & (lambdas <= 4)).all()


def test_without_samples_or_without_anybody_who_could_serve_it_is_one() -> None:
    nothing = Week(index_of(catalog_of(booking("one"))), np.array([0])).opportunities([], NOW, 7000)
    np.testing.assert_array_equal(pressure(nothing, np.array([1e6])), 1)
    elsewhere = [Sample(NOW - WEEK / 2, Context("gone"), TOP), Sample(NOW, Context("daily"), (Ask("no"),))]
    index = index_of(catalog_of(booking("one")))
    found = Week(index, np.array([0])).opportunities(elsewhere, NOW, 7000)
    np.testing.assert_array_equal(pressure(found, np.array([1e6])), 1)


@pytest.mark.parametrize(("goal", "pressed"), [(2_000, False), (6_500, True)])
def test_steering_presses_bookings_by_what_it_sampled(goal: int, pressed: bool) -> None:
    """Two bookings of one slot of 7,000 pages a week: as much as there is, or nearly twice that."""
    catalog = catalog_of(booking("one", goal), booking("two", goal))
    for known in (True, False):
        learned = Learned(samples=samples() if known else [], level=Level(7000 / 168 * 48, 48))
        steering = steering_of(catalog, NOW, learned)
        steering.tick(NOW + timedelta(minutes=1))
        lambdas = steering.pacing.pressure
        assert bool((lambdas > 1.2).all()) is (pressed and known)
        assert (lambdas >= 1).all() and ((lambdas == 1).all() or pressed)


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
