"""A seed → the line items that advertisers booked on the site: who buys what, where, when and at what price.

Goals and budgets are not here: they depend on the supply that the booked targeting leaves (`booking`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from adserver.catalog.model import Advertiser, Campaign, Catalog, LineItem, Site, Tier
from adserver.money import format_micros
from tests.simulation.tables import DESKTOP_SIZES, MOBILE_SIZES, active_of, eligible_for
from tests.simulation.traffic import SECTIONS, START, TIMEZONE

SITE = Site.model_validate(
    {
        "name": "daily",
        "domain": "news.example",
        "timezone": TIMEZONE,
        "currency": "USD",
        "slot": [
            {"name": "article-top", "sizes": ["970x250", "728x90", "320x100"], "floor": "1.20"},
            {"name": "article-middle", "sizes": ["336x280", "300x250"], "floor": "0.80"},
            {"name": "article-end", "sizes": ["728x90", "320x50"], "floor": "0.50"},
            {"name": "sidebar-high", "sizes": ["300x600", "300x250"], "floor": "0.80"},
            {"name": "sidebar-low", "sizes": ["160x600", "320x100"], "floor": "0.40"},
            {"name": "feed", "sizes": ["300x250", "320x50"], "floor": "0.40"},
        ],
    }
)
SLOTS = tuple(slot.name for slot in SITE.slot)
BEST_SLOT = 0
#: Share of each kind of buyer in the line items; the rest is house.
SHARES = {"guaranteed": 0.40, "sponsorship": 0.03, "cpm": 0.30, "cpc": 0.22}
CLUSTER_SHARE = 0.13
"""Of the guaranteed line items: those that want the best slot and nothing else."""
#: How alluring each slot is to advertisers, and how often it is clicked.
_WISHES = np.array([0.10, 0.20, 0.18, 0.18, 0.16, 0.18])
SLOT_CTR = np.array([0.0075, 0.0065, 0.0040, 0.0055, 0.0030, 0.0045])
_COUNTRY_LISTS = (("NP",), ("NP",), ("NP", "IN"), ("IN",), ("US", "GB", "AU"), ("NP", "US", "GB", "AU"))
_HOURS = (["mon-fri 08:00-18:00"], ["mon-sun 18:00-24:00"], ["mon-sun 08:00-12:00"], ["mon-fri"], ["sat-sun"])
_CAPS = (
    [{"impressions": 3, "per": "1d"}],
    [{"impressions": 2, "per": "1d"}],
    [{"impressions": 5, "per": "1d"}],
    [{"impressions": 1, "per": "1d"}, {"impressions": 4, "per": "7d"}],
    [{"impressions": 2, "per": "6h"}],
)
_LABELS = tuple("bank telecom airline car insurer beer school phone hotel paint tractor retail".split())
_LEAST_REACH = 0.01
_BUDGETED = 0.50
_CAPPED, _LABELLED, _DAYPARTED, _FRONTLOADED = 0.25, 0.30, 0.15, 0.10

Rng = np.random.Generator


def draw_items(rng: Rng, count: int) -> list[LineItem]:
    """So many line items; goals and budgets stand in as the least there is."""
    guaranteed, sponsors, cpm, cpc = (round(share * count) for share in SHARES.values())
    cluster = round(CLUSTER_SHARE * guaranteed)
    makers = (
        [_cluster] * cluster
        + [_guaranteed] * (guaranteed - cluster)
        + [_sponsor] * sponsors
        + [_cpm] * cpm
        + [_cpc] * cpc
    )
    house = [_house] * (count - len(makers))
    return [_useful(rng, maker, number) for number, maker in enumerate([*makers, *house])]


def catalog_of(items: Sequence[LineItem]) -> Catalog:
    """One campaign per line item: no two share a cap or a budget."""
    campaigns = tuple(Campaign(name=f"campaign-{item.name}", line_item=(item,)) for item in items)
    return Catalog(site=(SITE,), advertiser=(Advertiser(name="market", campaign=campaigns),))


def _useful(rng: Rng, maker: Callable[[Rng], dict[str, Any]], number: int) -> LineItem:
    """Drawn until it can serve in a fair part of the week: nobody books what fits nowhere."""
    while True:
        item = _complete(number, maker(rng))
        reach = eligible_for(SITE, item).any(axis=1).mean() * active_of(item).mean()
        if reach >= _LEAST_REACH:
            return item


def _complete(number: int, item: dict[str, Any]) -> LineItem:
    name = f"{item['tier']}-{number:03d}"
    sizes = item.pop("sizes")
    image = {"kind": "image", "image": "/ad.png", "alt": name, "click": "/shop"}
    item["creative"] = [{"name": f"{name}-{size}", "size": size, **image} for size in sizes]
    return LineItem.model_validate({"name": name, **item})


def _guaranteed(rng: Rng) -> dict[str, Any]:
    price = float(np.clip(rng.lognormal(np.log(5.2), 0.40), 2.0, 18.0))
    item = {"tier": Tier.GUARANTEED, "goal": {"impressions": 1}, "price": {"cpm": _amount(price)}}
    item |= _flight(rng) | _extras(rng) | _aim(rng, _some_slots(rng))
    if rng.random() < _FRONTLOADED:
        item["pacing"] = "frontloaded"
    return item


def _cluster(rng: Rng) -> dict[str, Any]:
    return _guaranteed(rng) | _aim(rng, [BEST_SLOT])


def _sponsor(rng: Rng) -> dict[str, Any]:
    item = {"tier": Tier.SPONSORSHIP, "share": round(float(rng.uniform(0.05, 0.15)), 3)}
    slot = int(rng.integers(len(SLOTS)))
    sections = [
        SECTIONS[i] for i in sorted(rng.choice(len(SECTIONS), int(rng.integers(2, 6)), replace=False))
    ]
    target = {"slot": [SLOTS[slot]], "section": sections}
    return item | _flight(rng) | {"target": target, "sizes": _sizes_of([slot])}


def _cpm(rng: Rng) -> dict[str, Any]:
    """Those with a budget pay more: without one, it is the long tail that takes whatever is left."""
    limited = rng.random() < _BUDGETED
    price = rng.lognormal(np.log(3.2), 0.35) if limited else rng.lognormal(np.log(1.1), 0.20)
    return _competing(rng, {"cpm": _amount(float(price))}, limited=limited)


def _cpc(rng: Rng) -> dict[str, Any]:
    limited = rng.random() < _BUDGETED
    price = rng.lognormal(np.log(0.65), 0.30) if limited else rng.lognormal(np.log(0.25), 0.20)
    return _competing(rng, {"cpc": _amount(float(price))}, limited=limited)


def _competing(rng: Rng, price: dict[str, str], *, limited: bool) -> dict[str, Any]:
    budget = {"budget": "0.01"} if limited else {}
    flight = _flight(rng) if rng.random() < 0.7 else {}
    item = {"tier": Tier.PRICE, "price": price, **budget}
    return item | flight | _extras(rng) | _aim(rng, _some_slots(rng))


def _house(rng: Rng) -> dict[str, Any]:
    return {"tier": Tier.HOUSE, "sizes": _sizes_of(range(len(SLOTS)))}


def _flight(rng: Rng) -> dict[str, datetime]:
    """Two days to the whole week, from midnight or noon, all of it within the week."""
    half_days = int(rng.choice([4, 6, 8, 10, 12, 14], p=[0.12, 0.18, 0.2, 0.2, 0.15, 0.15]))
    first = int(rng.integers(0, 14 - half_days + 1))
    if rng.random() < 0.7:
        first -= first % 2
    start = START + timedelta(hours=12 * first)
    return {"start": start, "end": start + timedelta(hours=12 * half_days)}


def _extras(rng: Rng) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if rng.random() < _CAPPED:
        extras["caps"] = _CAPS[rng.integers(len(_CAPS))]
    if rng.random() < _LABELLED:
        extras["labels"] = [_LABELS[rng.integers(len(_LABELS))]]
    return extras


def _some_slots(rng: Rng) -> list[int]:
    count = int(rng.choice([1, 2, 3, 6], p=[0.45, 0.30, 0.15, 0.10]))
    return sorted(int(i) for i in rng.choice(len(SLOTS), count, replace=False, p=_WISHES))


def _aim(rng: Rng, slots: Sequence[int]) -> dict[str, Any]:
    """Targeting, and creatives in sizes for these slots, at times for one device only."""
    target: dict[str, Any] = {"slot": [SLOTS[s] for s in slots]} if len(slots) < len(SLOTS) else {}
    section, country, device = rng.random(3)
    names = [SECTIONS[i] for i in sorted(rng.choice(len(SECTIONS), int(rng.integers(1, 6)), replace=False))]
    if section < 0.50:
        target["section"] = names
    elif section < 0.60:
        target["not"] = {"section": names[:2]}
    if country < 0.45:
        target["country"] = _COUNTRY_LISTS[rng.integers(len(_COUNTRY_LISTS))]
    sizes = _sizes_of(slots)
    if device < 0.20:
        target["device"] = [("desktop", "mobile")[rng.integers(2)]]
    elif device < 0.35:
        fitting = MOBILE_SIZES if rng.random() < 0.6 else DESKTOP_SIZES
        sizes = [size for size in sizes if size in fitting]
    if rng.random() < _DAYPARTED:
        target["hours"] = _HOURS[rng.integers(len(_HOURS))]
    return {"target": target, "sizes": sizes}


def _sizes_of(slots: Sequence[int] | range) -> list[str]:
    return list(dict.fromkeys(size for s in slots for size in SITE.slot[s].sizes))


def _amount(units: float) -> str:
    """Whole hundredths."""
    return format_micros(round(units * 100) * 10_000)
