"""What a decider remembers only saves work: a new one, that remembers nothing, decides the same page."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adserver.catalog.model import Catalog
from adserver.clock import to_ms
from adserver.decision.context import Ask, Context
from adserver.decision.memo import Page
from adserver.decision.page import Decider
from adserver.decision.steering import Steering
from adserver.decision.tally import Tally
from tests import strategies as words
from tests.decision.asking import asks, busy, contexts, eager
from tests.decision.deciding import steering_of
from tests.newsroom import NOW, catalog_of, image, line_item

PAGES = 40


def decided_alike(
    steering: Steering, context: Context, asked: list[Ask], now: datetime, luck: Random, tally: Tally | None
) -> Page:
    """Decide and serve a page, and compare it with what a new decider would have made of it."""
    same = Random(0)
    same.setstate(luck.getstate())
    known = steering.decider
    page = known.decide(context, asked, now, luck, tally)
    fresh = Decider(known.index, steering.ledger, known.standing, max_memo=100)
    again = fresh.decide(context, asked, now, same, tally)
    assert page.decisions == again.decisions
    assert [place for _, place in page.placed] == [place for _, place in again.placed]
    assert [(t.place, t.owner, t.winner) for t in page.turns] == [
        (t.place, t.owner, t.winner) for t in again.turns
    ]
    assert (page.blocked, page.stored) == (again.blocked, again.stored)
    assert luck.getstate() == same.getstate()
    subjects = known.serve(page, now)
    if tally is not None:
        tally.add(subjects, to_ms(now) // 1000)
    return page


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(draws=st.data(), seed=st.integers(0, 1000))
def test_a_new_decider_decides_the_same_pages(draws: st.DataObject, seed: int) -> None:
    """A few pages that come again and again, by visitors with and without a tally."""
    catalog: Catalog = draws.draw(words.catalogs(groups=True, pages=True) | eager() | st.just(busy()))
    if not catalog.site:
        return
    pages = [draws.draw(contexts(catalog)) for _ in range(2)]
    asked = [(context, draws.draw(asks(catalog, context.site))) for context in pages]
    rng, luck, now = Random(seed), Random(seed), words.NOW
    steering = steering_of(catalog, now, seed=seed)
    tallies: list[Tally | None] = [None, Tally(), Tally()]
    for _ in range(PAGES):
        now += timedelta(seconds=rng.choice([0, 1, 7]))
        if rng.random() < 0.1:
            steering.tick(now)
        context, slots = rng.choice(asked)
        decided_alike(steering, context, slots, now, luck, rng.choice(tallies))


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_pages_with_sponsors_are_remembered(share: float) -> None:
    """Whoever's turn it is, the rest of the page is decided once, and goes by room as it is now."""
    flight: dict[str, Any] = {"start": NOW - timedelta(days=1), "end": NOW + timedelta(days=9)}
    goal: dict[str, Any] = {**flight, "goal": {"impressions": 20}, "price": {"cpm": "9"}}
    items = [
        line_item("voice", "sponsorship", "728x90", share=share, labels=["bank"]),
        line_item("bank", "price", "728x90", price={"cpm": "3"}, labels=["bank"]),
        line_item("tea", "price", "728x90", "300x250", price={"cpm": "2"}),
        line_item("goal", "guaranteed", "300x250", **goal),
    ]
    steering = steering_of(catalog_of(*items), NOW)
    luck, now = Random(5), NOW
    asked = [Ask("top"), Ask("side"), Ask("none")]
    for _ in range(60):
        now += timedelta(seconds=1)
        decided_alike(steering, Context("daily"), asked, now, luck, Tally())
    (account,) = [account for account in steering.ledger.accounts if account]
    assert account.room() == 0


def test_pages_with_sponsors_whose_labels_differ_are_remembered() -> None:
    """Two that may stand together, and one that keeps a third away."""
    items = [
        line_item("voice", "sponsorship", "728x90", share=0.5, labels=["bank"]),
        line_item("choir", "sponsorship", "728x90", share=0.5, labels=["tea", "food"]),
        line_item("echo", "sponsorship", "300x250", share=0.7, labels=["food"]),
        line_item("bank", "price", "300x250", "728x90", price={"cpm": "3"}, labels=["bank"]),
        line_item("rest", "house", "300x250", "728x90", repeat=True),
    ]
    steering, luck, now = steering_of(catalog_of(*items), NOW), Random(5), NOW
    for _ in range(60):
        now += timedelta(seconds=1)
        decided_alike(steering, Context("daily"), [Ask("top"), Ask("side")], now, luck, Tally())


def test_no_lot_is_drawn_when_all_others_with_the_score_are_used_up() -> None:
    items = [
        line_item(name, "price", "728x90", price={"cpm": "2"}, budget=budget)
        for name, budget in (("short", "0.002"), ("long", "9"))
    ]
    steering, luck = steering_of(catalog_of(*items), NOW), Random(5)
    for _ in range(10):
        decided_alike(steering, Context("daily"), [Ask("top")], NOW, luck, Tally())


def test_a_sponsor_with_one_creative_takes_no_luck_from_those_with_several() -> None:
    items = [
        line_item("voice", "sponsorship", "728x90", share=0.5),
        line_item("tea", "house", creative=[image(f"tea-{number}", "300x250") for number in (1, 2)]),
    ]
    steering, luck = steering_of(catalog_of(*items), NOW), Random(5)
    for _ in range(10):
        decided_alike(steering, Context("daily"), [Ask("top"), Ask("side")], NOW, luck, Tally())


def test_each_way_in_which_lots_fall_is_decided_once() -> None:
    """Three house ads for two slots stand there in six ways."""
    items = [line_item(name, "house", "728x90", "300x250") for name in ("one", "two", "three")]
    steering, luck = steering_of(catalog_of(*items), NOW), Random(5)
    asked = [Ask("top"), Ask("side")]
    pages = [decided_alike(steering, Context("daily"), asked, NOW, luck, Tally()) for _ in range(200)]
    ways = {tuple(place for _, place in page.placed) for page in pages}
    assert len(ways) == 6
    assert len({id(page.placed) for page in pages}) == 6


def test_a_sponsor_with_caps_is_asked_for_on_every_page() -> None:
    caps = [{"impressions": 2, "per": "1d"}]
    items = [
        line_item("voice", "sponsorship", "728x90", share=0.6, caps=caps),
        line_item("tea", "price", "728x90", price={"cpm": "2"}),
    ]
    steering, luck, now = steering_of(catalog_of(*items), NOW), Random(5), NOW
    tallies: list[Tally | None] = [None, Tally(), Tally()]
    for page in range(60):
        now += timedelta(seconds=1)
        decided_alike(steering, Context("daily"), [Ask("top")], now, luck, tallies[page % 3])
