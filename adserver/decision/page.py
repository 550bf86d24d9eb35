"""Index, standing, ledger, context, instant and luck → one decision for each slot of a page, all at once.

A sponsorship takes its share of voice first. All else competes by score: the slot with the highest best score
is filled first, then the next, under what holds for the page as a whole (`draft`). Roadblocks and companions
are in `sets`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import NamedTuple

from adserver.clock import to_us
from adserver.decision.candidates import Candidates, drawing_of, find, rank
from adserver.decision.context import Ask, BidFill, Context, Decision, Fill, HeaderBid, NoFill, Reason
from adserver.decision.draft import BID, Draft, OpenSlot
from adserver.decision.index import Index, PageKey
from adserver.decision.ledger import Ledger
from adserver.decision.sets import seat_sponsor_sets, sets_of, settle_sets
from adserver.decision.sponsors import Turn
from adserver.decision.standing import Standing
from adserver.decision.tally import Tally

#: What the memo of candidates may take, in bytes.
_MEMO_BYTES = 256_000_000


class Page(NamedTuple):
    """What was decided, in the order asked, and what serving it has to take note of."""

    decisions: Sequence[Decision]
    placed: Sequence[tuple[Candidates, int | None]] = ()
    """The slots that the catalog knows, with who won there: a position, BID, or None."""
    turns: Sequence[Turn] = ()
    """Whose turn it was among sponsors."""
    blocked: frozenset[int] = frozenset()
    """Whom the visitor's tally kept away."""
    stored: bool = True


class Decider:
    """Decides pages against one index, and remembers the candidates of facts that it has met.

    What is remembered only saves work: the same index, standing, ledger, context, instant and `rng` always
    give the same page. `decide` changes nothing; `serve` takes note that a page is served.
    """

    def __init__(self, index: Index, ledger: Ledger, standing: Standing, *, max_memo: int) -> None:
        self.index = index
        self.ledger = ledger
        self.standing = standing
        self.asked: list[Candidates] = []
        """Candidates that pages asked for since the last tick."""
        self.missed: dict[int, int] = {}
        """Position → opportunities since the last tick at which a visitor's caps kept a line item away."""
        self._max_memo = min(max_memo, _MEMO_BYTES // (len(index.items) // 4 + 4000))
        self._flight = -1
        self._pages: dict[tuple[PageKey, int], dict[Ask, Candidates]] = {}
        self._memo_count = 0

    def decide(
        self, context: Context, asks: Sequence[Ask], now: datetime, rng: Random, tally: Tally | None
    ) -> Page:
        """One decision for each slot asked for. `tally` None: nothing may be stored about this visitor."""
        site = self.index.sites.get(context.site)
        if site is None:
            return Page([NoFill(ask.slot, None, Reason.UNKNOWN_SITE) for ask in asks])
        now_us = to_us(now)
        if now_us >= self.ledger.next_midnight_us:
            self.ledger.begin_days(now)
        asked = self._candidates(context, asks, now_us)
        draft = Draft(self.index, self.ledger, self.standing, tally, now_us // 1_000_000)
        blocked = frozenset(draft.blocked)
        bids = [None if c is None else _best_bid(context, c) for c in asked]
        slots = [OpenSlot(n, c, bids[n]) for n, c in enumerate(asked) if c is not None]
        sets = sets_of(self.index, self.standing, site, slots)
        turns = seat_sponsor_sets(draft, self.index, self.ledger, sets) if sets else []
        turns += draft.seat_sponsors(slots)
        if sets:
            draft = settle_sets(draft, slots, sets)
        draft.fill_up(slots, rng)
        places = draft.places
        decisions = [
            NoFill(ask.slot, None, Reason.UNKNOWN_SLOT)
            if candidates is None
            else self._decision(candidates, places.get(number), draft, bids[number], rng)
            for number, (ask, candidates) in enumerate(zip(asks, asked, strict=True))
        ]
        placed = [(slot.candidates, places.get(slot.number)) for slot in slots]
        return Page(decisions, placed, turns, blocked, tally is not None)

    def serve(self, page: Page, now: datetime) -> list[int]:
        """Take note that a page is served: leases, turns, opportunities → what its tally has to count."""
        ledger, index, now_us = self.ledger, self.index, to_us(now)
        subjects: list[int] = []
        for candidates, position in page.placed:
            if not candidates.asked_count:
                self.asked.append(candidates)
            candidates.asked_count += 1
            if not page.stored:
                candidates.unstored_count += 1
            if position is not None and position >= 0:
                ledger.take(position, now_us)
                subjects.extend(index.contenders[position].subjects or ())
        for turn in page.turns:
            ledger.sponsors.settle(turn, index.item_ids)
        for subject in page.blocked:
            for position in index.subject_positions.get(subject, ()):
                count = sum(candidates.eligible >> position & 1 for candidates, _ in page.placed)
                self.missed[position] = self.missed.get(position, 0) + count
        return subjects

    def _candidates(self, context: Context, asks: Sequence[Ask], now_us: int) -> list[Candidates | None]:
        """The candidates of each slot asked for, ranked by the standing of now; None: unknown slot."""
        index, standing = self.index, self.standing
        site = index.sites[context.site]
        self._forget(index.flights.segment(now_us))
        hours = index.hours.segment(site.zone, now_us)
        key = index.page_key(site, context)
        page = self._pages.setdefault((key, hours), {})
        found: list[Candidates | None] = []
        for ask in asks:
            candidates = page.get(ask)
            if candidates is None:
                slot = site.slots.get(ask.slot)
                if slot is None:
                    found.append(None)
                    continue
                live = index.flights.live(self._flight) & index.hours.admitted(hours)
                candidates = page[ask] = find(index, slot, key, live, ask)
                if candidates.shares:
                    candidates.voices = self.ledger.sponsors.voices(slot.id, candidates.shares)
                self._memo_count += 1
            if candidates.ranking.standing != standing.number:
                candidates.ranking = rank(index, candidates, standing, self.ledger.closed)
            found.append(candidates)
        return found

    def _forget(self, flight: int) -> None:
        """Start anew where flights began or ended since, and where too much is remembered."""
        if flight != self._flight or self._memo_count > self._max_memo or len(self._pages) > self._max_memo:
            self._pages.clear()
            self._memo_count = 0
            self._flight = flight

    def _decision(
        self,
        candidates: Candidates,
        position: int | None,
        draft: Draft,
        bid: HeaderBid | None,
        rng: Random,
    ) -> Decision:
        if position is None:
            return candidates.nothing(draft.why_empty(candidates))
        if position == BID:
            slot = candidates.slot
            assert bid, "a bid won where there was none"
            return BidFill(slot.slot.name, slot.id, slot.slot.label, bid)
        fills, edges = drawing_of(self.index, candidates, position)
        return fills[0] if len(fills) == 1 else fills[self._which(fills, edges, rng)]

    def _which(self, fills: Sequence[Fill], edges: Sequence[float], rng: Random) -> int:
        """Which of its creatives a line item shows, by its rotation."""
        choice = fills[0].choice
        rotation = choice.item.rotation
        if rotation == "even":
            return int(rng.random() * len(fills))
        if rotation == "sequential":
            return self.ledger.turn(choice.position) % len(fills)
        if rotation == "optimised":
            promises = [self.standing.rates.promise(fill.slot_id, fill.choice) for fill in fills]
            return promises.index(max(promises))
        return draw(edges, rng)


def _best_bid(context: Context, candidates: Candidates) -> HeaderBid | None:
    """The highest header bid for a slot that pays its floor and has a size that the page can show."""
    if not context.bids:
        return None
    slot = candidates.slot
    able = [
        bid
        for bid in context.bids
        if bid.slot == slot.slot.name and bid.cpm_micros >= slot.slot.floor and bid.size in candidates.sizes
    ]
    return max(able, key=lambda bid: bid.cpm_micros, default=None)


def draw(edges: Sequence[float], rng: Random) -> int:
    """Which of the half-open intervals that end at `edges` a random point falls into, each by its length."""
    i = bisect_right(edges, rng.random() * edges[-1])
    return i if i < len(edges) else i - 1
