"""A number of line items → a catalog file of a plausible mix, the same for the same number.

One news site with six slots; the tiers, sizes, prices and targeting are drawn from a fixed seed, so that two
runs measure the same work.
"""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

import tomli_w

SITE = "daily"
SLOTS = {
    "header": ["970x250", "728x90", "320x50"],
    "in-article": ["300x250", "336x280"],
    "article-end-1": ["300x250", "320x100"],
    "article-end-2": ["300x250", "320x100"],
    "comments": ["728x90", "320x50"],
    "sidebar": ["300x600", "300x250", "160x600"],
}
SECTIONS = [f"section-{n}" for n in range(20)]
TOPICS = [f"topic-{n}" for n in range(50)]
COUNTRIES = "NP IN JP US GB DE FR ES IT NL SE PL BR MX CA AU ZA KE NG EG".split()
HOURS = ["mon-fri 06:00-22:00", "sat-sun", "fri 18:00-02:00", "mon-sun 00:00-24:00"]
_TIERS = {"sponsorship": 5, "guaranteed": 35, "price": 40, "network": 10, "house": 10}
_LONG_AGO, _FAR_OFF = datetime(2020, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
_ITEMS_PER_CAMPAIGN = 10
_CAPPED = 0.1


def catalog_file(item_count: int, seed: int = 1) -> str:
    """TOML text of a catalog with so many line items."""
    rng = Random(seed)
    items = [_line_item(number, rng) for number in range(item_count)]
    slots = [{"name": name, "sizes": sizes, "floor": "0.05"} for name, sizes in SLOTS.items()]
    site = {
        "name": SITE,
        "domain": "news.example",
        "timezone": "Asia/Kathmandu",
        "currency": "USD",
        "exclude_topics": TOPICS[:2],
        "slot": slots,
    }
    campaigns = [
        {"name": f"campaign-{first}", "line_item": items[first : first + _ITEMS_PER_CAMPAIGN]}
        for first in range(0, item_count, _ITEMS_PER_CAMPAIGN)
    ]
    return tomli_w.dumps({"site": [site], "advertiser": [{"name": "buyer", "campaign": campaigns}]})


def _line_item(number: int, rng: Random) -> dict[str, Any]:
    tier = rng.choices(list(_TIERS), list(_TIERS.values()))[0]
    # The first is a house ad for everything, so that even the smallest catalog fills most pages.
    tier = tier if number else "house"
    slots = rng.sample(list(SLOTS), rng.choice([1, 1, 2, 3]))
    item: dict[str, Any] = {"name": f"item-{number}", "tier": tier}
    item |= _terms(tier, rng)
    if number:
        item["target"] = {"slot": slots, **_target(rng)}
    else:
        slots = list(SLOTS)
    if tier in ("guaranteed", "price") and rng.random() < _CAPPED:
        item["caps"] = [{"impressions": 3, "per": "1d"}]
    sizes = sorted({rng.choice(SLOTS[slot]) for slot in slots})
    item["creative"] = [_creative(f"creative-{number}-{size}", size) for size in sizes]
    return item


def _terms(tier: str, rng: Random) -> dict[str, Any]:
    cpm = f"{rng.randrange(10, 800) / 100:.2f}"
    if tier == "sponsorship":
        return {"share": 0.01}
    if tier == "guaranteed":
        goal = {"impressions": rng.randrange(10_000, 10_000_000)}
        return {"price": {"cpm": cpm}, "goal": goal, "start": _LONG_AGO, "end": _FAR_OFF}
    if tier == "house":
        return {}
    price = {"cpc": "0.40"} if rng.random() < 0.2 else {"cpm": cpm}
    # One in ten is over: a catalog always holds some.
    return (
        {"price": price, "end": datetime(2021, 1, 1, tzinfo=UTC)} if rng.random() < 0.1 else {"price": price}
    )


def _target(rng: Random) -> dict[str, Any]:
    target: dict[str, Any] = {}
    if rng.random() < 0.5:
        target["section"] = rng.sample(SECTIONS, rng.randrange(1, 6))
    if rng.random() < 0.4:
        target["country"] = rng.sample(COUNTRIES, rng.randrange(1, 8))
    if rng.random() < 0.3:
        target["device"] = rng.sample(["desktop", "mobile", "tablet"], rng.randrange(1, 3))
    if rng.random() < 0.2:
        target["topic"] = rng.sample(TOPICS, rng.randrange(1, 5))
    if rng.random() < 0.2:
        target["hours"] = [rng.choice(HOURS)]
    if rng.random() < 0.1:
        target["not"] = {"topic": rng.sample(TOPICS, 2)}
    return target


def _creative(name: str, size: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "image",
        "size": size,
        "image": f"https://cdn.example/{name}.png",
        "alt": "An advertisement",
        "click": f"https://buyer.example/{name}",
    }
