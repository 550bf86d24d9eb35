"""Flat days: when they fall due, and how their price is divided among slots, to the micro."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.catalog.model import Catalog
from adserver.clock import bucket_start, local_day, to_ms
from adserver.decision.index import Index
from adserver.measurement.event import Event
from adserver.measurement.flat import FlatDays
from adserver.measurement.token import FillIds
from tests.decision.deciding import index_of
from tests.newsroom import NOW, catalog_of, image, line_item

ZONE = ZoneInfo("Asia/Kathmandu")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: 24 November in Kathmandu.
MIDNIGHT = datetime(2026, 11, 24, tzinfo=ZONE).astimezone(UTC)
TODAY = (date(2026, 11, 24) - date(1970, 1, 1)).days


def sponsor(price: str = "100.00", *sizes: str, **keys: Any) -> dict[str, object]:
    """A sponsorship that pays by the day."""
    return line_item("flat", "sponsorship", *(sizes or ("728x90",)), price={"flat": price}, share=1.0, **keys)


def flat_days(*items: dict[str, object]) -> tuple[Index, FlatDays]:
    """The flat days of a catalog with these line items."""
    index = index_of(catalog_of(*items))
    return index, FlatDays(index, FillIds(1))


def due(flat: FlatDays, index: Index, start: datetime, end: datetime) -> list[tuple[int, int]]:
    """(day, revenue) of all days that fall due between two instants, looked at each minute."""
    found, now = [], start
    while now < end:
        days = flat.due(now, bytearray(len(index.items)))
        found += [(parts[0].day, sum(part.revenue_micros for part in parts)) for parts in days]
        now += MINUTE
    return found


@pytest.mark.parametrize(
    ("keys", "days"),
    [
        ({}, [0, 1, 2]),
        ({"start": MIDNIGHT + DAY}, [1, 2]),
        ({"start": MIDNIGHT + 23 * HOUR}, [0, 1, 2]),
        ({"end": MIDNIGHT + 2 * DAY}, [0, 1]),
        ({"end": MIDNIGHT + 2 * DAY + HOUR}, [0, 1, 2]),
        ({"paused": True}, []),
        ({"target": {"hours": ["wed 08:00-09:00"]}}, [1]),
        ({"target": {"not": {"hours": ["tue-wed"]}}}, [2]),
        ({"target": {"slot": ["side"]}}, []),
        ({"creative": [image("a", "728x90", approved=False)]}, []),
    ],
)
def test_a_day_is_due_once_for_each_local_date_on_which_it_is_active(
    keys: dict[str, Any], days: list[int]
) -> None:
    """From a Tuesday, 24 November, to the Thursday."""
    index, flat = flat_days(sponsor(**keys))
    found = due(flat, index, MIDNIGHT, MIDNIGHT + 3 * DAY)
    assert found == [(TODAY + day, 100_000_000) for day in days]


def test_a_line_item_without_room_owes_nothing_until_there_is_some() -> None:
    _, flat = flat_days(sponsor())
    assert flat.due(NOW, b"\1") == []
    assert len(flat.due(NOW, b"\0")) == 1


def test_others_owe_no_days() -> None:
    index, flat = flat_days(
        sponsor("0.00"),
        line_item("cpm", "price", "728x90", price={"cpm": "4"}),
        line_item("house", "house", "728x90"),
    )
    assert due(flat, index, NOW, NOW + DAY) == []


@given(price=st.integers(1, 10**15), slots=st.integers(1, 40))
def test_the_parts_of_a_day_are_its_price_to_the_micro(price: int, slots: int) -> None:
    catalog = catalog_of(
        sponsor(),
        slot=[
            {"name": f"slot-{n}", "sizes": ["728x90"] if n % 2 == 0 else ["300x250"]}
            for n in range(2 * slots)
        ],
    )
    ((advertiser, campaign, item),) = catalog.line_items()
    assert item.price
    priced = item.model_copy(update={"price": item.price.model_copy(update={"flat": price})})
    campaign = campaign.model_copy(update={"line_item": (priced,)})
    advertiser = advertiser.model_copy(update={"campaign": (campaign,)})
    index = index_of(catalog.model_copy(update={"advertiser": (advertiser,)}))
    (parts,) = FlatDays(index, FillIds(1)).due(NOW, bytearray(1))
    assert sum(part.revenue_micros for part in parts) == price
    assert max(part.revenue_micros for part in parts) - min(part.revenue_micros for part in parts) <= 1
    even = [slot.id for name, slot in index.sites["daily"].slots.items() if int(name[5:]) % 2 == 0]
    assert [part.slot for part in parts] == even
    assert len({part.fill for part in parts}) == len(parts)


def test_a_part_stands_in_its_slot_under_a_creative_that_fits() -> None:
    index, flat = flat_days(sponsor("1.00", "300x250", "728x90"))
    (parts,) = flat.due(NOW, bytearray(1))
    choices = {choice.creative.size: choice.creative_id for choice in index.choices[0]}
    slots = {name: slot.id for name, slot in index.sites["daily"].slots.items()}
    assert {part.slot: part.creative for part in parts} == {
        slots["top"]: choices["728x90"],
        slots["side"]: choices["300x250"],
    }


def two_sites() -> Catalog:
    """A line item on a site in Kathmandu and on one in New York, where dates change half a day later."""
    slot = {"name": "top", "sizes": ["728x90"]}
    sites = [
        {"name": name, "domain": f"{name}.example", "timezone": zone, "currency": "USD", "slot": [slot]}
        for name, zone in (("daily", "Asia/Kathmandu"), ("harbour", "America/New_York"))
    ]
    campaign = {"name": "c", "line_item": [sponsor("10.01")]}
    return Catalog.model_validate({"site": sites, "advertiser": [{"name": "a", "campaign": [campaign]}]})


def test_on_several_sites_a_day_is_one_of_the_first_and_counts_on_each_ones_own_date() -> None:
    index = index_of(two_sites())
    flat = FlatDays(index, FillIds(1))
    found: list[Event] = []
    for minute in range(0, 48 * 60, 7):
        found += [part for parts in flat.due(MIDNIGHT + minute * MINUTE, bytearray(1)) for part in parts]
    assert Counter(part.day for part in found) == {TODAY: 2, TODAY + 1: 2}
    assert sum(part.revenue_micros for part in found) == 2 * 10_010_000
    zones = {site.slots["top"].id: site.zone for site in index.sites.values()}
    for part in found:
        there = local_day(bucket_start(part.bucket), zones[part.slot])
        shift = (part.facts >> 61) - (3 if part.facts >> 61 == 2 else 0)
        assert part.bucket // 96 + shift == there
        assert part.bucket == (part.fill >> 22) // 900_000 == part.at_ms // 900_000


def test_a_new_catalog_tells_them_again_for_the_log_to_judge() -> None:
    index, flat = flat_days(sponsor())
    assert len(flat.due(NOW, bytearray(1))) == 1
    assert flat.due(NOW + MINUTE, bytearray(1)) == []
    ids = FillIds(1)
    ((part,),) = FlatDays(index, ids).due(NOW + MINUTE, bytearray(1))
    assert part.fill >> 22 == to_ms(NOW + MINUTE)
