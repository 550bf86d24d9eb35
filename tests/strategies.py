"""Random valid catalogs for properties, from small pools of names and facts, so that requests really match.

Two parts of the language are drawn only where a test asks for them: `groups` (groups, patterns and addresses
in targets) and `pages` (what a line item may do on a page: repeat, companions, rotation; caps of campaigns;
and creatives that are not approved or for one theme).

Strategies are built once (`cache`): building and checking them again costs more than drawing from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
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
#: What pages give when there are patterns to match, and the patterns.
DEEP_SECTIONS = (*SECTIONS, "world/asia", "world/asia/nepal", "worldly")
SECTION_PATTERNS = (*SECTIONS, "world/*", "world*", "*o*", "*/nepal", "w*a*l", "*")
URLS = (
    "https://news.example/2026/11/flood",
    "https://news.example/2026/11/flood?from=mail#comments",
    "http://News.example/live/%C3%BC",
    "//sport.example/live/",
    "https://news.example",
    "https:///live/",
    "",
)
URL_PATTERNS = (
    "news.example/2026/11/flood",
    "news.example/2026/*",
    "news.example/",
    "*/live/*",
    "*/live/ü",
    "*flood",
    "news.example/*/fl*d",
    "*.example/*e*",
    "*",
)
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


def _fresh(*choices: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """One of some tables, a new one each time: a test that spoils what it drew spoils nobody else's."""
    return st.sampled_from(choices).map(deepcopy)


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


_MISSING = st.sampled_from(["deny", "allow"])
_CONSENTS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    _fresh({}),
    st.fixed_dictionaries({"missing": _MISSING}, optional={"countries": some(("EEA", "GB", "NP", "US"))}),
    st.fixed_dictionaries({"network_vendor": st.integers(1, 65_535)}),
)


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
            "consent": draw(_CONSENTS),
            "slot": [draw(_slots(slot)) for slot in draw(some(SLOTS))],
            **draw(_SELLERS),
        }
        for name in draw(some(tuple(SITES)))[:3]
    ]


_SELLERS = st.fixed_dictionaries(
    {},
    optional={
        "seller": _fresh({"id": "ours", "name": 'The "Ledger"', "domain": "ledger.example"}),
        "ads_txt": st.lists(st.sampled_from(["a.example, 1, DIRECT", '# "quoted" \\ ü', "contact=x"])),
    },
)
_SLOT_EXTRAS = st.fixed_dictionaries(
    {}, optional={"floor": amounts(), "label": texts(), "refresh_seconds": st.integers(30, 3600)}
)


@st.composite
def _slots(draw: st.DrawFn, name: str) -> dict[str, Any]:
    return {"name": name, "sizes": draw(some(SIZES))} | draw(_SLOT_EXTRAS)


@cache
def _facts(patterns: bool) -> dict[str, st.SearchStrategy[Any]]:
    """The dimensions of pages and visitors, each with some of its values."""
    values = st.fixed_dictionaries({}, optional={key: some(pool) for key, pool in VALUES.items()})
    dimensions: dict[str, st.SearchStrategy[Any]] = {
        "section": some(SECTION_PATTERNS if patterns else SECTIONS),
        "topic": some(TOPICS),
        "country": some(COUNTRIES),
        "device": some(DEVICES),
        "values": values.filter(bool),
    }
    return dimensions | ({"url": some(URL_PATTERNS)} if patterns else {})


def _few(dimensions: dict[str, st.SearchStrategy[Any]], least: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Up to three of the dimensions."""
    keys = st.lists(st.sampled_from(sorted(dimensions)), min_size=least, max_size=3, unique=True)
    return keys.flatmap(lambda chosen: st.fixed_dictionaries({key: dimensions[key] for key in chosen}))


@cache
def conditions(
    site_names: tuple[str, ...], slot_names: tuple[str, ...], *, patterns: bool = False
) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the dimensions, each with some of its values."""
    place = {"site": some(site_names), "slot": some(slot_names), "hours": some(HOURS)}
    return _few(place | _facts(patterns))


@cache
def _groups(levels: int) -> st.SearchStrategy[dict[str, Any]]:
    """A group with groups in it, so few that targets stay below the most that are allowed."""
    optional: dict[str, st.SearchStrategy[Any]] = {"not": _few(_facts(True), least=1)}
    if levels > 1:
        inner = st.lists(_groups(levels - 1), min_size=1, max_size=levels - 1)
        optional |= {"any": inner, "all": inner}
    facts = _few(_facts(True), least=1)
    one_more = st.sampled_from(sorted(optional)).flatmap(
        lambda key: st.fixed_dictionaries({key: optional[key]})
    )
    return facts | one_more | st.tuples(facts, one_more).map(lambda both: both[0] | both[1])


@cache
def _alternatives() -> st.SearchStrategy[dict[str, Any]]:
    """Groups for a target, or none."""
    both = st.fixed_dictionaries(
        {},
        optional={
            "any": st.lists(_groups(3), min_size=1, max_size=2),
            "all": st.lists(_groups(3), min_size=1, max_size=1),
        },
    )
    return _fresh({}) | both


@st.composite
def _targets(
    draw: st.DrawFn, known: list[dict[str, Any]], groups: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A target without dangling names, and the slots that it reaches."""
    site_names = tuple(site["name"] for site in known)
    target = draw(conditions(site_names, SLOTS, patterns=groups))
    slot_names = {slot["name"] for site in known for slot in site["slot"]}
    exclude = draw(conditions(site_names, tuple(sorted(slot_names)), patterns=groups))
    wanted = set(target.get("site", site_names)) - set(exclude.get("site", ()))
    on_targeted = [slot for site in known if site["name"] in wanted for slot in site["slot"]]
    if "slot" in target:
        there = {slot["name"] for slot in on_targeted or [s for site in known for s in site["slot"]]}
        target["slot"] = [name for name in target["slot"] if name in there] or [min(there)]
    if exclude:
        target["not"] = exclude
    if groups:
        target |= draw(_alternatives())
    reached = [
        slot
        for slot in on_targeted
        if slot["name"] in target.get("slot", SLOTS) and slot["name"] not in exclude.get("slot", ())
    ]
    return target, reached


_WEIGHT = {"weight": st.integers(1, 10_000)}
_POLITICAL = {"sponsor": "Green List", "political": True, "notice": "https://party.example/notice"}
_CATEGORIES = ("IAB13", "IAB13-4", "IAB7-39")
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
_CAPS = st.lists(_CAP, max_size=2, unique_by=lambda cap: str(cap["per"]))
_ITEM_EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "paused": st.booleans(),
        "pacing": st.sampled_from(["even", "frontloaded", "asap"]),
        "caps": _CAPS,
        "labels": some(_LABELS, least=0),
        "together": st.booleans(),
        "trusted": st.booleans(),
        "allow_topics": some(TOPICS, least=0),
        "categories": some(_CATEGORIES, least=0),
        "disclosure": _fresh({"sponsor": 'The "Bank"', "payer": "ü"}, _POLITICAL),
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


_LOOKBACK = st.fixed_dictionaries(
    {}, optional={"click": st.sampled_from(["30m", "90d"]), "view": st.sampled_from(["1h", "1d"])}
)
_CAMPAIGN_EXTRAS = st.fixed_dictionaries({}, optional={"caps": _CAPS, "lookback": _LOOKBACK})
_PAGE_EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "repeat": st.booleans(),
        "companions": st.booleans(),
        "rotation": st.sampled_from(["even", "weighted", "sequential", "optimised"]),
    },
)
_CREATIVE_EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "approved": st.booleans(),
        "theme": st.sampled_from(["light", "dark"]),
        "attributes": st.lists(st.integers(1, 3), max_size=2),
    },
)


@st.composite
def line_items(
    draw: st.DrawFn, name: str, known: list[dict[str, Any]], *, groups: bool = False, pages: bool = False
) -> dict[str, Any]:
    """A line item of any tier whose creatives fit its slots."""
    tier = draw(st.sampled_from(list(Tier)))
    target, reached = draw(_targets(known, groups))
    offered = sorted({size for slot in reached for size in slot["sizes"]}) or list(SIZES)
    drawn = [draw(creatives(creative, offered)) for creative in draw(names(f"{name}.creative"))]
    item: dict[str, Any] = {"name": name, "tier": tier, "target": target, "creative": drawn}
    item |= draw(_of_tier(tier)) | draw(_ITEM_EXTRAS)
    if tier is Tier.NETWORK and item.get("trusted") and drawn:
        unit = {"kind": "network", "client": "ca-pub-1234567890123456", "unit": "1234567890"}
        drawn[0] = {key: drawn[0][key] for key in ("name", "size")} | unit
    if pages:
        item |= draw(_page_extras(drawn))
    if item.get("together") or len(target.get("slot", SLOTS)) == 1:
        item.pop("companions", None)
    if len(target.get("slot", SLOTS)) == 1:
        item.pop("together", None)
    return item


@st.composite
def _page_extras(draw: st.DrawFn, drawn: list[dict[str, Any]]) -> dict[str, Any]:
    """Keys about how a line item stands on a page; its creatives get theirs in place."""
    for creative in drawn:
        creative |= draw(_CREATIVE_EXTRAS)
        if "theme" in creative:
            creative.pop("image_dark", None)
    extras = draw(_PAGE_EXTRAS)
    if extras.get("rotation") == "optimised":
        extras["optimise_for"] = draw(st.sampled_from(["clicks", "viewables"]))
    return extras


@st.composite
def tables(draw: st.DrawFn, *, groups: bool = False, pages: bool = False) -> dict[str, Any]:
    """The plain tables of a valid catalog."""
    known = draw(sites())
    advertisers = []
    for advertiser in draw(names("advertiser", least=1)):
        campaigns = []
        for campaign in draw(names("campaign", least=1)):
            stem = f"{advertiser[-1]}{campaign[-1]}"
            item_names = draw(names(f"item-{stem}", most=4))
            items = [draw(line_items(name, known, groups=groups, pages=pages)) for name in item_names]
            extras = draw(_CAMPAIGN_EXTRAS) if pages else {}
            campaigns.append({"name": campaign, "line_item": items} | extras)
        domain = draw(_fresh({}, {"domain": "shop.bank.example"}))
        advertisers.append({"name": advertiser, "campaign": campaigns, **domain})
    return {"site": known, "advertiser": advertisers}


@st.composite
def catalogs(draw: st.DrawFn, *, groups: bool = False, pages: bool = False) -> Catalog:
    """A valid catalog without faults between its objects."""
    catalog = Catalog.model_validate(draw(tables(groups=groups, pages=pages)))
    faults = check(catalog, "random catalog")
    assert not faults, f"the strategy made a catalog with faults: {faults}"
    return catalog
