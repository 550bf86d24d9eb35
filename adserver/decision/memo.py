"""A page request's facts and slots → what is remembered of pages like it: candidates, and who stood where.

Candidates hold while no flight begins or ends. Who stands where holds within one snapshot of scores, until a
line item runs out of room, for pages with the same sponsors' turns and the same caps in the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from adserver.decision.candidates import Candidates, Drawing, Passing, drawing_of, find, passing_of, rank
from adserver.decision.context import Ask, Context, Decision, NoFill, Reason
from adserver.decision.draft import OpenSlot
from adserver.decision.index import Index, IndexedSite, PageKey
from adserver.decision.ledger import Ledger
from adserver.decision.sponsors import Turn
from adserver.decision.standing import Standing

#: What all of it may take, in bytes.
_MEMO_BYTES = 256_000_000
#: So many answers are kept for one set of facts and slots.
_MOST_ANSWERS = 64

#: Slots that go to sponsors, as bits; the one of these that has labels, if any; whether nothing may be
#: stored; and whom caps keep away.
AnswerKey = tuple[int, int | None, bool, frozenset[int]]


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


class Answer(NamedTuple):
    """A page but for the creatives of line items that have several."""

    page: Page
    drawings: list[tuple[int, Drawing]]
    """Numbers of slots with the creatives to choose from."""

    def seating(self, index: Index, slots: Sequence[OpenSlot], seats: Seats) -> Answer:
        """The same with other sponsors in the slots that go to sponsors."""
        if not seats.turns:
            return self
        decisions, placed = list(self.page.decisions), list(self.page.placed)
        drawings = self.drawings
        for place, position in seats.taken:
            number, candidates, _ = slots[place]
            drawing = drawing_of(index, candidates, position)
            decisions[number] = drawing.fills[0]
            placed[place] = (candidates, position)
            if len(drawing.fills) > 1 or drawings:
                others = [one for one in drawings if one[0] != number]
                drawings = sorted([*others, (number, drawing)], key=itemgetter(0))
        _, _, _, blocked, stored = self.page
        return Answer(Page(decisions, placed, seats.turns, blocked, stored), drawings)


class Seats(NamedTuple):
    """Sponsors of a page whose turn it is, and what the rest of the page hangs on beside facts and scores."""

    key: AnswerKey
    turns: list[Turn]
    taken: list[tuple[int, int]]
    """(place among the slots that the catalog knows, position)."""


@dataclass(slots=True, eq=False)
class Asked:
    """The slots that pages with the same facts ask for."""

    found: Sequence[Candidates | None]
    """None: the catalog does not know the slot."""
    slots: Sequence[OpenSlot]
    """Those that it knows."""
    unknown: Sequence[Decision]
    """A decision for each slot asked for, as if the catalog knew none."""
    together: bool
    """Whether a roadblock is eligible in any."""
    standing: int = -1
    closings: int = -1
    """The snapshot, and the ledger's closings, of which answers are."""
    answers: dict[AnswerKey, Answer] = field(default_factory=dict)

    def seats(self, index: Index, ledger: Ledger, unstored: bool, blocked: frozenset[int]) -> Seats | None:
        """Seat the sponsors whose turn it is; None where there is more to it than whose turn it is."""
        if self.together:
            return None
        mask, labelled = 0, None
        turns: list[Turn] = []
        taken: list[tuple[int, int]] = []
        for place, (_, candidates, _) in enumerate(self.slots):
            voices = candidates.voices
            if voices is None:
                continue
            slot_id, owner = candidates.slot.id, voices.owner
            turns.append(Turn(slot_id, voices, owner, owner))
            if ledger.sponsors.owes(slot_id):
                return None
            if owner is not None:
                contender = index.contenders[owner]
                told = contender.plain and contender.subjects is None and not ledger.closed[owner]
                if not told or any(owner == seat[1] for seat in taken):
                    return None
                mask |= 1 << place
                taken.append((place, owner))
                if contender.labels is not None:
                    if labelled is not None:
                        return None
                    labelled = owner
        return Seats((mask, labelled, unstored, blocked), turns, taken)

    def keep(self, key: AnswerKey, answer: Answer) -> None:
        """Give the same answer to the next page with this key."""
        if len(self.answers) >= _MOST_ANSWERS:
            self.answers.clear()
        self.answers[key] = answer


class _Facts(NamedTuple):
    passing: Passing
    candidates: dict[Ask, Candidates]
    asked: dict[tuple[Ask, ...], Asked]


class Memo:
    """What one decider remembers."""

    def __init__(self, index: Index, ledger: Ledger, most: int) -> None:
        self._index = index
        self._ledger = ledger
        self._most = min(most, _MEMO_BYTES // (len(index.items) // 4 + 4000))
        self._flight = -1
        self._facts: dict[tuple[PageKey, int], _Facts] = {}
        self._count = 0

    def asked(
        self, site: IndexedSite, context: Context, asks: Sequence[Ask], now_us: int, standing: Standing
    ) -> Asked:
        """The slots that a page asks for, their candidates ranked by the standing of now."""
        index = self._index
        self._forget(index.flights.segment(now_us))
        hours = index.hours.segment(site.zone, now_us)
        key = index.page_key(site, context)
        facts = self._facts.get((key, hours))
        if facts is None:
            live = index.flights.live(self._flight) & index.hours.admitted(hours)
            facts = self._facts[key, hours] = _Facts(passing_of(index, key, live), {}, {})
        slots = tuple(asks)
        asked = facts.asked.get(slots)
        if asked is None:
            asked = facts.asked[slots] = self._find(site, slots, facts)
        if asked.standing != standing.number or asked.closings != self._ledger.closings:
            self._renew(asked, standing)
        return asked

    def _find(self, site: IndexedSite, asks: tuple[Ask, ...], facts: _Facts) -> Asked:
        found: list[Candidates | None] = []
        for ask in asks:
            candidates = facts.candidates.get(ask)
            slot = site.slots.get(ask.slot)
            if candidates is None and slot is not None:
                candidates = facts.candidates[ask] = find(self._index, slot, facts.passing, ask)
                if candidates.shares:
                    candidates.voices = self._ledger.sponsors.voices(slot.id, candidates.shares)
                self._count += 1
            found.append(candidates)
        self._count += 1
        slots = [
            OpenSlot(n, candidates, None) for n, candidates in enumerate(found) if candidates is not None
        ]
        return Asked(
            found=found,
            slots=slots,
            unknown=[NoFill(ask.slot, None, Reason.UNKNOWN_SLOT) for ask in asks],
            together=any(slot.candidates.together for slot in slots),
        )

    def _renew(self, asked: Asked, standing: Standing) -> None:
        asked.answers.clear()
        asked.standing, asked.closings = standing.number, self._ledger.closings
        for _, candidates, _ in asked.slots:
            if candidates.ranking.standing != standing.number:
                candidates.ranking = rank(self._index, candidates, standing, self._ledger.closed)

    def _forget(self, flight: int) -> None:
        """Start anew where flights began or ended since, and where too much is remembered."""
        if flight != self._flight or self._count > self._most or len(self._facts) > self._most:
            self._facts.clear()
            self._count = 0
            self._flight = flight
