"""Index, context, instant and luck → one decision for each slot of a page.

First version: tiers strictly in order. A sponsorship takes its share of voice, guaranteed line items are
drawn in proportion to what they have to deliver a day, `price` and `network` go to the highest eCPM, house
ads fill what is left. No line item stands twice on a page. Pacing, caps and the page as a whole are to come.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate, compress, count
from random import Random
from typing import NamedTuple

from adserver.catalog.model import Tier
from adserver.clock import to_us
from adserver.decision.context import Ask, Context, Decision, Fill, NoFill, Reason
from adserver.decision.index import Index, IndexedSlot, PageKey

#: How often a draw that hit a line item already on the page is repeated before the rest are listed.
_REDRAWS = 8
_ZERO_OR_ONE = bytes.maketrans(b"01", b"\0\1")


class Lottery(NamedTuple):
    """Line items by position, and the running sums of their weights."""

    positions: Sequence[int]
    edges: Sequence[float]


#: A line item's fills of one slot, one per creative that fits, and the running sums of their weights.
Drawing = tuple[Sequence[Fill], Sequence[float]]


@dataclass(slots=True)
class Candidates:
    """The line items eligible for one slot of pages with the same facts, ready to choose from."""

    slot: IndexedSlot
    sizes: tuple[str, ...]
    eligible: int
    sponsors: Lottery
    guaranteed: Lottery
    nothing: NoFill
    """The answer when none of them is free."""
    drawings: dict[int, Drawing] = field(default_factory=dict)


class Decider:
    """Decides pages against one index, and remembers the candidates of facts that it has met.

    What is remembered only saves work: the same index, context, instant and `rng` always give the same page.
    """

    def __init__(self, index: Index, *, max_memo: int) -> None:
        self.index = index
        self._max_memo = max_memo
        self._flight = -1
        self._pages: dict[tuple[PageKey, int], dict[Ask, Candidates]] = {}
        self._memo_count = 0

    def decide(
        self, context: Context, asks: Sequence[Ask], now: datetime, rng: Random
    ) -> tuple[Decision, ...]:
        """One decision for each slot asked for, in the order asked.

        Facts that no line item tells apart change nothing.
        """
        site = self.index.sites.get(context.site)
        if site is None:
            return tuple(NoFill(ask.slot, None, Reason.UNKNOWN_SITE) for ask in asks)
        now_us = to_us(now)
        self._forget(self.index.flights.segment(now_us))
        hours = self.index.hours.segment(site.zone, now_us)
        key = self.index.page_key(context)
        page = self._pages.setdefault((key, hours), {})
        used = 0
        decisions: list[Decision] = []
        for ask in asks:
            candidates = page.get(ask)
            if candidates is None:
                slot = site.slots.get(ask.slot)
                if slot is None:
                    decisions.append(NoFill(ask.slot, None, Reason.UNKNOWN_SLOT))
                    continue
                candidates = page[ask] = self._candidates(slot, key, hours, ask)
                self._memo_count += 1
            position = self._choose(candidates, used, rng)
            if position is None:
                decisions.append(candidates.nothing)
                continue
            used |= 1 << position
            fills, edges = candidates.drawings.get(position) or self._drawing(candidates, position)
            decisions.append(fills[0] if len(fills) == 1 else fills[draw(edges, rng)])
        return tuple(decisions)

    def _forget(self, flight: int) -> None:
        """Start anew where flights began or ended since, and where too much is remembered."""
        if flight != self._flight or self._memo_count > self._max_memo or len(self._pages) > self._max_memo:
            self._pages.clear()
            self._memo_count = 0
            self._flight = flight

    def _candidates(self, slot: IndexedSlot, key: PageKey, hours: int, ask: Ask) -> Candidates:
        index, sizes = self.index, offered_sizes(slot, ask)
        passing = self._passing(slot, key, hours, sizes)
        eligible = passing & slot.paying & ~index.sensitive_to(key)
        sponsors = positions_of(eligible & index.tiers[Tier.SPONSORSHIP])
        shares = [index.items[i].share or 0.0 for i in sponsors]
        chosen = _selector(eligible & index.tiers[Tier.GUARANTEED])
        return Candidates(
            slot=slot,
            sizes=sizes,
            eligible=eligible,
            sponsors=_lottery(sponsors, shares),
            guaranteed=_lottery(list(compress(count(), chosen)), list(compress(index.daily_goals, chosen))),
            nothing=NoFill(slot.slot.name, slot.id, _why_empty(slot, sizes, passing, eligible)),
        )

    def _passing(self, slot: IndexedSlot, key: PageKey, hours: int, sizes: tuple[str, ...]) -> int:
        """Who passes targeting, dates, hours and sizes; floors and sensitive topics apart."""
        fitting = 0
        for size in sizes:
            fitting |= slot.fitting[size]
        index = self.index
        return fitting & index.targeted(key) & index.flights.live(self._flight) & index.hours.admitted(hours)

    def _choose(self, candidates: Candidates, used: int, rng: Random) -> int | None:
        """The line item, by position, that gets the slot."""
        sponsors = candidates.sponsors
        if sponsors.positions:
            # Shares are of all requests: beyond their sum, or with the sponsor on the page, others go.
            i = bisect_right(sponsors.edges, rng.random() * max(1.0, sponsors.edges[-1]))
            if i < len(sponsors.positions) and not used >> sponsors.positions[i] & 1:
                return sponsors.positions[i]
        if candidates.guaranteed.positions:
            position = _draw_unused(candidates.guaranteed, used, rng)
            if position is not None:
                return position
        index = self.index
        free = candidates.eligible & ~used
        for tier in (Tier.PRICE, Tier.NETWORK, Tier.HOUSE):
            bits = free & index.tiers[tier]
            if bits:
                best = (bits & -bits).bit_length() - 1
                return pick_bit(bits & index.peers[tier, index.ecpms[best]], rng)
        return None

    def _drawing(self, candidates: Candidates, position: int) -> Drawing:
        """The fills by which a line item may be drawn in a slot, with the weights of their creatives."""
        slot = candidates.slot
        fitting = [
            choice for choice in self.index.choices[position] if choice.creative.size in candidates.sizes
        ]
        fills = tuple(Fill(slot.slot.name, slot.id, slot.slot.label, choice) for choice in fitting)
        edges = tuple(accumulate(float(choice.creative.weight) for choice in fitting))
        drawing = candidates.drawings[position] = (fills, edges)
        return drawing


def _why_empty(slot: IndexedSlot, sizes: Sequence[str], passing: int, eligible: int) -> Reason:
    """Why a slot stays empty when none of the eligible line items, if there are any, is free."""
    if not sizes:
        return Reason.NO_SIZE
    if eligible:
        return Reason.REPEATED
    if not passing:
        return Reason.NO_ELIGIBLE
    return Reason.TOPIC_EXCLUDED if passing & slot.paying else Reason.BELOW_FLOOR


def offered_sizes(slot: IndexedSlot, ask: Ask) -> tuple[str, ...]:
    """The slot's sizes that the page can show, in the slot's order."""
    sizes = slot.slot.sizes
    if ask.sizes is not None:
        sizes = tuple(size for size in sizes if size in ask.sizes)
    if ask.width is not None:
        sizes = tuple(size for size in sizes if int(size.partition("x")[0]) <= ask.width)
    return sizes


def positions_of(bits: int) -> Sequence[int]:
    """Positions of the set bits, ascending."""
    return list(compress(count(), _selector(bits)))


def _selector(bits: int) -> bytes:
    """A bitmap as one byte per bit, lowest first: what `compress` takes, without a step of Python per bit."""
    return bin(bits)[:1:-1].encode().translate(_ZERO_OR_ONE)


def pick_bit(bits: int, rng: Random) -> int:
    """The position of one set bit, each as likely; there must be one."""
    size = bits.bit_count()
    if size == 1:
        return bits.bit_length() - 1
    return positions_of(bits)[int(rng.random() * size)]


def _lottery(positions: Sequence[int], weights: Sequence[float]) -> Lottery:
    return Lottery(tuple(positions), tuple(accumulate(weights)))


def draw(edges: Sequence[float], rng: Random) -> int:
    """Which of the half-open intervals that end at `edges` a random point falls into, each by its length."""
    i = bisect_right(edges, rng.random() * edges[-1])
    return i if i < len(edges) else i - 1


def _draw_unused(lottery: Lottery, used: int, rng: Random) -> int | None:
    """A draw in proportion to weights among the line items that are not on the page yet.

    Drawing again until one is free gives exactly that proportion; the list is cut only where this takes long.
    """
    positions, edges = lottery
    for _ in range(_REDRAWS):
        position = positions[draw(edges, rng)]
        if not used >> position & 1:
            return position
    starts = (0.0, *edges[:-1])
    free = [
        (position, edge - start)
        for position, start, edge in zip(positions, starts, edges, strict=True)
        if not used >> position & 1
    ]
    if not free:
        return None
    return free[draw(list(accumulate(weight for _, weight in free)), rng)][0]
