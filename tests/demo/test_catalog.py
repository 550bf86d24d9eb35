"""The demo's catalog and its creatives: correct, self-contained, and enough for every page of the demo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from xml.etree.ElementTree import Element, fromstring

import pytest

from adserver.catalog.check import check, warn
from adserver.catalog.creative import Creative
from adserver.catalog.file import load
from adserver.catalog.model import Tier, live_at
from adserver.catalog.targeting import DAYS, DEVICES
from adserver.decision.context import Ask, Context, Fill, NoFill
from adserver.decision.steering import Steering
from adserver.demo.catalog import CATALOG_FILE, ZONE, demo_catalog
from tests.decision.deciding import serve, steering_of

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
CREATIVES = CATALOG_FILE.parent / "static" / "creatives"
SECTIONS = ("nation", "world", "business", "culture", None)
COUNTRIES = ("NP", "IN", "US", "AE", "DE", None)
#: Room of the slots of an article, in the order of the page: on a wide screen, and on a phone.
WIDE = {
    "header": 970,
    "in-article": 640,
    "article-end-1": 320,
    "article-end-2": 320,
    "comments": 320,
    "sidebar": 300,
}
NARROW = dict.fromkeys(WIDE, 350)
#: What may stand in a creative. Anything else (script, foreignObject, image, style, a) is refused.
ELEMENTS = frozenset(
    """
    svg title defs g rect circle ellipse path polygon text linearGradient stop clipPath mask
    """.split()
)


def creatives() -> Iterator[Creative]:
    """Every creative of the demo."""
    for _, _, item in load(CATALOG_FILE).line_items():
        yield from item.creative


def svg_files() -> list[Path]:
    """Every drawing in the demo's folder."""
    return sorted(CREATIVES.glob("*.svg"))


def file_of(url: str) -> Path:
    """The file behind the URL of an image."""
    prefix, _, name = url.rpartition("/")
    assert prefix == "/demo/static/creatives", url
    return CREATIVES / name


def drawing(path: Path) -> Element:
    """The parsed root of one of our own drawings."""
    return fromstring(path.read_text(encoding="utf-8"))  # noqa: S314


def asks(room: dict[str, int]) -> list[Ask]:
    """What an article asks for, with the sizes for which there is room."""
    offered = {slot.name: slot.sizes for slot in load(CATALOG_FILE).site[0].slot}
    return [
        Ask(slot, tuple(size for size in offered[slot] if int(size.partition("x")[0]) <= width))
        for slot, width in room.items()
    ]


def unfilled(steering: Steering, wanted: list[Ask], at: datetime, rng: Random) -> Iterator[str]:
    """The slots that stay empty at one instant, over every kind of page and visitor."""
    devices = (*DEVICES, None)
    for section, topics, device, country in product(SECTIONS, ((), ("conflict",)), devices, COUNTRIES):
        context = Context("ledger", section, topics, None, country, device)
        decisions = serve(steering, context, wanted, at, rng)
        yield from (f"{at} {context}: {d.slot} {d.reason}" for d in decisions if isinstance(d, NoFill))
        used = [d.choice.item.name for d in decisions if isinstance(d, Fill)]
        assert len(set(used)) == len(used), f"a line item stands twice on a page: {used}"


def test_the_catalog_has_no_fault() -> None:
    catalog = demo_catalog(NOW)
    assert check(catalog, "catalog.toml") == []
    assert [str(fault) for fault in warn(catalog, "catalog.toml", NOW)] == []


def test_its_site_lives_in_the_zone_of_the_newsroom() -> None:
    assert load(CATALOG_FILE).site[0].zone == ZONE


def test_it_has_many_advertisers_and_every_tier() -> None:
    catalog = load(CATALOG_FILE)
    tiers = [item.tier for _, _, item in catalog.line_items()]
    assert len(catalog.advertiser) >= 5
    assert set(tiers) == set(Tier)
    models = {item.price.model for _, _, item in catalog.line_items() if item.price}
    assert {"cpm", "cpc", "cpa", "flat"} <= models


def test_images_exist_and_have_the_size_that_the_catalog_says() -> None:
    for creative in creatives():
        width, height = creative.size.split("x")
        for url in filter(None, (creative.image, creative.image_dark)):
            root = drawing(file_of(url))
            assert (root.get("width"), root.get("height")) == (width, height), url
            assert root.get("viewBox") == f"0 0 {width} {height}", url


def test_every_drawing_is_used() -> None:
    used = {file_of(url) for c in creatives() for url in (c.image, c.image_dark) if url}
    assert set(svg_files()) == used


def test_many_creatives_have_a_dark_variant_that_differs() -> None:
    pairs = {(c.image, c.image_dark) for c in creatives() if c.image and c.image_dark}
    assert len(pairs) >= 20
    for light, dark in pairs:
        assert file_of(light).read_bytes() != file_of(dark).read_bytes(), light


@pytest.mark.parametrize("path", svg_files(), ids=lambda path: path.stem)
def test_a_drawing_needs_nothing_from_elsewhere_and_runs_nothing(path: Path) -> None:
    for element in drawing(path).iter():
        name = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
        assert name in ELEMENTS
        for key, value in element.attrib.items():
            assert not key.startswith("on") and "href" not in key and key != "style"
            assert set(re.findall(r"url\((.)", value)) <= {"#"}, value
            assert "://" not in value, value


def test_the_html_creative_needs_nothing_from_elsewhere_and_leads_to_its_click() -> None:
    found = [creative for creative in creatives() if creative.kind == "html"]
    assert len(found) == 1
    html, click = found[0].html or "", found[0].click
    assert click == "/demo/advertiser/junkiri-mobile"
    assert '<a href="{click}" target="_blank" rel="noopener sponsored">' in html
    assert html.count("{click}") == 1
    assert not re.search(r"<script|<img|<link|<iframe|src=|url\(|@import|https?:|\son\w+=", html)
    assert "prefers-color-scheme: dark" in html


def test_every_slot_of_an_article_is_filled_at_every_hour_of_a_week() -> None:
    steering, rng = steering_of(demo_catalog(NOW), NOW), Random(1)
    monday = datetime(2026, 11, 23, 0, 30, tzinfo=ZONE)
    wide, narrow = asks(WIDE), asks(NARROW)
    # By turns: both at every hour would take a minute.
    for hour in range(len(DAYS) * 24):
        wanted = narrow if (hour + hour // 24) % 2 else wide
        assert list(unfilled(steering, wanted, monday + timedelta(hours=hour), rng)) == []


def test_house_ads_alone_fill_every_slot() -> None:
    """However the sold line items are drawn, there is one house ad for each slot that they leave."""
    houses = [item for _, _, item in load(CATALOG_FILE).line_items() if item.tier is Tier.HOUSE]
    assert len(houses) >= len(WIDE)
    for house in houses:
        sizes = {creative.size for creative in house.creative}
        assert house.target.model_dump(exclude_none=True) == {}
        assert house.allow_topics == ("conflict",)
        assert (house.start, house.end) == (None, None)
        for ask in (*asks(WIDE), *asks(NARROW)):
            assert sizes & set(ask.sizes or ()), f"{house.name} does not fit {ask}"


def test_every_line_item_is_seen_in_a_week() -> None:
    catalog, rng = demo_catalog(NOW), Random(2)
    steering, seen = steering_of(catalog, NOW), set()
    monday = datetime(2026, 11, 23, 0, 30, tzinfo=ZONE)
    wide, narrow = asks(WIDE), asks(NARROW)
    for hour, section, device in product(range(0, 168, 2), SECTIONS, DEVICES):
        context = Context("ledger", section, (), None, rng.choice(COUNTRIES), device)
        wanted = narrow if device == "mobile" else wide
        decisions = serve(steering, context, wanted, monday + timedelta(hours=hour), rng)
        seen |= {d.choice.item.name for d in decisions if isinstance(d, Fill)}
    assert {item.name for _, _, item in catalog.line_items()} - seen == set()


@pytest.mark.parametrize("day", [datetime(2026, 11, 24, tzinfo=UTC), datetime(2031, 2, 28, tzinfo=UTC)])
def test_flights_lie_around_the_day_on_which_the_demo_is_started(day: datetime) -> None:
    flights = [(i.start, i.end) for _, _, i in demo_catalog(day).line_items() if i.start and i.end]
    assert len(flights) >= 10
    for start, end in flights:
        assert timedelta(days=19) < day - start < timedelta(days=22)
        assert timedelta(days=18) < end - day < timedelta(days=21)
        assert start.astimezone(ZONE).strftime("%H:%M") == "00:00"
    assert all(live_at(item, day) for _, _, item in demo_catalog(day).line_items())


def test_one_day_of_the_site_gives_one_catalog() -> None:
    first = datetime(2026, 11, 24, 0, 0, tzinfo=ZONE)
    last = first + timedelta(days=1, milliseconds=-1)
    assert demo_catalog(first) == demo_catalog(last)
    assert demo_catalog(first) != demo_catalog(last + timedelta(milliseconds=1))
