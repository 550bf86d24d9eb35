"""One tick after the other: what moves a bid, what does not, and that it is always a number that can win."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.catalog.model import Catalog
from adserver.clock import to_us
from adserver.decision.context import Ask, Context, Fill
from adserver.decision.steering import Steering
from adserver.decision.tally import Tally
from tests.decision.deciding import index_of, steering_of
from tests.newsroom import NOW, catalog_of, line_item
from tests.strategies import catalogs

MINUTE = timedelta(minutes=1)
TOP = (Ask("top"),)


def booking(name: str = "one", goal: int = 10_000, **keys: Any) -> dict[str, Any]:
    """A guaranteed line item that began yesterday and ends in nine days."""
    fixed: dict[str, Any] = {"start": NOW - timedelta(days=1), "end": NOW + timedelta(days=9)}
    fixed |= {"price": {"cpm": "2"}, "goal": {"impressions": goal}}
    return line_item(name, "guaranteed", "728x90", **{**fixed, **keys})


def rival(cpm: str) -> dict[str, Any]:
    return line_item("rival", "price", "728x90", price={"cpm": cpm})


def minute(
    steering: Steering, now: datetime, pages: int, tally: Tally | None = None, *, stored: bool = True
) -> list[str]:
    """A minute with so many pages of one visitor, and a tick; who won."""
    rng, names = Random(to_us(now)), []
    seen = (tally or Tally()) if stored else None
    for number in range(pages):
        at = now + number * MINUTE / pages
        page = steering.decider.decide(Context("daily"), TOP, at, rng, seen)
        subjects = steering.decider.serve(page, at)
        if tally is not None:
            tally.add(subjects, to_us(at) // 1_000_000)
        names += [one.choice.item.name for one in page.decisions if isinstance(one, Fill)]
    steering.tick(now + MINUTE)
    return names


def bid_of(steering: Steering, name: str = "one") -> float:
    names = [item.name for item in steering.pacing.items]
    return float(np.exp(steering.pacing.x[names.index(name)]))


def hour(catalog: Catalog, pages: int, hours: int = 1) -> tuple[list[float], list[str]]:
    """Bids of `one`, minute by minute, and who won."""
    steering, bids, names = steering_of(catalog, NOW), [], []
    bids.append(bid_of(steering))
    for number in range(60 * hours):
        names += minute(steering, NOW + number * MINUTE, pages)
        bids.append(bid_of(steering))
    return bids, names


def test_who_gets_nothing_bids_more_until_it_wins_even_against_the_dearest() -> None:
    bids, names = hour(catalog_of(booking(), rival("400")), 3, hours=30)
    lost = next(number for number, name in enumerate(names) if name == "one") // 3
    assert all(after > before for before, after in pairwise(bids[2:lost]))
    assert bids[lost] > 400
    assert "one" in names[-60:]


def test_who_gets_more_than_it_wants_bids_less() -> None:
    bids, names = hour(catalog_of(booking(goal=500), rival("0.10")), 20)
    assert names.count("one") > 100
    assert bids[-1] < 0.8 * bids[0]


def test_bids_stay_where_nobody_comes_and_where_a_line_item_may_not_serve() -> None:
    later: dict[str, Any] = {"start": NOW + timedelta(days=1), "end": NOW + timedelta(days=2)}
    for item, pages in (
        (booking(), 0),
        (booking(paused=True), 5),
        (booking(**later), 5),
        (booking(end=NOW), 5),
        (booking(target={"section": ["nowhere"]}), 5),
    ):
        bids, names = hour(catalog_of(item, rival("0.10")), pages)
        assert "one" not in names
        assert set(bids) == {bids[0]}


def test_a_tick_at_the_same_instant_and_one_in_the_past_change_nothing() -> None:
    steering = steering_of(catalog_of(booking(), rival("9")), NOW)
    minute(steering, NOW, 5)
    before = bid_of(steering)
    steering.tick(NOW + MINUTE)
    assert bid_of(steering) == before
    steering.tick(NOW - timedelta(hours=3))
    assert bid_of(steering) == before


def test_an_opportunity_is_one_that_the_visitor_and_the_law_allow() -> None:
    """What caps keep away, and visitors who may not be counted, cannot be won: they must not be expected."""
    cap: dict[str, Any] = {"caps": [{"impressions": 2, "per": "1d"}]}
    for keys, stored, expected in ((cap, True, 2), (cap, False, 0), ({}, True, 10), ({}, False, 10)):
        steering = steering_of(catalog_of(booking(**keys), rival("0.01")), NOW)
        minute(steering, NOW, 10, Tally(), stored=stored)
        (memory,) = steering.pacing.memories().values()
        assert round(memory.opportunities) == expected


def test_a_new_catalog_keeps_what_its_line_items_learned() -> None:
    steering = steering_of(catalog_of(booking("one"), booking("two", 70)), NOW)
    for number in range(30):
        minute(steering, NOW + number * MINUTE, 8)
    one, two = bid_of(steering, "one"), bid_of(steering, "two")
    assert one != two
    changed = catalog_of(booking("one", 20_000), booking("two", 70), booking("three"))
    steering.follow(steering.prepare(index_of(changed), NOW + 30 * MINUTE), NOW + 30 * MINUTE)
    assert (bid_of(steering, "one"), bid_of(steering, "two")) == (one, two)
    assert bid_of(steering, "three") == bid_of(steering_of(changed, NOW), "three")


steps = st.lists(
    st.tuples(
        st.sampled_from([timedelta(0), MINUTE, -MINUTE, timedelta(hours=7), timedelta(days=40)]),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=120, deadline=None)
@given(catalog=catalogs(groups=True, pages=True), steps=steps, seed=st.integers(0, 9))
def test_whatever_happens_every_bid_is_a_number_above_nothing(
    catalog: Catalog, steps: Sequence[tuple[timedelta, int, bool]], seed: int
) -> None:
    """Goals of a trillion, budgets and prices of nothing; ticks that come late, twice or too early."""
    now, rng = NOW, Random(seed)
    steering = steering_of(catalog, now, seed=seed)
    for passed, pages, drawn in steps:
        for _ in range(pages if catalog.site else 0):
            site = rng.choice(catalog.site)
            asks = [Ask(slot.name) for slot in site.slot]
            page = steering.decider.decide(Context(site.name), asks, now, rng, Tally())
            steering.decider.serve(page, now)
            steering.note(Context(site.name), tuple(asks), now)
            for fill in page.decisions:
                if drawn and isinstance(fill, Fill):
                    choice = fill.choice
                    day, at = to_us(now) // 86_400_000_000, to_us(now) // 60_000_000
                    steering.count(choice.item_id, "impressions", 1, choice.price_micros, day=day, minute=at)
        now += passed
        steering.tick(now)
        bids, multipliers = steering.pacing.bids()
        assert np.isfinite(bids[~np.isnan(bids)]).all() and (bids[~np.isnan(bids)] > 0).all()
        assert ((multipliers > 0) & (multipliers <= 1)).all()
        assert np.isnan(bids).sum() == len(bids) - steering.pacing.guaranteed.sum()
        scores = [
            steering.decider.standing.scores(s)
            for i in steering.pacing.index.sites.values()
            for s in i.slots.values()
        ]
        assert all(np.isfinite(row).all() for row in scores)
