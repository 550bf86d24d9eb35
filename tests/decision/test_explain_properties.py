"""For random catalogs and requests: what is explained is what is served, and everybody is accounted for."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adserver.catalog.model import Catalog, Tier
from adserver.clock import to_ms
from adserver.decision.context import Ask, BidFill, Context, Fill, HeaderBid
from adserver.decision.explain import Explanation, SlotExplained, Verdict, explain
from adserver.decision.look import look
from adserver.decision.memo import Page
from adserver.decision.steering import Steering
from adserver.decision.tally import Tally
from adserver.decision.verdicts import distance
from tests import strategies as words
from tests.decision.deciding import EXPECTED_CTR, steering_of
from tests.decision.oracle import failures
from tests.decision.test_properties import MANY, requests
from tests.newsroom import NOW, catalog_of, line_item

Request = tuple[Context, list[Ask], datetime]

EVERYBODY = 10_000
#: What the oracle calls a rule → what explaining calls it.
_ORACLE = {
    "dates": ("paused", "not_started", "ended"),
    "sizes": ("size", "theme"),
    "sensitive": ("topic_excluded",),
}


@st.composite
def pages(draw: st.DrawFn, catalog: Catalog) -> Request:
    """A page request with everything that a page may send."""
    context, asks, now = draw(requests(catalog))
    bids = st.builds(
        HeaderBid,
        slot=st.sampled_from([ask.slot for ask in asks]),
        bid=st.sampled_from(["hb-1", "hb-2"]),
        cpm_micros=st.integers(1, 30_000_000),
        size=st.sampled_from(words.SIZES),
    )
    return (
        context._replace(
            section=draw(st.none() | st.sampled_from(words.DEEP_SECTIONS)),
            url=draw(st.none() | st.sampled_from(words.URLS)),
            theme=draw(st.sampled_from([None, "light", "dark"])),
            bids=draw(st.lists(bids, max_size=2)),
        ),
        [*asks, *draw(st.lists(st.just(Ask("nowhere")), max_size=1))],
        now,
    )


def accounted_once(explained: Explanation, catalog: Catalog, known: set[str]) -> None:
    """Every line item of the catalog once in every slot that the catalog knows."""
    names = sorted(item.name for _, _, item in catalog.line_items())
    for slot in explained.slots:
        there = names if slot.slot in known else []
        assert sorted(verdict.line_item for verdict in slot.line_items) == there
        assert slot.counts == Counter(verdict.rule for verdict in slot.line_items)
        assert slot.left_off == 0
        furthest = [distance(verdict.rule) for verdict in slot.line_items]
        assert furthest == sorted(furthest)


def agrees_with_the_oracle(
    verdict: Verdict, slot: SlotExplained, catalog: Catalog, context: Context, ask: Ask, now: datetime
) -> None:
    """The rule is one that a plain loop says is failed; and only who fails none of these gets further."""
    items = {item.name: item for _, _, item in catalog.line_items()}
    site = next(site for site in catalog.site if site.name == context.site)
    place = next(place for place in site.slot if place.name == slot.slot)
    failed = list(failures(items[verdict.line_item], site, place, context, ask, now, EXPECTED_CTR))
    if not any(creative.approved for creative in items[verdict.line_item].creative):
        assert verdict.rule == "not_approved"
        return
    allowed = {name for rule in failed for name in _ORACLE.get(rule, (rule, f"target.{rule}"))}
    if failed:
        assert verdict.rule in allowed, (verdict, failed)
    else:
        assert distance(verdict.rule) <= distance("repeated"), verdict


def agree(catalog: Catalog, explained: Explanation, page: Page, asks: list[Ask], now: datetime) -> None:
    """An explanation says of each slot what the page says, and of each line item what the oracle says."""
    context = explained.context
    known = {slot.name for site in catalog.site if site.name == context.site for slot in site.slot}
    accounted_once(explained, catalog, known)
    for slot, ask, decision in zip(explained.slots, asks, page.decisions, strict=True):
        won = [verdict for verdict in slot.line_items if verdict.rule == "won"]
        offered = [bid for bid in slot.bids if bid.rule == "won"]
        highest = None
        if isinstance(decision, Fill):
            assert [verdict.line_item for verdict in won] == [slot.winner] == [decision.choice.item.name]
            assert (slot.creative, slot.reason, offered) == (decision.choice.creative.name, None, [])
            highest = won[0].score.score if won[0].score else None
        elif isinstance(decision, BidFill):
            assert (won, slot.winner, [bid.bid for bid in offered]) == ([], decision.bid.bid, [slot.winner])
            highest = decision.bid.cpm_micros / 1e6
        else:
            assert (won, offered, slot.winner, slot.reason) == ([], [], None, decision.reason)
        for verdict in slot.line_items:
            agrees_with_the_oracle(verdict, slot, catalog, context, ask, now)
            if verdict.rule in ("outbid", "tied"):
                assert verdict.score and highest is not None
                assert (verdict.score.score < highest) == (verdict.rule == "outbid")
            assert re.fullmatch(r"[^a-z].*[^.]\.", verdict.sentence, re.DOTALL)
            eligible = distance(verdict.rule) <= distance("repeated")
            assert (verdict.score is not None) == (eligible and verdict.tier is not Tier.SPONSORSHIP)


def serve_and_explain(
    draws: st.DataObject, steering: Steering, catalog: Catalog, request: Request, rng: Random, tally: Tally
) -> None:
    """A page that is explained, then served, a few times over."""
    context, asks, now = request
    for _ in range(draws.draw(st.integers(1, 5))):
        kept = draws.draw(st.sampled_from([tally, tally, tally, None]))
        before = rng.getstate()
        looked = look(steering.decider, context, asks, now, rng, kept)
        assert rng.getstate() == before, "explaining draws no lots"
        page = steering.decider.decide(context, asks, now, rng, kept)
        subjects = steering.decider.serve(page, now)
        # Explaining can wait until the page was served: what it looks at stays as it was.
        agree(catalog, explain(looked, catalog, limit=EVERYBODY), page, asks, now)
        if kept is not None:
            kept.add(subjects, to_ms(now) // 1000)


@MANY
@given(draws=st.data())
def test_what_is_explained_is_what_is_served(draws: st.DataObject) -> None:
    catalog = draws.draw(words.catalogs(groups=True, pages=True))
    if not catalog.site:
        return
    rng, tally = Random(draws.draw(st.integers(0, 9))), Tally()
    wanted = [draws.draw(pages(catalog)) for _ in range(3)]
    steering = steering_of(catalog, min(now for _, _, now in wanted))
    for request in wanted:
        serve_and_explain(draws, steering, catalog, request, rng, tally)


SLOTS = ("top", "middle", "side")
_SETS = st.sampled_from([{}, {}, {"together": True}, {"companions": True}])
_EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "labels": words.some(("bank", "airline")),
        "caps": st.integers(1, 3).map(lambda count: [{"impressions": count, "per": "1d"}]),
        "repeat": st.booleans(),
        "target": st.sampled_from([{"slot": ["top", "side"]}, {"slot": ["middle", "side"]}]),
    },
)
_FLIGHT = {"start": NOW - timedelta(days=1), "end": NOW + timedelta(days=9)}
_BY_TIER: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "sponsorship": st.sampled_from([{"share": 0.3}, {"share": 0.7}, {"share": 1.0}]),
    "guaranteed": st.integers(1, 4).map(
        lambda goal: {**_FLIGHT, "price": {"cpm": "2.00"}, "goal": {"impressions": goal}}
    ),
    "price": st.sampled_from(
        [
            {"price": {"cpm": "2.00"}},
            {"price": {"cpm": "3.00"}},
            {"price": {"cpm": "4.00"}, "budget": "0.012", "daily_budget": "0.008"},
            {"price": {"cpc": "2.50"}},
        ]
    ),
    "network": st.sampled_from([{"price": {"cpm": "1.00"}}, {"price": {"cpm": "3.00"}}]),
    "house": st.just({}),
}


@st.composite
def crowds(draw: st.DrawFn) -> Catalog:
    """Line items that nearly all may serve everywhere, so that the page has to choose."""
    items = []
    for number in range(draw(st.integers(2, 8))):
        tier = draw(st.sampled_from(sorted(_BY_TIER)))
        keys = {**draw(_EXTRAS), **draw(_SETS), **draw(_BY_TIER[tier])}
        items.append(line_item(f"item-{number}", tier, "300x250", **keys))
    return catalog_of(*items, slot=[{"name": name, "sizes": ["300x250"]} for name in SLOTS])


@MANY
@given(draws=st.data())
def test_in_a_crowd_everybody_is_told_why(draws: st.DataObject) -> None:
    catalog = draws.draw(crowds())
    steering, rng, tally = steering_of(catalog, NOW), Random(draws.draw(st.integers(0, 9))), Tally()
    bids = st.builds(
        HeaderBid,
        slot=st.sampled_from(SLOTS),
        bid=st.just("hb-1"),
        cpm_micros=st.integers(1, 5).map(lambda cpm: cpm * 1_000_000),
        size=st.just("300x250"),
    )
    for minute in range(3):
        asks = [Ask(slot) for slot in draws.draw(st.lists(st.sampled_from(SLOTS), min_size=1, max_size=4))]
        now = NOW + timedelta(minutes=minute)
        context = Context("daily", bids=draws.draw(st.lists(bids, max_size=1)))
        serve_and_explain(draws, steering, catalog, (context, asks, now), rng, tally)
        if draws.draw(st.booleans()):
            steering.tick(now)
