"""Random valid catalogs for properties, from small pools of names and facts, so that requests really match.

Strategies are built once (`cache`): building and checking them again costs more than drawing from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from adserver.catalog.check import check
from adserver.catalog.model import Catalog, PriceModel, Tier
from adserver.money import format_micros

#: The middle of the flights; time zones of the sites change their clocks within them.
NOW = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
SITES = {
    "daily": "Asia/Kathmandu",
    "weekly": "Europe/Berlin",
    "harbour": "America/New_York",
    "plain": "UTC",
}
SLOTS = ("article-top", "in-article", "sidebar", "comments")
SIZES = ("970x250", "728x90", "300x250", "320x50")
SECTIONS = ("world", "economy", "sport")
TOPICS = ("crime", "conflict", "rivers", "football")
COUNTRIES = ("NP", "IN", "DE", "US")
DEVICES = ("desktop", "mobile", "tablet")
HOURS = ("mon-fri 08:00-20:00", "sat-sun", "sun 22:00-02:00", "fri-mon 00:00-24:00")
VALUES = {"author": ("x", "y"), "pay wall": ("open", "metered", 'ü"\\')}
_LABELS = ("bank", "airline")
#: Starts and ends, minutes and years away; both passes of the hours that Berlin and New York repeat.
_INSTANTS = (
    datetime(1900, 1, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    NOW - timedelta(days=2),
    NOW,
    NOW + timedelta(microseconds=1),
    NOW + timedelta(hours=1),
    NOW + timedelta(days=3),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
)


@cache
def some(pool: tuple[str, ...], least: int = 1) -> st.SearchStrategy[list[str]]:
    """Some of a pool in any order, none twice."""
    return st.lists(st.sampled_from(pool), min_size=least, max_size=len(pool), unique=True)


@cache
def amounts(step_micros: int = 1) -> st.SearchStrategy[str]:
    """Decimal text of amounts up to 20, multiples of a step in micros."""
    return st.integers(0, 20_000_000 // step_micros).map(lambda count: format_micros(count * step_micros))


@cache
def texts() -> st.SearchStrategy[str]:
    """What people might type: any Unicode text that is not empty."""
    return st.text(min_size=1, max_size=12)


@cache
def _numbers(least: int, most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(1, 9), min_size=least, max_size=most, unique=True)


@st.composite
def names(draw: st.DrawFn, stem: str, least: int = 0, most: int = 2) -> list[str]:
    """A few names that are unique within a catalog when the stem is, in any order."""
    return [f"{stem}-{number}" for number in draw(_numbers(least, most))]


@st.composite
def sites(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One to three sites with their slots; slots of one name are on several sites."""
    return [
        {
            "name": name,
            "domain": f"{name}.example",
            "timezone": SITES[name],
            "currency": "USD",
            "exclude_topics": draw(some(TOPICS, least=0)),
            "slot": [draw(_slots(slot)) for slot in draw(some(SLOTS))],
        }
        for name in draw(some(tuple(SITES)))[:3]
    ]


_SLOT_EXTRAS = st.fixed_dictionaries({}, optional={"floor": amounts(), "label": texts()})


@st.composite
def _slots(draw: st.DrawFn, name: str) -> dict[str, Any]:
    return {"name": name, "sizes": draw(some(SIZES))} | draw(_SLOT_EXTRAS)


@cache
def conditions(site_names: tuple[str, ...], slot_names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the dimensions, each with some of its values."""
    values = st.fixed_dictionaries({}, optional={key: some(pool) for key, pool in VALUES.items()})
    dimensions = {
        "site": some(site_names),
        "slot": some(slot_names),
        "section": some(SECTIONS),
        "topic": some(TOPICS),
        "country": some(COUNTRIES),
        "device": some(DEVICES),
        "hours": some(HOURS),
        "values": values.filter(bool),
    }
    few = st.lists(st.sampled_from(sorted(dimensions)), max_size=3, unique=True)
    return few.flatmap(lambda keys: st.fixed_dictionaries({key: dimensions[key] for key in keys}))


@st.composite
def _targets(draw: st.DrawFn, known: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A target without dangling names, and the slots that it reaches."""
    site_names = tuple(site["name"] for site in known)
    target = draw(conditions(site_names, SLOTS))
    slot_names = {slot["name"] for site in known for slot in site["slot"]}
    exclude = draw(conditions(site_names, tuple(sorted(slot_names))))
    wanted = set(target.get("site", site_names)) - set(exclude.get("site", ()))
    on_targeted = [slot for site in known if site["name"] in wanted for slot in site["slot"]]
    if "slot" in target:
        there = {slot["name"] for slot in on_targeted or [s for site in known for s in site["slot"]]}
        target["slot"] = [name for name in target["slot"] if name in there] or [min(there)]
    if exclude:
        target["not"] = exclude
    reached = [
        slot
        for slot in on_targeted
        if slot["name"] in target.get("slot", SLOTS) and slot["name"] not in exclude.get("slot", ())
    ]
    return target, reached


_WEIGHT = {"weight": st.integers(1, 10_000)}
_IMAGE_EXTRAS = st.fixed_dictionaries({}, optional={"image_dark": st.just("/dark.png"), **_WEIGHT})
_HTML_EXTRAS = st.fixed_dictionaries({}, optional={"click": st.just("/landing"), **_WEIGHT})


@st.composite
def creatives(draw: st.DrawFn, name: str, sizes: Sequence[str]) -> dict[str, Any]:
    """An image or html creative in one of the sizes."""
    creative: dict[str, Any] = {"name": name, "size": draw(st.sampled_from(sizes))}
    if draw(st.booleans()):
        creative |= {
            "kind": "image",
            "image": f"https://cdn.example/{name}.png",
            "alt": draw(texts()),
            "click": "https://bank.example/?a=1&b=ü",
        }
        creative |= draw(_IMAGE_EXTRAS)
    else:
        creative |= {"kind": "html", "html": draw(texts())}
        creative |= draw(_HTML_EXTRAS)
    return creative


@cache
def prices() -> st.SearchStrategy[dict[str, str]]:
    """One amount under any price model."""
    steps = {model: 1000 if model in (PriceModel.CPM, PriceModel.VCPM) else 1 for model in PriceModel}
    return st.one_of([st.fixed_dictionaries({str(model): amounts(step)}) for model, step in steps.items()])


_FLIGHTS = st.lists(st.sampled_from(_INSTANTS), min_size=2, max_size=2, unique=True)
_BUDGETS = st.fixed_dictionaries(
    {}, optional={"daily_budget": amounts(), "budget": amounts().map(lambda amount: f"9{amount}")}
)
_CAP = st.fixed_dictionaries({"impressions": st.integers(1, 9), "per": st.sampled_from(["30m", "1d"])})
_ITEM_EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "paused": st.booleans(),
        "pacing": st.sampled_from(["even", "frontloaded", "asap"]),
        "caps": st.lists(_CAP, max_size=2, unique_by=lambda cap: str(cap["per"])),
        "labels": some(_LABELS, least=0),
        "together": st.booleans(),
        "trusted": st.booleans(),
        "allow_topics": some(TOPICS, least=0),
    },
)


@st.composite
def _of_tier(draw: st.DrawFn, tier: Tier) -> dict[str, Any]:
    """What a tier needs and may have."""
    start, end = sorted(draw(_FLIGHTS))
    flight = {"start": start, "end": end}
    if tier is Tier.GUARANTEED:
        unit = draw(st.sampled_from(["impressions", "viewables", "clicks"]))
        return flight | {"price": draw(prices()), "goal": {unit: draw(st.integers(1, 10**12))}}
    some_of_flight = {key: flight[key] for key in draw(some(("start", "end"), least=0))}
    if tier is Tier.SPONSORSHIP:
        return some_of_flight | {"share": draw(st.floats(0, 1, exclude_min=True))}
    if tier is Tier.PRICE:
        return some_of_flight | {"price": draw(prices())} | draw(_BUDGETS)
    return some_of_flight | ({"price": draw(prices())} if tier is Tier.NETWORK else {})


@st.composite
def line_items(draw: st.DrawFn, name: str, known: list[dict[str, Any]]) -> dict[str, Any]:
    """A line item of any tier whose creatives fit its slots."""
    tier = draw(st.sampled_from(list(Tier)))
    target, reached = draw(_targets(known))
    offered = sorted({size for slot in reached for size in slot["sizes"]}) or list(SIZES)
    drawn = [draw(creatives(creative, offered)) for creative in draw(names(f"{name}.creative"))]
    item: dict[str, Any] = {"name": name, "tier": tier, "target": target, "creative": drawn}
    item |= draw(_of_tier(tier)) | draw(_ITEM_EXTRAS)
    if len(target.get("slot", SLOTS)) == 1:
        item.pop("together", None)
    return item


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """The plain tables of a valid catalog."""
    known = draw(sites())
    advertisers = []
    for advertiser in draw(names("advertiser", least=1)):
        campaigns = []
        for campaign in draw(names("campaign", least=1)):
            stem = f"{advertiser[-1]}{campaign[-1]}"
            items = [draw(line_items(name, known)) for name in draw(names(f"item-{stem}", most=4))]
            campaigns.append({"name": campaign, "line_item": items})
        advertisers.append({"name": advertiser, "campaign": campaigns})
    return {"site": known, "advertiser": advertisers}


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """A valid catalog without faults between its objects."""
    catalog = Catalog.model_validate(draw(tables()))
    faults = check(catalog, "random catalog")
    assert not faults, f"the strategy made a catalog with faults: {faults}"
    return catalog
