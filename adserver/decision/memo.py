"""A page request's facts and slots → what is remembered of pages like it: candidates, and who stood where.

Candidates hold while no flight begins or ends. Who stands where holds within one snapshot of scores, until a
line item runs out of room, for pages with the same sponsors' turns and the same caps in the way, and where
line items that score the same draw lots, for each way in which these may fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter
from random import Random
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
#: So many answers are kept for one set of facts and slots, and so many in all for each candidates kept.
_MOST_ANSWERS, _MOST_ANSWERS_EACH = 512, 4
#: Slots that go to sponsors, as bits; the labels of these; whether nothing may be stored; and whom caps keep
#: away.
AnswerKey = tuple[int, frozenset[str], bool, frozenset[int]]
_NO_LABELS: frozenset[str] = frozenset()


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
                mine = [(number, drawing)] if len(drawing.fills) > 1 else []
                drawings = sorted([*others, *mine], key=itemgetter(0))
        _, _, _, blocked, stored = self.page
        return Answer(Page(decisions, placed, seats.turns, blocked, stored), drawings)


@dataclass(slots=True, eq=False)
class Lot:
    """A draw among so many of the same score, and what is known to come of each that was drawn."""

    count: int
    outcomes: dict[int, Answer | Lot] = field(default_factory=dict)


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
    answers: dict[AnswerKey, Answer | Lot] = field(default_factory=dict)
    answer_count: int = 0

    def answer(self, key: AnswerKey, rng: Random) -> tuple[Answer | None, Sequence[int]]:
        """What is remembered, and the lots that were drawn to find it; None where they fall anew."""
        known = self.answers.get(key)
        if not isinstance(known, Lot):
            return known, ()
        drawn = []
        while isinstance(known, Lot):
            drawn.append(int(rng.random() * known.count))
            known = known.outcomes.get(drawn[-1])
        return known, drawn

    def seats(self, index: Index, ledger: Ledger, unstored: bool, blocked: frozenset[int]) -> Seats | None:
        """Seat the sponsors whose turn it is; None where there is more to it than whose turn it is."""
        if self.together:
            return None
        mask, labels = 0, _NO_LABELS
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
                    if not labels.isdisjoint(contender.labels):
                        return None
                    labels |= contender.labels
        return Seats((mask, labels, unstored, blocked), turns, taken)

    def keep(self, key: AnswerKey, drawn: Sequence[tuple[int, int]], answer: Answer) -> None:
        """Give the same answer to the next page with this key for which lots fall alike."""
        self.answer_count += 1
        if not drawn:
            self.answers[key] = answer
            return
        known = self.answers.get(key)
        lot = self.answers[key] = known if isinstance(known, Lot) else Lot(drawn[0][0])
        for (_, which), (count, _) in pairwise(drawn):
            known = lot.outcomes.get(which)
            lot.outcomes[which] = lot = known if isinstance(known, Lot) else Lot(count)
        lot.outcomes[drawn[-1][1]] = answer


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
        """Of candidates and pages."""
        self._answer_count = 0

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

    def keep(self, asked: Asked, key: AnswerKey, drawn: Sequence[tuple[int, int]], answer: Answer) -> None:
        """Give the same answer to the next page like this one."""
        if asked.answer_count >= _MOST_ANSWERS:
            self._clear(asked)
        asked.keep(key, drawn, answer)
        self._answer_count += 1

    def _clear(self, asked: Asked) -> None:
        self._answer_count -= asked.answer_count
        asked.answers.clear()
        asked.answer_count = 0

    def _renew(self, asked: Asked, standing: Standing) -> None:
        self._clear(asked)
        asked.standing, asked.closings = standing.number, self._ledger.closings
        for _, candidates, _ in asked.slots:
            if candidates.ranking.standing != standing.number:
                candidates.ranking = rank(self._index, candidates, standing, self._ledger.used_up)

    def _forget(self, flight: int) -> None:
        """Start anew where flights began or ended since, and where too much is remembered."""
        much = max(self._count, len(self._facts), self._answer_count // _MOST_ANSWERS_EACH)
        if flight != self._flight or much > self._most:
            self._facts.clear()
            self._count = self._answer_count = 0
            self._flight = flight
