"""Learned rates: few counts say little, many say all; and within one snapshot nothing changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from statistics import fmean
from sys import getswitchinterval, setswitchinterval
from typing import Any

import numpy as np
import pytest

from adserver.decision.index import EXPECTED_CONVERSION_RATE, Index
from adserver.decision.rates import Rates, Seen
from tests.decision.deciding import index_of
from tests.newsroom import catalog_of, image, line_item

EXPECTED = 0.002
TRIALS = 400


def index(*items: dict[str, Any]) -> Index:
    return index_of(catalog_of(*(items or (clicks("one"),))))


def clicks(name: str, *creatives: str, **keys: Any) -> dict[str, Any]:
    """A line item that is paid by click, in either slot."""
    drawn = [image(creative, "728x90") for creative in creatives or (f"{name}-a",)]
    return {"name": name, "tier": "price", "price": {"cpc": "1"}, "creative": drawn, **keys}


def rates(of: Index, seen: Iterable[Seen] = (), seed: int = 1) -> Rates:
    return Rates(of, seen, Random(seed), expected_ctr=EXPECTED, expected_viewability=0.7)


def ids(of: Index) -> tuple[int, dict[str, int]]:
    """(slot `top`, creatives by name)."""
    creatives = {choice.creative.name: choice.creative_id for own in of.choices for choice in own}
    return of.sites["daily"].slots["top"].id, creatives


def mean_ecpm(of: Index, seen: Iterable[Seen], position: int = 0) -> float:
    """What is expected of a line item in `top`, on average over snapshots."""
    rows, slot = list(seen), of.sites["daily"].slots["top"]
    return fmean(float(rates(of, rows, seed).ecpms(slot)[position]) for seed in range(TRIALS))


def test_nothing_known_is_what_is_expected() -> None:
    assert mean_ecpm(index(), []) == pytest.approx(1000 * EXPECTED, rel=0.15)


@pytest.mark.parametrize("clicked", [0, 40])
def test_few_impressions_of_a_creative_say_little_and_many_say_all(clicked: int) -> None:
    """The slot's rate is known: 1 %. A creative's own is drawn towards it by the weight of some clicks."""
    of = index()
    slot, creatives = ids(of)
    others = Seen(slot, 999, 200_000, 0, 0, 2_000)
    found = [
        mean_ecpm(of, [others, Seen(slot, creatives["one-a"], trials, 0, 0, round(clicked * trials / 1000))])
        for trials in (0, 100, 10_000)
    ]
    own, usual = 1000 * clicked / 1000, 1000 * 0.01
    assert found[0] == pytest.approx(usual, rel=0.15)
    assert min(own, usual) < found[1] < max(own, usual)
    assert abs(found[2] - own) < abs(found[1] - own) < abs(found[0] - own) + 1
    assert found[2] == pytest.approx(own, rel=0.1, abs=0.5)


def test_a_slots_own_rate_is_drawn_towards_what_is_expected() -> None:
    of = index()
    slot, _ = ids(of)
    assert mean_ecpm(of, [Seen(slot, 999, 10, 0, 0, 1)]) < 1000 * 0.01
    assert mean_ecpm(of, [Seen(slot, 999, 100_000, 0, 0, 10_000)]) == pytest.approx(100, rel=0.15)
    elsewhere = [Seen(slot + 1, 999, 100_000, 0, 0, 10_000)]
    assert mean_ecpm(of, elsewhere) == pytest.approx(1000 * EXPECTED, rel=0.15)


def test_what_a_creative_proves_in_one_slot_is_believed_in_the_others() -> None:
    """It is five times as good as its slot. Elsewhere it never stood, where clicks are four times as many."""
    of = index()
    slot, creatives = ids(of)
    side = of.sites["daily"].slots["side"]
    seen = [
        Seen(slot, 999, 10**8, 0, 0, 200_000),
        Seen(side.id, 999, 10**8, 0, 0, 800_000),
        Seen(slot, creatives["one-a"], 50_000, 0, 0, 500),
    ]
    for rows, factor in ((seen[:2], 1.0), (seen, 5.0)):
        found = fmean(float(rates(of, rows, seed).ecpms(side)[0]) for seed in range(TRIALS))
        assert found == pytest.approx(8 * factor, rel=0.15)


def test_a_snapshot_draws_once_for_all_slots() -> None:
    """So that a line item is as lucky in one slot as in the next, by what the slots differ."""
    of = index(clicks("one"), clicks("two"))
    slot, _ = ids(of)
    top, side = (of.sites["daily"].slots[name] for name in ("top", "side"))
    seen = [Seen(slot, 999, 10**6, 0, 0, 2_000), Seen(side.id, 999, 10**6, 0, 0, 8_000)]
    drawn = []
    for seed in range(5):
        snapshot = rates(of, seen, seed)
        np.testing.assert_allclose(snapshot.ecpms(side) / snapshot.ecpms(top), 4, rtol=0.01)
        drawn.append(snapshot.ecpms(top).tolist())
    assert len({value for pair in drawn for value in pair}) == 10


def crowd(slot: int, first: int, clicked: Sequence[int]) -> list[Seen]:
    """Creatives of others, of a thousand impressions each."""
    return [Seen(slot, first + n, 1_000, 0, 0, count) for n, count in enumerate(clicked)]


def test_the_more_alike_creatives_are_the_less_one_is_believed_to_differ() -> None:
    """It has twice the clicks of the others, who have all the same, or are spread by chance, or by much."""
    of = index()
    slot, creatives = ids(of)
    own = Seen(slot, creatives["one-a"], 400, 0, 0, 8)
    luck = np.random.default_rng(1)
    crowds = [
        luck.poisson(10, 200),
        luck.poisson(luck.gamma(4, 2.5, 200)),
        luck.poisson(luck.gamma(1, 10, 200)),
    ]
    found = [mean_ecpm(of, [*crowd(slot, 1000, clicked.tolist()), own]) for clicked in crowds]
    assert 10 < found[0] < found[1] < found[2] < 20


def test_a_few_creatives_say_nothing_of_how_alike_all_are() -> None:
    """Of three that differ by chance alone, or by much, as little is believed as of none."""
    of = index()
    slot, creatives = ids(of)
    own = Seen(slot, creatives["one-a"], 400, 0, 0, 8)
    few = [mean_ecpm(of, [*crowd(slot, 1000, clicked), own]) for clicked in ([10, 10, 10], [0, 5, 25])]
    assert few[0] == pytest.approx(few[1], rel=1e-6)
    many = [mean_ecpm(of, [*crowd(slot, 1000, clicked * 40), own]) for clicked in ([10, 10, 10], [0, 5, 25])]
    assert many[1] > 1.2 * many[0]


def test_pages_that_are_decided_while_a_thread_plans_see_finished_rates() -> None:
    """Both ask the same snapshot for the first time at once, again and again."""
    of = index(*(clicks(f"line-{n:03d}") for n in range(200)))
    slot, creatives = ids(of)
    seen = [Seen(slot, creative, 1_000, 0, 0, creative % 20) for creative in creatives.values()]

    def ask(snapshot: Rates) -> list[float]:
        found: list[float] = snapshot.ecpms(of.sites["daily"].slots["top"]).tolist()
        return found

    before = getswitchinterval()
    setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            for seed in range(60):
                found = list(threads.map(ask, [rates(of, seen, seed)] * 4))
                assert found == [ask(rates(of, seen, seed))] * 4
    finally:
        setswitchinterval(before)


def test_creatives_of_a_line_item_are_taken_as_one() -> None:
    of = index(clicks("one", "a", "b"))
    slot, creatives = ids(of)
    seen = [Seen(slot, creatives["a"], 30_000, 0, 0, 0), Seen(slot, creatives["b"], 10_000, 0, 0, 400)]
    assert mean_ecpm(of, seen) == pytest.approx(10, rel=0.15)


def test_views_are_means_and_what_is_paid_by_impression_is_its_price() -> None:
    viewed = line_item("viewed", "price", "728x90", price={"vcpm": "4"})
    of = index(viewed, line_item("plain", "price", "728x90", price={"cpm": "3"}))
    slot, creatives = ids(of)
    positions = {item.name: position for position, item in enumerate(of.items)}
    top = of.sites["daily"].slots["top"]
    for seed in range(3):
        found = rates(of, seed=seed).ecpms(top)
        assert found[positions["viewed"]] == pytest.approx(4 * 0.7)
        assert found[positions["plain"]] == pytest.approx(3)
    seen = [Seen(slot, creatives["viewed-728x90"], 12_000, 10_000, 9_000, 0)]
    assert rates(of, seen).ecpms(top)[positions["viewed"]] == pytest.approx(4 * 0.9, rel=0.01)


def test_a_snapshot_gives_the_same_answer_whatever_is_asked_in_which_order() -> None:
    of = index(clicks("one", "a", "b"), clicks("two"))
    slots = [of.sites["daily"].slots[name] for name in ("top", "side")]
    choices = [choice for own in of.choices for choice in own]
    asked: list[list[float]] = []
    for order in (1, -1):
        snapshot = rates(of, seed=5)
        found: dict[object, list[float]] = {}
        for slot in slots[::order]:
            found[slot.id] = snapshot.ecpms(slot).tolist()
            for choice in choices[::order]:
                found[slot.id, choice.creative_id] = [snapshot.promise(slot.id, choice) for _ in range(2)]
        asked.append([number for key in sorted(found, key=str) for number in found[key]])
    assert asked[0] == asked[1]
    assert rates(of, seed=6).ecpms(slots[0]).tolist() != rates(of, seed=5).ecpms(slots[0]).tolist()


def test_the_better_creative_is_shown_more_and_more_and_a_new_one_is_tried() -> None:
    """By Thompson sampling: over snapshots the best of three at 0.5, 1 and 2 % takes nearly all."""
    names = ("a", "b", "c")
    of = index(clicks("one", *names, rotation="optimised"))
    slot, creatives = ids(of)
    chosen: list[Counter[str]] = []
    for trials in (0, 400, 50_000):
        seen = [
            Seen(slot, creatives[name], trials, 0, 0, round(trials * rate))
            for name, rate in zip(names, (0.005, 0.01, 0.02), strict=True)
        ]
        counts: Counter[str] = Counter()
        for seed in range(TRIALS):
            snapshot = rates(of, seen, seed)
            promises = {choice.creative.name: snapshot.promise(slot, choice) for choice in of.choices[0]}
            counts[max(promises, key=promises.__getitem__)] += 1
        chosen.append(counts)
    assert all(count > TRIALS / 3 - 50 for count in (chosen[0][name] for name in names))
    assert chosen[0]["c"] < chosen[1]["c"] < chosen[2]["c"]
    assert chosen[1]["a"] + chosen[1]["b"] > 0
    assert chosen[2]["c"] > 0.99 * TRIALS


def test_optimised_for_views_looks_at_views() -> None:
    of = index(clicks("one", "a", "b", rotation="optimised", optimise_for="viewables"))
    slot, creatives = ids(of)
    seen = [
        Seen(slot, creatives["a"], 10_000, 10_000, 9_000, 0),
        Seen(slot, creatives["b"], 10_000, 10_000, 3_000, 500),
    ]
    for seed in range(20):
        snapshot = rates(of, seen, seed)
        a, b = (snapshot.promise(slot, choice) for choice in of.choices[0])
        assert a > b


@pytest.mark.parametrize(
    "row",
    [
        (0, 0, 0, 10),
        (10, 0, 0, 5_000_000),
        (10, 5, 5_000, 10),
        (10**15, 10**15, 10**15, 10**15),
        (1, 0, 0, 0),
    ],
)
def test_whatever_was_counted_rates_are_numbers_above_nothing(row: tuple[int, int, int, int]) -> None:
    """Also where more clicks than impressions were: an image without a script reports only its clicks."""
    of = index(clicks("one"), line_item("viewed", "price", "728x90", price={"vcpm": "4"}))
    slot, creatives = ids(of)
    snapshot = rates(of, [Seen(slot, creative, *row) for creative in creatives.values()])
    found = snapshot.ecpms(of.sites["daily"].slots["top"])
    assert np.isfinite(found).all() and (found > 0).all()
    for position in range(len(of.items)):
        assert 0 < snapshot.per_impression(position) <= 1


def test_conversions_are_learned_from_those_who_are_paid_by_them() -> None:
    """Of whoever is paid otherwise nobody reports orders: those impressions say nothing."""
    of = index(
        line_item("orders", "price", "728x90", price={"cpa": "20"}),
        line_item("plain", "price", "728x90", price={"cpm": "3"}),
    )
    slot, creatives = ids(of)
    position = next(p for p, item in enumerate(of.items) if item.name == "orders")
    assert mean_ecpm(of, [], position) == pytest.approx(1000 * 20 * EXPECTED_CONVERSION_RATE, rel=0.15)
    own = Seen(slot, creatives["orders-728x90"], 10**6, 0, 0, 0, 300)
    others = Seen(slot, creatives["plain-728x90"], 10**9, 0, 0, 0, 0)
    found = mean_ecpm(of, [own, others], position)
    assert found == pytest.approx(1000 * 20 * 0.0003, rel=0.15)
    assert rates(of, [own, others]).mean_ecpm(slot, position) == pytest.approx(6, rel=0.05)
    assert rates(of, [own, others]).per_impression(position) == pytest.approx(0.0003, rel=0.05)


def test_a_creative_that_brings_more_orders_earns_more_than_its_slot() -> None:
    items = [line_item(name, "price", "728x90", price={"cpa": "20"}) for name in ("good", "poor")]
    of = index(*items)
    slot, creatives = ids(of)
    seen = [
        Seen(slot, creatives["good-728x90"], 10**6, 0, 0, 0, 400),
        Seen(slot, creatives["poor-728x90"], 10**6, 0, 0, 0, 40),
    ]
    found = {item.name: mean_ecpm(of, seen, position) for position, item in enumerate(of.items)}
    assert found["good"] == pytest.approx(8, rel=0.15)
    assert found["poor"] == pytest.approx(0.8, rel=0.2)
