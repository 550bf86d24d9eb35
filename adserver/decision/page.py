"""Index, standing, ledger, context, instant and luck → one decision for each slot of a page, all at once.

A sponsorship takes its share of voice first. All else competes by score: the slot with the highest best score
is filled first, then the next, under what holds for the page as a whole (`draft`). Roadblocks and companions
are in `sets`. What was decided is kept for the next page that is the same in all that had a part in it
(`memo`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from random import Random

from adserver.clock import to_us
from adserver.decision.candidates import Candidates, drawing_of
from adserver.decision.context import Ask, BidFill, Context, Decision, Fill, HeaderBid, NoFill, Reason
from adserver.decision.draft import BID, Draft, Lots
from adserver.decision.index import Index, IndexedSite
from adserver.decision.ledger import Ledger
from adserver.decision.memo import Answer, Asked, Memo, Page
from adserver.decision.sets import seat_sponsor_sets, sets_of, settle_sets
from adserver.decision.standing import Standing
from adserver.decision.tally import Tally

_NOBODY: frozenset[int] = frozenset()


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
        self._memo = Memo(index, ledger, max_memo)

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
        asked = self._memo.asked(site, context, asks, now_us, self.standing)
        now_s = now_us // 1_000_000
        blocked = _NOBODY if tally is None else frozenset(tally.blocked(self.index.caps, now_s))
        unstored = tally is None
        seats = None if context.bids else asked.seats(self.index, self.ledger, unstored, blocked)
        answer, drawn = asked.answer(seats.key, rng) if seats else (None, ())
        if answer is None:
            lots = Lots(rng, drawn)
            answer, steady = self._decided(site, context, asked, now_s, tally, blocked, lots)
            if seats and steady:
                self._memo.keep(asked, seats.key, lots.drawn, answer)
        elif seats:
            answer = answer.seating(self.index, asked.slots, seats)
        return self._drawn(answer, rng)

    def _decided(
        self,
        site: IndexedSite,
        context: Context,
        asked: Asked,
        now_s: int,
        tally: Tally | None,
        blocked: frozenset[int],
        lots: Lots,
    ) -> tuple[Answer, bool]:
        """Who stands where, and whether the next page like this one gets the same."""
        draft = Draft(self.index, self.ledger, self.standing, tally, now_s, blocked)
        slots = asked.slots
        if context.bids:
            slots = [slot._replace(bid=_best_bid(context, slot.candidates)) for slot in slots]
        sets = sets_of(self.index, self.standing, site, slots) if asked.together else []
        turns = seat_sponsor_sets(draft, self.index, self.ledger, sets) if sets else []
        turns += draft.seat_sponsors(slots)
        if sets:
            draft = settle_sets(draft, slots, sets)
        draft.fill_up(slots, lots)
        places = draft.places
        decisions, drawings = list(asked.unknown), []
        for number, candidates, bid in slots:
            place = places.get(number)
            if place is not None and place >= 0:
                drawing = drawing_of(self.index, candidates, place)
                decisions[number] = drawing.fills[0]
                if len(drawing.fills) > 1:
                    drawings.append((number, drawing))
            else:
                decisions[number] = _unsold(candidates, place, bid, draft)
        placed = [(slot.candidates, places.get(slot.number)) for slot in slots]
        answer = Answer(Page(decisions, placed, turns, blocked, tally is not None), drawings)
        # Only pages without header bids are kept, and so without BID among the places.
        steady = not context.bids and all(self.index.contenders[place].plain for place in places.values())
        return answer, steady

    def _drawn(self, answer: Answer, rng: Random) -> Page:
        """The page, with a creative chosen for each line item that has several."""
        page, drawings = answer
        if not drawings:
            return page
        decisions = list(page.decisions)
        earlier: dict[int, int] = {}
        for number, (fills, edges) in drawings:
            position = fills[0].choice.position
            decisions[number] = fills[self._which(fills, edges, earlier.get(position, 0), rng)]
            earlier[position] = earlier.get(position, 0) + 1
        return page._replace(decisions=decisions)

    def serve(self, page: Page, now: datetime, *, offered: bool = False) -> list[int]:
        """Take note that a page is served: leases, turns, opportunities → what its tally has to count.

        `offered`: its fills are bids in an auction elsewhere, of which most are lost.
        """
        ledger, index, now_us = self.ledger, self.index, to_us(now)
        subjects: list[int] = []
        for candidates, position in page.placed:
            if not candidates.asked_count:
                self.asked.append(candidates)
            candidates.asked_count += 1
            if not page.stored:
                candidates.unstored_count += 1
            if position is not None and position >= 0:
                ledger.take(position, now_us, offered=offered)
                subjects.extend(index.contenders[position].subjects or ())
        for turn in page.turns:
            ledger.sponsors.settle(turn, index.item_ids)
        for subject in page.blocked:
            for position in index.subject_positions.get(subject, ()):
                count = sum(candidates.eligible >> position & 1 for candidates, _ in page.placed)
                self.missed[position] = self.missed.get(position, 0) + count
        return subjects

    def _which(self, fills: Sequence[Fill], edges: Sequence[float], earlier: int, rng: Random) -> int:
        """Which of its creatives a line item shows, that has so many slots of the page before."""
        choice = fills[0].choice
        rotation = choice.item.rotation
        if rotation == "even":
            return int(rng.random() * len(fills))
        if rotation == "sequential":
            return (self.ledger.turn(choice.position) + earlier) % len(fills)
        if rotation == "optimised":
            promises = [self.standing.rates.promise(fill.slot_id, fill.choice) for fill in fills]
            return promises.index(max(promises))
        return draw(edges, rng)


def _unsold(candidates: Candidates, place: int | None, bid: HeaderBid | None, draft: Draft) -> Decision:
    """What becomes of a slot that no line item got."""
    if place != BID:
        return candidates.nothing(draft.why_empty(candidates))
    slot = candidates.slot
    assert bid, "a bid won where there was none"
    return BidFill(slot.slot.name, slot.id, slot.slot.label, bid)


def _best_bid(context: Context, candidates: Candidates) -> HeaderBid | None:
    """The highest header bid for a slot that pays its floor and has a size that the page can show."""
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
