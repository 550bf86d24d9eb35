"""A page as it was decided → the order in which its slots were filled.

A decision says who stands where, not in which order they came; yet who comes first keeps others away. But
the order follows from what it says: sponsors of whole sets of slots, sponsors slot by slot, roadblocks, and
then whoever scores highest, which falls from slot to slot, since what is placed only takes choices away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from adserver.catalog.model import Tier
from adserver.decision.context import BidFill
from adserver.decision.draft import BID, OpenSlot
from adserver.decision.look import Look, SlotLook
from adserver.decision.sets import SlotSet, sets_of
from adserver.decision.sponsors import Turn


class How(StrEnum):
    """By which rule a slot was filled. Order of the members is order of service."""

    SPONSOR_SET = "sponsor_set"
    SPONSOR = "sponsor"
    ROADBLOCK = "roadblock"
    SCORE = "score"
    NOBODY = "nobody"


class Step(NamedTuple):
    """Slots that were filled at once: that which was won and, behind it, those of its companions."""

    how: How
    numbers: Sequence[int]
    place: int | None


class Replay(NamedTuple):
    """How a page came about."""

    steps: Sequence[Step]
    sets: Mapping[int, SlotSet]
    """Roadblocks that are eligible in all of their slots, the best first, by position."""
    turns: Mapping[int, Turn]
    """Whose turn it was among sponsors, by the number of the slot."""
    set_turn: Turn | None
    """Whose turn it was among sponsors of whole sets of slots."""


def replay(look: Look) -> Replay:
    """The steps by which a page that was looked at came about."""
    site = look.index.sites.get(look.context.site)
    opened = [OpenSlot(slot.number, slot.candidates, None) for slot in look.slots]
    sets = {s.contender.position: s for s in sets_of(look.index, look.standing, site, opened)} if site else {}
    filling = _Filling(look)
    steps = list(filling.sets(How.SPONSOR_SET, sets))
    turns = iter([turn for turn in look.page.turns if turn.place])
    turn_of: dict[int, Turn] = {}
    for slot in look.slots:
        if slot.candidates.voices is None or slot.number not in filling.left:
            continue
        turn = turn_of[slot.number] = next(turns)
        assert turn.place == slot.candidates.slot.id, "sponsors take turns in the order of the slots"
        if turn.winner is not None:
            steps.append(filling.step(How.SPONSOR, slot))
    steps += filling.sets(How.ROADBLOCK, sets)
    steps += filling.scored()
    set_turn = next((turn for turn in look.page.turns if not turn.place), None)
    return Replay(steps, sets, turn_of, set_turn)


class _Filling:
    """The slots whose step is still to be found."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.left: dict[int, SlotLook] = {slot.number: slot for slot in look.slots}

    def step(self, how: How, slot: SlotLook) -> Step:
        """The step in which a slot was filled, with whatever was filled along with it."""
        index, place = self._look.index, slot.place
        numbers = [slot.number]
        if place is not None and place >= 0:
            item = index.items[place]
            if item.together or item.companions:
                numbers += [n for n, s in self.left.items() if s.place == place and n != slot.number]
        for number in numbers:
            del self.left[number]
        return Step(how, numbers, place)

    def sets(self, how: How, sets: Iterable[int]) -> Iterator[Step]:
        """The roadblocks among sponsors, or among all others, that were seated."""
        for position in sets:
            sponsors = self._look.index.items[position].tier is Tier.SPONSORSHIP
            slot = next((slot for slot in self.left.values() if slot.place == position), None)
            if slot and sponsors == (how is How.SPONSOR_SET):
                yield self.step(how, slot)

    def scored(self) -> Iterator[Step]:
        """What is left: the highest score first, and what stays empty last."""
        for slot in sorted(self.left.values(), key=lambda slot: (-score_of(self._look, slot), slot.number)):
            if slot.number in self.left:
                yield self.step(How.NOBODY if slot.place is None else How.SCORE, slot)


def score_of(look: Look, slot: SlotLook) -> float:
    """What the winner of a slot scored, in currency units per thousand; minus infinity without one."""
    if slot.place is None:
        return float("-inf")
    if slot.place == BID:
        decision = look.page.decisions[slot.number]
        assert isinstance(decision, BidFill), "a slot that a bid won is filled by that bid"
        return decision.bid.cpm_micros / 1e6
    return float(slot.scores[slot.place])
