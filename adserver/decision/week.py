"""Sampled page requests of the last week → who could take which slot of the week to come.

Nothing is forecast beyond this: that the week to come will be like the last one, as many pages as come now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from adserver.catalog.model import LineItem, Tier
from adserver.clock import to_us
from adserver.decision import bitmap
from adserver.decision.arrays import Flags, Floats, Ints
from adserver.decision.candidates import find, passing_of
from adserver.decision.context import Ask, Context
from adserver.decision.index import Index, IndexedSite, IndexedSlot, PageKey
from adserver.decision.rates import Rates

WEEK = timedelta(days=7)
_EVER_US = 1 << 62
#: So many pairs of a slot and who could take it are looked at; of more, every so manieth sample is.
_MOST_PAIRS = 1_500_000
#: So many kinds of pages are remembered.
_MOST_KINDS = 5_000


class Sample(NamedTuple):
    """One page request as it was made: nothing in it tells who made it."""

    at: datetime
    context: Context
    asks: tuple[Ask, ...]


def thinned(samples: Sequence[Sample], most: int) -> list[Sample]:
    """So many of them at most, evenly."""
    return [*samples[:: max(1, -(-len(samples) // most))]]


class Supply(NamedTuple):
    """The slots of the week to come in the order of time, and a pair for each slot and row that may take it.

    Prices are in currency units per thousand impressions.
    """

    slots: Ints
    """Number of each pair's slot, in the next two."""
    weights: Floats
    """How many real opportunities each slot stands for, less what sponsors take."""
    outside: Floats
    """What the best of those pays that no goal or budget limits; 0 if there is none."""
    rows: Ints
    """Each pair's row."""
    pages: Ints
    """Number of each pair's page."""
    ecpms: Floats
    """What each pair's row is expected to pay in its slot."""


class _Kind(NamedTuple):
    """Who could ever take the slots of a page, in flat arrays: numbers of slots, positions of line items."""

    places: Sequence[IndexedSlot]
    slots: Ints
    positions: Ints
    unlimited: Sequence[Ints]
    """Positions, per slot."""


_NONE, _NO_AMOUNT = np.zeros(0, dtype=np.int64), np.zeros(0)
_NOTHING = Supply(_NONE, _NO_AMOUNT, _NO_AMOUNT, _NONE, _NONE, _NO_AMOUNT)


class Week:
    """The week to come of one index. It remembers who could take the slots of which page."""

    def __init__(self, index: Index, rows: Ints) -> None:
        """`rows`: positions of the line items asked about; a supply names places in it."""
        self._index = index
        count = len(index.items)
        self._row_of = np.full(count, -1, dtype=np.int64)
        self._row_of[rows] = np.arange(len(rows))
        mine = bitmap.of_positions(rows.tolist(), count)
        self._asked = mine | index.tiers[Tier.SPONSORSHIP]
        self._unlimited = (index.tiers[Tier.PRICE] | index.tiers[Tier.NETWORK]) & ~mine
        self._shares = np.array([item.share or 0.0 for item in index.items], dtype=float)
        self._start = np.array([to_us(i.start) if i.start else -_EVER_US for i in index.items])
        self._end = np.array([_end_us(item) for item in index.items])
        self._kinds: dict[tuple[PageKey, tuple[Ask, ...]], _Kind] = {}

    def supply(self, samples: Sequence[Sample], rates: Rates, now: datetime, pages_per_week: float) -> Supply:
        """Move each sample to its time in the week that begins now, and look who may serve then."""
        moved = sorted(
            (sample.at + WEEK * -(-(now - sample.at) // WEEK), n)
            for n, sample in enumerate(samples)
            if sample.context.site in self._index.sites
        )
        sites = self._index.sites
        kinds = [self._kind(sites[samples[n].context.site], samples[n]) for _, n in moved]
        step = -(-sum(len(kind.positions) for kind in kinds) // _MOST_PAIRS)
        moved, kinds = moved[:: max(step, 1)], kinds[:: max(step, 1)]
        if not any(kind.places for kind in kinds):
            return _NOTHING
        hours = [self._index.hours.segment(sites[samples[n].context.site].zone, to_us(at)) for at, n in moved]
        return self._joined(kinds, [to_us(at) for at, _ in moved], hours, rates, pages_per_week)

    def _joined(
        self,
        kinds: Sequence[_Kind],
        times: Sequence[int],
        hours: Sequence[int],
        rates: Rates,
        pages_per_week: float,
    ) -> Supply:
        """One page after the other as one table. `times`: in µs since 1970; `hours`: segments of the week."""
        first = np.cumsum([0, *(len(kind.places) for kind in kinds)])
        sizes = [len(kind.positions) for kind in kinds]
        pages = np.repeat(np.arange(len(kinds)), sizes)
        slots = np.concatenate([kind.slots for kind in kinds]) + first[pages]
        positions = np.concatenate([kind.positions for kind in kinds])
        at = np.array(times)[pages]
        open_hours = self._open(hours)[np.unique(hours, return_inverse=True)[1][pages], positions]
        able = (self._start[positions] <= at) & (at < self._end[positions]) & open_hours
        pages, slots, positions = pages[able], slots[able], positions[able]
        taken = np.bincount(slots, self._shares[positions], minlength=first[-1])
        mine = self._row_of[positions] >= 0
        pages, slots, positions = pages[mine], slots[mine], positions[mine]
        return Supply(
            slots=slots,
            weights=(1.0 - np.minimum(taken, 1.0)) * (pages_per_week / len(kinds)),
            outside=self._outside(kinds, times[0], rates),
            rows=self._row_of[positions],
            pages=pages,
            ecpms=_ecpms(kinds, slots, positions, rates),
        )

    def _outside(self, kinds: Sequence[_Kind], now_us: int, rates: Rates) -> Floats:
        """What each slot earns without anybody who has a goal or a budget."""
        best: dict[int, list[float]] = {}
        for kind in kinds:
            if id(kind) not in best:
                running = [positions[self._end[positions] > now_us] for positions in kind.unlimited]
                best[id(kind)] = [
                    float(rates.ecpms(place)[positions].max(initial=0.0))
                    for place, positions in zip(kind.places, running, strict=True)
                ]
        return np.array([ecpm for kind in kinds for ecpm in best[id(kind)]])

    def _open(self, hours: Sequence[int]) -> Flags:
        """[segment of the week among those given, position]: whether a line item's hours admit it."""
        count = len(self._index.items)
        flags = np.zeros((len(set(hours)), count), dtype=bool)
        for number, segment in enumerate(sorted(set(hours))):
            flags[number, bitmap.positions_in(self._index.hours.admitted(segment))] = True
        return flags

    def _kind(self, site: IndexedSite, sample: Sample) -> _Kind:
        memo = (self._index.page_key(site, sample.context), sample.asks)
        kind = self._kinds.get(memo)
        if kind is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            asks = [ask for ask in sample.asks if ask.slot in site.slots]
            places = [site.slots[ask.slot] for ask in asks]
            passing = passing_of(self._index, memo[0], live=-1)
            eligible = [
                find(self._index, place, passing, ask).eligible
                for place, ask in zip(places, asks, strict=True)
            ]
            takers = [bitmap.positions_in(bits & self._asked) for bits in eligible]
            numbers = np.repeat(np.arange(len(takers)), [len(taker) for taker in takers])
            positions = np.concatenate([*takers, np.zeros(0, dtype=np.int64)])
            unlimited = [bitmap.positions_in(bits & self._unlimited) for bits in eligible]
            kind = self._kinds[memo] = _Kind(places, numbers, positions, unlimited)
        return kind


def _ecpms(kinds: Sequence[_Kind], slots: Ints, positions: Ints, rates: Rates) -> Floats:
    """What each pair's line item is expected to pay in its slot."""
    places = [place for kind in kinds for place in kind.places]
    distinct = {place.id: place for place in places}
    numbers = {slot_id: number for number, slot_id in enumerate(distinct)}
    table = np.stack([rates.ecpms(place) for place in distinct.values()])
    ecpms: Floats = table[np.array([numbers[place.id] for place in places])[slots], positions]
    return ecpms


def _end_us(item: LineItem) -> int:
    """When a line item's flight ends; one that is paused takes nothing from anybody."""
    if item.paused:
        return -_EVER_US
    return to_us(item.end) if item.end else _EVER_US
