"""Index, context, instant and luck → one decision for each slot of a page.

First version: tiers strictly in order. A sponsorship takes its share of voice, guaranteed line items are
drawn in proportion to what they have to deliver a day, `price` and `network` go to the highest eCPM, house
ads fill what is left. No line item stands twice on a page. Pacing, caps and the page as a whole are to come.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, compress, count
from random import Random

from adserver.catalog.model import Tier
from adserver.clock import to_us
from adserver.decision.context import Ask, Choice, Context, Decision, Fill, NoFill, Reason
from adserver.decision.index import Index, IndexedSlot, PageKey

#: How often a draw that hit a line item already on the page is repeated before the rest are listed.
_REDRAWS = 8
_ZERO_OR_ONE = bytes.maketrans(b"01", b"\0\1")


@dataclass(frozen=True, slots=True)
class Lottery:
    """Line items by position, and the running sums of their weights."""

    positions: Sequence[int]
    edges: Sequence[float]

    def draw(self, point: float) -> int | None:
        """The position whose half-open interval holds a point; None beyond the last."""
        i = bisect_right(self.edges, point)
        return self.positions[i] if i < len(self.positions) else None


@dataclass(frozen=True, slots=True)
class Candidates:
    """The line items eligible for one slot of pages with the same facts, ready to choose from."""

    slot: IndexedSlot
    sizes: tuple[str, ...]
    eligible: int
    sponsors: Lottery
    guaranteed: Lottery


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
        self._choices: dict[tuple[int, tuple[str, ...]], tuple[Lottery, Sequence[Choice]]] = {}

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
                reason = self._why_empty(candidates, key, hours)
                decisions.append(NoFill(ask.slot, candidates.slot.id, reason))
                continue
            used |= 1 << position
            slot = candidates.slot
            choice = self._creative(position, candidates.sizes, rng)
            decisions.append(Fill(ask.slot, slot.id, slot.slot.label, choice))
        return tuple(decisions)

    def _forget(self, flight: int) -> None:
        """Start anew where flights began or ended since, and where too much is remembered."""
        if flight != self._flight or self._memo_count > self._max_memo or len(self._pages) > self._max_memo:
            self._pages.clear()
            self._memo_count = 0
            self._flight = flight

    def _candidates(self, slot: IndexedSlot, key: PageKey, hours: int, ask: Ask) -> Candidates:
        index, sizes = self.index, offered_sizes(slot, ask)
        eligible = self._passing(slot, key, hours, sizes) & slot.paying & ~index.sensitive_to(key)
        sponsors = positions_of(eligible & index.tiers[Tier.SPONSORSHIP])
        shares = [index.items[i].share or 0.0 for i in sponsors]
        chosen = _selector(eligible & index.tiers[Tier.GUARANTEED])
        guaranteed = tuple(compress(count(), chosen))
        edges = tuple(accumulate(compress(index.daily_goals, chosen)))
        return Candidates(slot, sizes, eligible, _lottery(sponsors, shares), Lottery(guaranteed, edges))

    def _passing(self, slot: IndexedSlot, key: PageKey, hours: int, sizes: tuple[str, ...]) -> int:
        """Who passes targeting, dates, hours and sizes; floors and sensitive topics apart."""
        fitting = 0
        for size in sizes:
            fitting |= slot.fitting[size]
        index = self.index
        return fitting & index.targeted(key) & index.flights.live(self._flight) & index.hours.admitted(hours)

    def _why_empty(self, candidates: Candidates, key: PageKey, hours: int) -> Reason:
        if not candidates.sizes:
            return Reason.NO_SIZE
        if candidates.eligible:
            return Reason.REPEATED
        slot = candidates.slot
        passing = self._passing(slot, key, hours, candidates.sizes)
        if not passing:
            return Reason.NO_ELIGIBLE
        return Reason.BELOW_FLOOR if not passing & slot.paying else Reason.TOPIC_EXCLUDED

    def _choose(self, candidates: Candidates, used: int, rng: Random) -> int | None:
        """The line item, by position, that gets the slot."""
        if candidates.sponsors.positions:
            # Shares are of all requests: beyond their sum, or with the sponsor on the page, others go.
            total = max(1.0, candidates.sponsors.edges[-1])
            sponsor = candidates.sponsors.draw(rng.random() * total)
            if sponsor is not None and not used >> sponsor & 1:
                return sponsor
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

    def _creative(self, position: int, sizes: tuple[str, ...], rng: Random) -> Choice:
        """One of the line item's creatives that fit, in proportion to their weights."""
        known = self._choices.get((position, sizes))
        if known is None:
            if len(self._choices) > self._max_memo:
                self._choices.clear()
            fits = [choice for choice in self.index.choices[position] if choice.creative.size in sizes]
            lottery = _lottery(range(len(fits)), [choice.creative.weight for choice in fits])
            known = self._choices[position, sizes] = (lottery, fits)
        lottery, fitting = known
        drawn = lottery.draw(rng.random() * lottery.edges[-1]) if len(fitting) > 1 else 0
        return fitting[-1 if drawn is None else drawn]


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


def _draw_unused(lottery: Lottery, used: int, rng: Random) -> int | None:
    """A draw in proportion to weights among the line items that are not on the page yet.

    Drawing again until one is free gives exactly that proportion; the list is cut only where this takes long.
    """
    for _ in range(_REDRAWS):
        position = lottery.draw(rng.random() * lottery.edges[-1])
        if position is not None and not used >> position & 1:
            return position
    starts = (0.0, *lottery.edges[:-1])
    free = [
        (position, edge - start)
        for position, start, edge in zip(lottery.positions, starts, lottery.edges, strict=True)
        if not used >> position & 1
    ]
    if not free:
        return None
    rest = _lottery([position for position, _ in free], [weight for _, weight in free])
    drawn = rest.draw(rng.random() * rest.edges[-1])
    return free[-1][0] if drawn is None else drawn
