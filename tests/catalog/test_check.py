"""Warnings: what is allowed in a catalog but looks unintended, and what is not acted on yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from adserver.catalog.check import check, warn
from adserver.catalog.model import Cap, Catalog
from tests.strategies import NOW, catalogs

LINE_ITEM = "f: advertiser.a.campaign.c.line_item"
CREATIVE = {"name": "ad", "kind": "html", "size": "970x250", "html": "x"}


def catalog(*items: dict[str, Any], floor: str = "0.50", caps: Sequence[dict[str, Any]] = ()) -> Catalog:
    """One site with two slots, and line items that are `house` unless they say otherwise."""
    slots = [
        {"name": "top", "sizes": ["970x250", "728x90"], "floor": floor},
        {"name": "side", "sizes": ["300x250"], "floor": "2.00"},
    ]
    site = {"name": "daily", "domain": "d.example", "timezone": "UTC", "currency": "USD", "slot": slots}
    filled = [{"name": f"l{n}", "tier": "house"} | item for n, item in enumerate(items)]
    campaign = {"name": "c", "line_item": filled, "caps": caps}
    return Catalog.model_validate(
        {"site": [site], "advertiser": [{"name": "a", "campaign": [campaign]}]}, by_alias=True
    )


def warnings(*items: dict[str, Any], floor: str = "0.50", caps: Sequence[dict[str, Any]] = ()) -> list[str]:
    """With a creative in each line item that has none given."""
    drawn = [{"creative": [CREATIVE | {"name": f"ad{n}"}]} | item for n, item in enumerate(items)]
    return [str(warning) for warning in warn(catalog(*drawn, floor=floor, caps=caps), "f", NOW)]


def test_a_plain_line_item_has_none() -> None:
    assert warnings({}) == []


def test_nothing_to_draw() -> None:
    assert warnings({"creative": []}) == [f"{LINE_ITEM}.l0: has no creative, so it never serves"]


def test_nothing_approved() -> None:
    pending = CREATIVE | {"approved": False}
    assert warnings({"creative": [pending]}) == [
        f"{LINE_ITEM}.l0.creative: none is approved, so it never serves"
    ]
    assert warnings({"creative": [pending, CREATIVE | {"name": "other"}]}) == []


@pytest.mark.parametrize("key", ["together", "companions"])
def test_a_set_of_one_slot(key: str) -> None:
    assert warnings({key: True}) == []
    assert warnings({key: True, "target": {"not": {"slot": ["side"]}}}) == [
        f"{LINE_ITEM}.l0.{key}: it can reach only one slot of a page"
    ]


def test_caps_that_are_never_reached() -> None:
    day, week = {"impressions": 5, "per": "1d"}, {"impressions": 3, "per": "7d"}
    assert warnings({"caps": [day, week]}) == [
        f"{LINE_ITEM}.l0.caps[0]: 5 per 1d is never reached: 3 per 7d comes first"
    ]
    assert warnings({"caps": [day, week | {"impressions": 6}]}) == []
    assert warnings({"caps": [day]}, caps=[week]) == [
        f"{LINE_ITEM}.l0.caps[0]: 5 per 1d is never reached: 3 per 7d comes first"
    ]
    assert warnings({"caps": [week]}, caps=[week]) == [], "the same cap on both says nothing wrong"
    assert warnings({}, caps=[week, day]) == [
        "f: advertiser.a.campaign.c.caps[1]: 5 per 1d is never reached: 3 per 7d comes first"
    ]


def test_windows_in_seconds() -> None:
    windows = {"1m": 60, "90m": 5400, "12h": 43_200, "7d": 604_800, "9999d": 863_913_600}
    assert {per: Cap.model_validate({"impressions": 1, "per": per}).seconds for per in windows} == windows


def test_a_creative_that_fits_no_slot_beside_one_that_does() -> None:
    small = CREATIVE | {"name": "small", "size": "1x1"}
    assert warnings({"creative": [CREATIVE, small]}) == [
        f"{LINE_ITEM}.l0.creative.small: none of its slots offers its size 1x1"
    ]


def test_no_slot_left() -> None:
    target = {"slot": ["top"], "not": {"slot": ["top"]}}
    assert warnings({"target": target}) == [f"{LINE_ITEM}.l0.target: there is no slot that it can reach"]


def test_a_flight_that_has_ended_half_open() -> None:
    assert warnings({"end": NOW}) == [f"{LINE_ITEM}.l0.end: the flight has ended"]
    assert warnings({"end": NOW.replace(minute=31)}) == []


@pytest.mark.parametrize(("cpm", "count"), [("0.49", 1), ("0.50", 0)])
def test_a_price_below_the_floor_of_the_slots_that_fit(cpm: str, count: int) -> None:
    expected = (
        f"{LINE_ITEM}.l0.price.cpm: {cpm} is below the floor of every slot that it can reach "
        "(the lowest is 0.50)"
    )
    assert warnings({"tier": "price", "price": {"cpm": cpm}}) == [expected] * count
    assert warnings({"tier": "house", "price": {"cpm": cpm}}) == [], "house ads have no floor"


def sponsor(share: float, start: int | None = None, end: int | None = None) -> dict[str, Any]:
    """A sponsorship in days of December."""
    days = {"start": start, "end": end}
    flight = {key: datetime(2026, 12, day, tzinfo=UTC) for key, day in days.items() if day}
    return {"tier": "sponsorship", "share": share, "target": {"slot": ["top"]}} | flight


def test_shares_that_promise_more_than_the_whole() -> None:
    assert warnings(sponsor(0.6, 1, 10), sponsor(0.5, 9), sponsor(0.4, 10)) == [
        "f: site.daily.slot.top: sponsorships whose flights overlap have shares of 1.1 together (l0, l1); "
        "unless their other targeting keeps them apart, each gets less"
    ]


def test_shares_that_add_up_to_the_whole_or_follow_each_other() -> None:
    assert warnings(*(sponsor(share) for share in (0.7, 0.2, 0.1))) == []
    assert warnings(sponsor(1, 1, 10), sponsor(1, 10, 20)) == []
    assert warnings(sponsor(1), sponsor(1) | {"paused": True}) == []


def test_an_order_that_nobody_can_report() -> None:
    item = {"tier": "network", "price": {"cpa": "5"}}
    assert warnings(item) == [
        f"{LINE_ITEM}.l0.price.cpa: no click URL of its creatives has {{fill}}, "
        "by which the advertiser reports an order"
    ]
    assert warnings(item | {"creative": [CREATIVE | {"click": "https://bank.example/?ad={fill}"}]}) == []


def test_a_day_that_no_budget_has_room_for() -> None:
    item = {"tier": "price", "price": {"flat": "5"}}
    assert warnings(item | {"budget": "5.00", "daily_budget": "5.00"}) == []
    assert warnings(item | {"budget": "9.00", "daily_budget": "4.50"}) == [
        f"{LINE_ITEM}.l0.price.flat: a day at 5.00 is more than daily_budget 4.50, so it never serves"
    ]


def test_a_macro_that_is_none() -> None:
    click = "https://bank.example/{fill}?ad={fil}&x={}&y={A}"
    assert warnings({"creative": [CREATIVE | {"click": click}]}) == [
        f"{LINE_ITEM}.l0.creative.ad.click: {{fil}} stands for nothing; {{fill}} is the fill"
    ]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(catalogs(groups=True, pages=True))
def test_a_valid_catalog_has_no_faults_and_warns_without_failing(random_catalog: Catalog) -> None:
    assert check(random_catalog, "f") == []
    reported = warn(random_catalog, "f", NOW)
    assert len(set(reported)) == len(reported)
