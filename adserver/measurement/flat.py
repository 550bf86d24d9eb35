"""A catalog's line items with a flat price, and an instant → the days that fall due, as rows for the log.

A flat day is due once for each local date on which a running server finds its line item active: in flight,
not paused, within its hours, with an approved creative and room in its limits. It does not depend on how
often it was shown. Its price is divided evenly among the slots that one of its creatives fits, micros that
are left over going to the first ones, and counts in the quarter hour in which it falls due: like any other
event, so that no report needs to know of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from adserver.catalog.model import PriceModel
from adserver.clock import BUCKETS_PER_DAY, bucket_of_ms, bucket_start, local_day, to_ms, to_us
from adserver.decision.facts import day_shift
from adserver.decision.index import Index, IndexedSite, IndexedSlot
from adserver.measurement.event import Event, Kind, Validity
from adserver.measurement.token import MODEL_CODES, FillIds, filled_ms


class Place(NamedTuple):
    """A slot that a line item's creative fits, and the time zone of its site."""

    slot_id: int
    creative_id: int
    zone: ZoneInfo


class FlatItem(NamedTuple):
    """A line item that pays by the day, and where it may be shown."""

    position: int
    item_id: int
    price_micros: int
    zone: ZoneInfo
    places: Sequence[Place]


class FlatDays:
    """The flat prices of one catalog version. It tells each day once; the log lets none count twice."""

    def __init__(self, index: Index, ids: FillIds) -> None:
        self._index = index
        self._ids = ids
        self._items = list(_flat_items(index))
        self._told: dict[int, int] = {}

    def due(self, now: datetime, closed: Sequence[int]) -> list[list[Event]]:
        """The days that fall due now, each in parts that belong together.

        `closed`: 1 for each line item, by position, that its limits leave no room.
        """
        now_us, live = to_us(now), 0
        flights, hours = self._index.flights, self._index.hours
        if self._items:
            live = flights.live(flights.segment(now_us))
        days = []
        for item in self._items:
            day = local_day(now, item.zone)
            if self._told.get(item.item_id) == day or closed[item.position]:
                continue
            if (live & hours.admitted(hours.segment(item.zone, now_us))) >> item.position & 1:
                self._told[item.item_id] = day
                days.append(self._parts(item, day, to_ms(now)))
        return days

    def _parts(self, item: FlatItem, day: int, now_ms: int) -> list[Event]:
        each, left_over = divmod(item.price_micros, len(item.places))
        return [
            self._part(item, place, day, now_ms, each + (number < left_over))
            for number, place in enumerate(item.places)
        ]

    def _part(self, item: FlatItem, place: Place, day: int, now_ms: int, revenue_micros: int) -> Event:
        fill = self._ids.next(now_ms)
        bucket = bucket_of_ms(filled_ms(fill))
        there = local_day(bucket_start(bucket), place.zone)
        return Event(
            fill=fill,
            kind=+Kind.FLAT_DAY,
            at_ms=now_ms,
            bucket=bucket,
            day=day,
            slot=place.slot_id,
            item=item.item_id,
            creative=place.creative_id,
            revenue_micros=revenue_micros,
            validity=+Validity.VALID,
            facts=day_shift(there, bucket // BUCKETS_PER_DAY),
            model=MODEL_CODES[PriceModel.FLAT],
        )


def _flat_items(index: Index) -> Iterator[FlatItem]:
    for position in index.flat:
        price = index.items[position].price
        places = [
            _place(index, position, site, slot)
            for site in index.sites.values()
            for slot in site.slots.values()
            if any(fitting >> position & 1 for fitting in slot.fitting.values())
        ]
        if price and price.micros and places:
            yield FlatItem(position, index.item_ids[position], price.micros, index.zones[position], places)


def _place(index: Index, position: int, site: IndexedSite, slot: IndexedSlot) -> Place:
    """With the first creative that fits, so that the part is found under its line item in every report."""
    creative_id = next(
        choice.creative_id for choice in index.choices[position] if choice.creative.size in slot.slot.sizes
    )
    return Place(slot.id, creative_id, site.zone)
