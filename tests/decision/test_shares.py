"""Who is shown how often, by weight, by turns, by lot and by share of voice: chi-square, or exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from adserver.catalog.model import Catalog
from adserver.decision.context import Ask, Context, Fill
from adserver.decision.page import draw
from tests.decision.deciding import chi_square, serve, served, steering_of
from tests.newsroom import NOW, catalog_of, image, line_item

TOP, SIDE = Ask("top"), Ask("side")
#: 99.99 % points of the chi-square distribution by degrees of freedom.
LIMITS = {1: 15.14, 2: 18.42, 3: 21.11, 39: 80.6}


class Fixed(Random):
    """Luck that always says the same number from 0 to 1, 1 excluded."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self._number = number

    def random(self) -> float:
        """The number."""
        return self._number


def own(*creatives: dict[str, Any], **keys: Any) -> Catalog:
    """A house line item with some creatives."""
    return catalog_of({"name": "own", "tier": "house", "creative": list(creatives), **keys})


def drawn(catalog: Catalog, count: int, ask: Ask = TOP, seed: int = 1) -> Iterator[str]:
    """Names of the creatives of so many pages."""
    steering, rng = steering_of(catalog, NOW), Random(seed)
    for _ in range(count):
        (fill,) = serve(steering, Context("daily"), [ask], NOW, rng)
        assert isinstance(fill, Fill)
        yield fill.choice.creative.name


def weighted(*weights: int) -> list[dict[str, Any]]:
    return [image(f"c{number}", "728x90", weight=weight) for number, weight in enumerate(weights)]


def fits(counts: Counter[str], shares: Sequence[float]) -> bool:
    """Whether counts of c0, c1… may well come from shares."""
    return chi_square(counts, {f"c{n}": share for n, share in enumerate(shares)}) < LIMITS[len(shares) - 1]


@pytest.mark.parametrize(
    ("edges", "number", "which"),
    [
        ([1.0, 2.0], 0.0, 0),
        ([1.0, 2.0], 0.499999, 0),
        ([1.0, 2.0], 0.5, 1),
        ([1.0, 2.0], 1 - 2**-53, 1),
        ([1.0, 3.0, 4.0], 0.25, 1),
        ([1.0, 3.0, 4.0], 0.75, 2),
        ([1.0, 10_001.0], 0.5 / 10_001, 0),
        ([7.0], 1 - 2**-53, 0),
    ],
)
def test_intervals_are_half_open(edges: list[float], number: float, which: int) -> None:
    """The point on an edge belongs to the interval that begins there: two weights of 1 are ½ and ½."""
    assert draw(edges, Fixed(number)) == which


@pytest.mark.parametrize("weights", [(1, 1), (1, 2, 3), (1, 99), (5000, 5000, 1)])
def test_creatives_are_drawn_in_proportion_to_their_weights(weights: tuple[int, ...]) -> None:
    counts = Counter(drawn(own(*weighted(*weights)), 8000))
    rest = sum(weights)
    if min(weights) * 8000 < 5 * rest:  # too rare for chi-square: hardly ever
        assert counts["c2"] <= 8
        counts.pop("c2", None)
        weights = weights[:2]
    assert fits(counts, [weight / sum(weights) for weight in weights])


def test_weights_count_among_those_that_the_page_can_show() -> None:
    creatives = [*weighted(1, 3), image("wide", "970x250", weight=1000), image("later", "728x90", weight=50)]
    creatives[-1]["approved"] = False
    counts = Counter(drawn(own(*creatives), 4000, Ask("top", width=728)))
    assert set(counts) == {"c0", "c1"}
    assert fits(counts, [0.25, 0.75])


def test_even_rotation_does_not_look_at_weights() -> None:
    assert fits(Counter(drawn(own(*weighted(1, 9, 90), rotation="even"), 6000)), [1 / 3, 1 / 3, 1 / 3])


def test_creatives_in_sequence_follow_each_other_exactly() -> None:
    names = list(drawn(own(*weighted(1, 9, 90), rotation="sequential"), 300))
    assert names == ["c0", "c1", "c2"] * 100


def test_each_line_item_in_sequence_has_its_own_turn() -> None:
    """Two that stand beside each other, one of them on every page and one on every other."""
    items: list[dict[str, object]] = [
        {"name": name, "tier": "house", "rotation": "sequential", "creative": creatives}
        for name, creatives in (
            ("one", [image(f"one-{n}", "728x90") for n in range(2)]),
            ("two", [image(f"two-{n}", "300x250") for n in range(3)]),
        )
    ]
    steering, rng, names = steering_of(catalog_of(*items), NOW), Random(1), []
    for number in range(12):
        asks = [TOP, SIDE] if number % 2 else [TOP]
        for fill in serve(steering, Context("daily"), asks, NOW, rng):
            assert isinstance(fill, Fill)
            names.append(fill.choice.creative.name)
    assert [name for name in names if name.startswith("one")] == ["one-0", "one-1"] * 6
    assert [name for name in names if name.startswith("two")] == ["two-0", "two-1", "two-2"] * 2


def taken(catalog: Catalog, count: int, *, ticks: int = 1, contexts: Sequence[Context] = ()) -> Counter[str]:
    """Who fills `top` on so many pages, which come in several minutes."""
    steering, rng, counts = steering_of(catalog, NOW), Random(2), Counter[str]()
    for tick in range(ticks):
        for number in range(count // ticks):
            context = contexts[number % len(contexts)] if contexts else Context("daily")
            counts[served(serve(steering, context, [TOP], NOW, rng)[0])] += 1
        steering.tick(NOW + timedelta(minutes=tick + 1))
    return counts


def sponsors(*shares: float) -> list[dict[str, Any]]:
    return [line_item(f"c{n}", "sponsorship", "728x90", share=share) for n, share in enumerate(shares)]


@pytest.mark.parametrize("count", [100, 1000])
@pytest.mark.parametrize("shares", [(0.3, 0.3, 0.4), (0.5, 0.5), (0.25, 0.1), (1.0,), (0.05,)])
def test_shares_of_voice_are_exact_and_leave_the_rest(shares: tuple[float, ...], count: int) -> None:
    counts = taken(catalog_of(*sponsors(*shares), line_item("own", "house", "728x90")), count, ticks=5)
    for number, share in enumerate(shares):
        assert abs(counts[f"c{number}"] - share * count) <= 3
    assert counts.total() == count and set(counts) <= {"own", *(f"c{n}" for n in range(len(shares)))}


def test_shares_of_voice_are_of_the_pages_that_each_may_have() -> None:
    """One of half of the slot, and one of half of one section of it."""
    local = line_item("c1", "sponsorship", "728x90", share=0.5, target={"section": ["sport"]})
    catalog = catalog_of(*sponsors(0.5), local, line_item("own", "house", "728x90"))
    contexts = [Context("daily", section) for section in ("sport", "world")]
    counts = taken(catalog, 2000, contexts=contexts)
    assert abs(counts["c0"] - 1000) <= 6
    assert abs(counts["c1"] - 500) <= 6


@pytest.mark.parametrize("tier", ["price", "network", "house"])
def test_equals_draw_lots_also_where_more_are_equal_than_are_ranked(tier: str) -> None:
    """Forty equals, of which one snapshot looks at some: over the minutes each has the same chance."""
    price = {} if tier == "house" else {"price": {"cpm": "1"}}
    catalog = catalog_of(*(line_item(f"c{n}", tier, "728x90", **price) for n in range(40)))
    counts = taken(catalog, 8000, ticks=2000)
    assert fits(counts, [1 / 40] * 40)


def test_equals_are_never_chosen_over_who_pays_more() -> None:
    equal = [line_item(f"c{n}", "price", "728x90", price={"cpm": "1"}) for n in range(3)]
    dear = line_item("dear", "price", "728x90", price={"cpm": "1.01"}, target={"section": ["sport"]})
    contexts = [Context("daily", section) for section in ("sport", "world")]
    counts = taken(catalog_of(*equal, dear), 6000, contexts=contexts)
    assert counts.pop("dear") == 3000
    assert fits(counts, [1 / 3, 1 / 3, 1 / 3])


def test_an_equal_whose_labels_are_taken_has_no_lot() -> None:
    """`side` goes to the bank, so that of two equals in `top` only the one without that label is left."""
    items = [
        line_item("bank", "price", "300x250", price={"cpm": "9"}, labels=["bank"]),
        line_item("rival", "price", "728x90", price={"cpm": "1"}, labels=["bank"]),
        line_item("tea", "price", "728x90", price={"cpm": "1"}),
    ]
    steering, rng = steering_of(catalog_of(*items), NOW), Random(1)
    pages = [serve(steering, Context("daily"), [TOP, SIDE], NOW, rng) for _ in range(50)]
    assert {tuple(served(decision) for decision in page) for page in pages} == {("tea", "bank")}
