"""Sampled page requests of the last week → how much more than its share each booking must ask for.

Where more is booked than there is, line items that could go elsewhere should do so in time. λ says by how
much each must overstate what it needs, found by playing the week to come against all bookings: λ rises where
a line item would get less than it needs. Without samples it is 1.
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
from adserver.decision.candidates import find
from adserver.decision.context import Ask, Context
from adserver.decision.index import Index, IndexedSite, PageKey

_WEEK = timedelta(days=7)
_EVER_US = 1 << 62
_ROUNDS, _POWER, _MOST = 10, 0.7, 4.0


class Sample(NamedTuple):
    """One page request as it was made: nothing in it tells who made it."""

    at: datetime
    context: Context
    asks: tuple[Ask, ...]


class Opportunities(NamedTuple):
    """The slots of the week to come, each as often as there are rows that may take it."""

    slots: Ints
    """Number of the slot in `weights`."""
    rows: Ints
    weights: Floats
    """How many real opportunities each slot stands for, less what sponsors take."""


class _Kind(NamedTuple):
    """Who could ever take the slots of a page, in flat arrays: numbers of slots, positions of line items."""

    slots: Ints
    positions: Ints
    slot_count: int


class Week:
    """The week to come of one index. It remembers who could take the slots of which page."""

    def __init__(self, index: Index, rows: Ints) -> None:
        """`rows`: positions of the line items asked about; opportunities name places in it."""
        self._index = index
        count = len(index.items)
        self._row_of = np.full(count, -1, dtype=np.int64)
        self._row_of[rows] = np.arange(len(rows))
        self._asked = bitmap.of_positions(rows.tolist(), count) | index.tiers[Tier.SPONSORSHIP]
        self._shares = np.array([item.share or 0.0 for item in index.items], dtype=float)
        self._start = np.array([to_us(i.start) if i.start else -_EVER_US for i in index.items])
        self._end = np.array([_end_us(item) for item in index.items])
        self._kinds: dict[tuple[PageKey, tuple[Ask, ...]], _Kind] = {}

    def opportunities(self, samples: Sequence[Sample], now: datetime, pages_per_week: float) -> Opportunities:
        """Move each sample to its time in the week that begins now, and look who may serve then."""
        index = self._index
        kinds, times, hours = [], [], []
        for sample in samples:
            site = index.sites.get(sample.context.site)
            if site is not None:
                at_us = to_us(sample.at + _WEEK * -(-(now - sample.at) // _WEEK))
                kinds.append(self._kind(site, sample))
                times.append(at_us)
                hours.append(index.hours.segment(site.zone, at_us))
        if not kinds:
            return Opportunities(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
        first = np.cumsum([0, *(kind.slot_count for kind in kinds)])
        sizes = [len(kind.positions) for kind in kinds]
        slots = np.concatenate([kind.slots for kind in kinds]) + np.repeat(first[:-1], sizes)
        positions = np.concatenate([kind.positions for kind in kinds])
        at = np.repeat(np.array(times), sizes)
        open_hours = self._open(hours)[np.repeat(np.unique(hours, return_inverse=True)[1], sizes), positions]
        able = (self._start[positions] <= at) & (at < self._end[positions]) & open_hours
        slots, positions = slots[able], positions[able]
        taken = np.bincount(slots, self._shares[positions], minlength=first[-1])
        rows = self._row_of[positions]
        weights = (1.0 - np.minimum(taken, 1.0)) * (pages_per_week / len(samples))
        return Opportunities(slots[rows >= 0], rows[rows >= 0], weights)

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
            slots = [site.slots[ask.slot] for ask in sample.asks if ask.slot in site.slots]
            asks = [ask for ask in sample.asks if ask.slot in site.slots]
            takers = [
                bitmap.positions_in(find(self._index, slot, memo[0], -1, ask).eligible & self._asked)
                for slot, ask in zip(slots, asks, strict=True)
            ]
            numbers = np.repeat(np.arange(len(takers)), [len(taker) for taker in takers])
            positions = np.concatenate([*takers, np.zeros(0, dtype=np.int64)])
            kind = self._kinds[memo] = _Kind(numbers, positions, len(takers))
        return kind


def _end_us(item: LineItem) -> int:
    """When a line item's flight ends; one that is paused takes nothing from anybody."""
    if item.paused:
        return -_EVER_US
    return to_us(item.end) if item.end else _EVER_US


def pressure(found: Opportunities, needs: Floats) -> Floats:
    """λ of each row from what it needs within the week to come, in fills; between 1 and 4."""
    count = len(needs)
    weight = found.weights[found.slots]
    supply = np.bincount(found.rows, weight, minlength=count)
    asking = (needs > 0) & (supply > 0)
    press = np.ones(count)
    for _ in range(_ROUNDS):
        share = np.where(asking, np.minimum(1.0, press * needs / np.maximum(supply, 1e-9)), 0.0)
        load = np.bincount(found.slots, share[found.rows], minlength=len(found.weights))
        got = np.bincount(
            found.rows, weight * share[found.rows] / np.maximum(1.0, load[found.slots]), minlength=count
        )
        raised = press * (needs / np.maximum(got, 1e-9)) ** _POWER
        press = np.where(asking, np.clip(raised, 1.0, _MOST), 1.0)
    return press
