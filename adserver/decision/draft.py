"""Candidates of a page's slots → who stands where, under what holds for the page as a whole.

No line item twice unless it says so, labels kept apart, a visitor's caps, and room in the ledger.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import inf
from operator import neg
from random import Random
from typing import NamedTuple

from adserver.decision import bitmap
from adserver.decision.candidates import Candidates, rank
from adserver.decision.context import HeaderBid, Reason
from adserver.decision.index import Contender, Index
from adserver.decision.ledger import Ledger
from adserver.decision.sponsors import Turn
from adserver.decision.standing import RESTING, Standing
from adserver.decision.tally import Tally

#: A header bid, where a line item's position would stand.
BID = -1


#: What it is worth that a slot is filled at all, in currency units per thousand.
_FILLED = 1e-6


def worth_of(score: float) -> float:
    """What a filled slot adds to a page's worth: house ads little, but more than an empty slot."""
    return _FILLED + max(0.0, score)


class OpenSlot(NamedTuple):
    """A slot of the page to be filled: its number on the page, its candidates, and the best header bid."""

    number: int
    candidates: Candidates
    bid: HeaderBid | None


class Lots:
    """What is left to luck on a page: first the draws that were made before, then new ones."""

    def __init__(self, rng: Random, drawn: Sequence[int] = ()) -> None:
        self._rng = rng
        self._before = iter(drawn)
        self.drawn: list[tuple[int, int]] = []
        """Each draw: among how many, and which."""

    def draw(self, count: int) -> int:
        """One of so many numbers from 0, each as likely; of one there is nothing to draw."""
        if count == 1:
            return 0
        which = next(self._before, None)
        if which is None:
            which = int(self._rng.random() * count)
        self.drawn.append((count, which))
        return which


class Draft:
    """A page while it is decided."""

    __slots__ = (
        "_counts",
        "_index",
        "_ledger",
        "_standing",
        "_used",
        "blocked",
        "labels",
        "now_s",
        "places",
        "tally",
    )

    def __init__(
        self,
        index: Index,
        ledger: Ledger,
        standing: Standing,
        tally: Tally | None,
        now_s: int,
        blocked: Iterable[int],
    ) -> None:
        """`blocked`: the subjects of caps that have no room left with this visitor."""
        self._index = index
        self._ledger = ledger
        self._standing = standing
        self.tally = tally
        self.now_s = now_s
        self.blocked = set(blocked)
        """Those, and the ones that this page has used up."""
        self.labels: dict[str, int] = {}
        """Label → the line item on the page that has it."""
        self.places: dict[int, int] = {}
        """Number of the slot on the page → position, or BID."""
        self._used: set[int] = set()
        self._counts: dict[tuple[str, int], int] = {}
        """How often a line item or a subject of caps stands on the page, where more than once is possible."""

    def copy(self) -> Draft:
        """The same, to try something with."""
        other = Draft.__new__(Draft)
        for name in ("_index", "_ledger", "_standing", "tally", "now_s"):
            setattr(other, name, getattr(self, name))
        other.blocked, other.labels = set(self.blocked), dict(self.labels)
        other.places, other._used, other._counts = dict(self.places), set(self._used), dict(self._counts)
        return other

    def forbidden(self, contender: Contender) -> bool:
        """Whether something on the page, the visitor's caps or the ledger keep a line item away."""
        return (
            contender.position in self._used
            or bool(self._ledger.closed[contender.position])
            or self._apart(contender)
        )

    def _apart(self, contender: Contender) -> bool:
        _, subjects, labels, *_ = contender
        if subjects is not None and (self.tally is None or not self.blocked.isdisjoint(subjects)):
            return True
        return labels is not None and self._labelled(contender)

    def _labelled(self, contender: Contender) -> bool:
        """Whether another line item on the page has one of its labels."""
        position, labels = contender.position, contender.labels or ()
        return any(self.labels.get(label, position) != position for label in labels)

    def room(self, contender: Contender) -> float:
        """On how many more slots of this page a line item may stand, as far as its limits and caps go."""
        room = self._ledger.room(contender.position) - self._counts.get(("item", contender.position), 0)
        for subject in contender.subjects or ():
            room = min(room, self._room_of(subject))
        return room

    def _room_of(self, subject: int) -> int:
        if self.tally is None:
            return 0
        placed = self._counts.get(("subject", subject), 0)
        return self.tally.room(subject, self._index.caps[subject], self.now_s) - placed

    def place(self, number: int, contender: Contender) -> None:
        """Give a slot to a line item."""
        position, subjects, labels, repeat, companions, _ = contender
        self.places[number] = position
        if labels is not None:
            self.labels.update(dict.fromkeys(labels, position))
        for subject in subjects or ():
            key = ("subject", subject)
            self._counts[key] = self._counts.get(key, 0) + 1
            if self._room_of(subject) < 1:
                self.blocked.add(subject)
        if repeat or companions:
            key = ("item", position)
            self._counts[key] = self._counts.get(key, 0) + 1
            if repeat and self.room(contender) >= 1:
                return
        self._used.add(position)

    def place_set(self, numbers: Sequence[int], contender: Contender) -> bool:
        """Give several slots to one line item, if it may stand in all of them."""
        taken = any(number in self.places for number in numbers)
        if taken or self.forbidden(contender) or self.room(contender) < len(numbers):
            return False
        for number in numbers:
            self.place(number, contender)
        self._used.add(contender.position)
        return True

    def seat_sponsors(self, slots: Sequence[OpenSlot]) -> list[Turn]:
        """Give each slot to the sponsor whose turn it is, if any."""
        turns = []
        contenders, ids = self._index.contenders, self._index.item_ids
        for slot in slots:
            voices = slot.candidates.voices
            if voices is None or slot.number in self.places:
                continue
            free = lambda position: not self.forbidden(contenders[position])  # noqa: E731
            turn = self._ledger.sponsors.turn(slot.candidates.slot.id, voices, ids, free)
            turns.append(turn)
            if turn.winner is not None:
                self.place_with_companions(slot.number, contenders[turn.winner], slots)
        return turns

    def fill_up(self, slots: Sequence[OpenSlot], lots: Lots) -> float:
        """Fill what is open, the slot with the highest best score first → the sum of scores."""
        open_slots = [slot for slot in slots if slot.number not in self.places]
        heads = [0] * len(open_slots)
        total = 0.0
        while open_slots:
            best, highest = -1, -inf
            for i, (_, candidates, bid) in enumerate(open_slots):
                before = candidates.ranking
                heads[i] = self._first_free(candidates, heads[i])
                if candidates.ranking is not before:
                    heads = [0] * len(open_slots)  # slots may share what was ranked anew
                    heads[i] = self._first_free(candidates, 0)
                score = candidates.ranking.scores[heads[i]]
                if bid is not None:
                    score = max(score, bid.cpm_micros / 1e6)
                if score > highest:
                    best, highest = i, score
            if best < 0:
                break
            slot, head = open_slots.pop(best), heads.pop(best)
            total += worth_of(highest)
            if highest > slot.candidates.ranking.scores[head]:
                self.places[slot.number] = BID
                continue
            contender = self._drawn_by_lot(slot.candidates, head, lots)
            if contender.companions:
                self.place_with_companions(slot.number, contender, open_slots)
                kept = [i for i, other in enumerate(open_slots) if other.number not in self.places]
                open_slots, heads = [open_slots[i] for i in kept], [heads[i] for i in kept]
            else:
                self.place(slot.number, contender)
        return total

    def _first_free(self, candidates: Candidates, start: int) -> int:
        """Place in the ranking, from one on, of the best that may stand here; its length if none."""
        ranking = candidates.ranking
        contenders = ranking.contenders
        used, closed = self._used, self._ledger.closed
        for i in range(start, len(contenders)):
            contender = contenders[i]
            position = contender[0]
            if position in used or closed[position]:
                continue
            if (contender[1] is not None or contender[2] is not None) and self._apart(contender):
                continue
            return i
        if ranking.whole:
            return len(contenders)
        candidates.ranking = rank(self._index, candidates, self._standing, self._ledger.used_up, whole=True)
        return self._first_free(candidates, 0)

    def _drawn_by_lot(self, candidates: Candidates, head: int, lots: Lots) -> Contender:
        """One of those ranked that may stand here and have the score of the first, each as likely."""
        scores, contenders = candidates.ranking.scores, candidates.ranking.contenders
        if scores[head + 1] != scores[head]:
            return contenders[head]
        end = bisect_right(scores, -scores[head], key=neg)
        tied = [contender for contender in contenders[head:end] if not self.forbidden(contender)]
        return tied[lots.draw(len(tied))]

    def place_with_companions(self, number: int, contender: Contender, slots: Sequence[OpenSlot]) -> None:
        """Give a line item a slot and, where it brings companions, all others of its slots that are open."""
        self.place(number, contender)
        if not contender.companions:
            return
        for slot in slots:
            joins = slot.candidates.eligible >> contender.position & 1 and slot.number not in self.places
            if joins and self.room(contender) >= 1 and not self._apart(contender):
                self.place(slot.number, contender)

    def why_empty(self, candidates: Candidates) -> Reason:
        """Why none of a slot's line items stands there."""
        if not candidates.sizes:
            return Reason.NO_SIZE
        if not candidates.passing:
            return Reason.NO_ELIGIBLE
        if not candidates.eligible:
            paying = candidates.passing & candidates.slot.paying
            return Reason.TOPIC_EXCLUDED if paying else Reason.BELOW_FLOOR
        closed = self._ledger.closed
        ranked = [c for c in candidates.ranking.contenders if not closed[c.position]]
        if any(c.position in self._used or self._labelled(c) for c in ranked):
            return Reason.REPEATED
        if any(c.subjects for c in ranked):
            return Reason.CAPPED
        scores = self._standing.scores(candidates.slot)
        resting = bitmap.positions_in(candidates.eligible & self._index.competing)
        if any(scores[position] == RESTING and not closed[position] for position in resting.tolist()):
            return Reason.RESTING
        return Reason.NO_TURN if candidates.voices or candidates.together else Reason.USED_UP
