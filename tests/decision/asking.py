"""Random page requests that a random catalog's line items often match, with all that a page may say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from hypothesis import strategies as st

from adserver.catalog.creative import Creative
from adserver.catalog.model import Advertiser, Cap, Catalog, Goal, LineItem, PriceModel, Tier
from adserver.decision.context import Ask, Context, HeaderBid
from tests import strategies as words
from tests.newsroom import catalog_of, line_item

_SELDOM = st.sampled_from([False, False, False, True])


@st.composite
def contexts(draw: st.DrawFn, catalog: Catalog) -> Context:
    """What is known of a page and its visitor, on one of the sites."""
    site = draw(st.sampled_from(catalog.site))
    slots = [slot.name for slot in site.slot]
    bids = st.builds(
        HeaderBid,
        slot=st.sampled_from([*slots, "none"]),
        bid=st.sampled_from(["hb-1", "hb-2"]),
        cpm_micros=st.integers(0, 25_000_000),
        size=st.sampled_from(words.SIZES),
    )
    return Context(
        site=site.name,
        section=draw(st.none() | st.sampled_from(words.DEEP_SECTIONS)),
        topics=draw(st.lists(st.sampled_from(words.TOPICS), max_size=2)),
        values=draw(
            st.dictionaries(
                st.sampled_from(sorted(words.VALUES)), st.sampled_from(["x", "y", "z"]) | st.just(["x", "y"])
            )
        ),
        country=draw(st.none() | st.sampled_from(words.COUNTRIES)),
        device=draw(st.none() | st.sampled_from(words.DEVICES)),
        url=draw(st.none() | st.sampled_from(words.URLS)),
        theme=draw(st.sampled_from([None, "light", "dark"])),
        bids=draw(st.just([]) | st.lists(bids, max_size=4)),
        network=draw(st.booleans()),
    )


@st.composite
def asks(draw: st.DrawFn, catalog: Catalog, site_name: str) -> list[Ask]:
    """All slots of a site, or any of them, some more than once, and at times one that is not there."""
    slots = next([slot.name for slot in site.slot] for site in catalog.site if site.name == site_name)
    whole = draw(st.booleans())
    names = slots if whole else draw(st.lists(st.sampled_from([*slots, *slots, "none"]), max_size=5))
    sizes = st.none() | st.lists(st.sampled_from(words.SIZES), max_size=4).map(tuple)
    width = st.none() | st.sampled_from([-1, 0, 320, 728, 1000])
    return [Ask(name, *(draw(st.tuples(sizes, width)) if draw(_SELDOM) else ())) for name in names]


@st.composite
def eager(draw: st.DrawFn) -> Catalog:
    """A random catalog of which more serves: long flights, few conditions, limits and caps within reach."""
    catalog = draw(words.catalogs(groups=True, pages=True))
    parts = [
        advertiser.model_copy(
            update={
                "campaign": tuple(
                    campaign.model_copy(
                        update={
                            "line_item": tuple(draw(_eager(item)) for item in campaign.line_item),
                            "caps": _tight(campaign.caps),
                        }
                    )
                    for campaign in advertiser.campaign
                )
            }
        )
        for advertiser in catalog.advertiser
    ]
    return catalog.model_copy(update={"advertiser": tuple(parts)})


@st.composite
def _eager(draw: st.DrawFn, item: LineItem) -> LineItem:
    changed: dict[str, Any] = {"caps": _tight(item.caps)}
    if not draw(_SELDOM):
        changed |= {"start": words.NOW - timedelta(days=3), "end": words.NOW + timedelta(days=30)}
        changed |= {"paused": False, "allow_topics": words.TOPICS}
        kept = {"site": item.target.site, "slot": item.target.slot}
        changed["target"] = type(item.target)(**{key: value for key, value in kept.items() if value})
        extra = draw(words.some(words.SIZES))
        creatives = [Creative(name=f"{item.name}.{size}", kind="html", size=size, html="x") for size in extra]
        changed["creative"] = (*item.creative, *creatives)
    if item.tier is Tier.GUARANTEED and not draw(_SELDOM):
        changed["goal"] = Goal(impressions=draw(st.integers(1, 5)))
    price = item.price
    if item.tier is Tier.PRICE and price and price.model is PriceModel.CPM and draw(st.booleans()):
        cents = price.per_event_micros
        budget, daily = draw(st.integers(0, 6)), draw(st.none() | st.integers(0, 4))
        changed |= {"budget": budget * cents + draw(st.integers(0, cents))}
        changed |= {"daily_budget": None if daily is None else min(daily * cents, changed["budget"])}
    return item.model_copy(update=changed)


def _tight(caps: tuple[Cap, ...]) -> tuple[Cap, ...]:
    """Caps that a visitor of a few pages meets."""
    return tuple(cap.model_copy(update={"impressions": min(cap.impressions, 3)}) for cap in caps)


def near(at: datetime, edges: list[datetime]) -> st.SearchStrategy[datetime]:
    """An instant, or one at or next to the start or end of some flight."""
    if not edges:
        return st.just(at)
    return st.just(at) | st.sampled_from(edges).flatmap(
        lambda edge: st.sampled_from([edge - timedelta(microseconds=1), edge, edge + timedelta(minutes=1)])
    )


def busy() -> Catalog:
    """A fixed catalog of one site, in which all rules of a page meet."""
    flight = {"start": words.NOW - timedelta(days=1), "end": words.NOW + timedelta(days=60)}
    guaranteed: dict[str, Any] = {**flight, "price": {"cpm": "2"}}
    sport, ends = {"target": {"section": ["sport"]}}, {"target": {"slot": ["top", "foot"]}}
    both = ("728x90", "300x250")
    bank = [
        line_item("voice", "sponsorship", *both, share=0.2, labels=["bank"]),
        line_item("front", "sponsorship", *both, share=0.1, together=True, target={"slot": ["top", "side"]}),
        line_item("small", "guaranteed", "728x90", goal={"impressions": 40}, labels=["bank"], **guaranteed),
        line_item("large", "guaranteed", *both, goal={"impressions": 31}, repeat=True, **sport, **guaranteed),
        line_item("spends", "price", *both, price={"cpm": "3"}, budget="0.300", daily_budget="0.013"),
        line_item("pair", "price", *both, price={"cpm": "1.60"}, companions=True, labels=["bank"]),
    ]
    pair: list[dict[str, object]] = [{"impressions": 1, "per": "30m"}, {"impressions": 4, "per": "1d"}]
    tea = [
        line_item("once", "price", *both, price={"cpm": "2.50"}, caps=pair, **sport),
        line_item("twice", "price", *both, price={"cpm": "2.10"}, repeat=True, **sport),
        line_item("block", "price", *both, price={"cpm": "1.40"}, together=True, labels=["bank"], **ends),
        line_item("dear", "network", "300x250", price={"cpm": "1.20"}, allow_topics=["crime"]),
        line_item("cheap", "network", *both, price={"cpm": "0.20"}, target={"not": {"section": ["world"]}}),
        line_item("night", "house", *both),
    ]
    night, twice = (cast(list[dict[str, object]], tea[number]["creative"]) for number in (-1, 1))
    for creative in (*night, twice[0]):
        creative["theme"] = "dark"
    sizes = {"top": ["728x90"], "side": ["300x250"], "foot": ["728x90", "300x250"]}
    slots = [{"name": name, "sizes": fit, "floor": "0.30"} for name, fit in sizes.items()]
    first = catalog_of(*bank, exclude_topics=["crime"], slot=slots)
    second = {"name": "cups", "caps": [{"impressions": 6, "per": "3h"}], "line_item": tea}
    other = Advertiser.model_validate({"name": "tea", "campaign": [second]})
    return first.model_copy(update={"advertiser": (*first.advertiser, other)})
