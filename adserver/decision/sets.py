"""Roadblocks → all of their slots on a page, or none.

A roadblock is worth its score in each of its slots, and what it keeps away is worth the scores of what would
stand there instead: the page goes to whichever is worth more, so that a low bidder never blocks a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from adserver.catalog.model import Tier
from adserver.decision.draft import Draft, Lots, OpenSlot, worth_of
from adserver.decision.index import Contender, Index, IndexedSite
from adserver.decision.ledger import Ledger
from adserver.decision.sponsors import Turn
from adserver.decision.standing import RESTING, Standing

#: So many roadblocks, the best of them, are weighed against each other on one page.
_MOST_WEIGHED = 4
#: In place of a slot's id, for sponsors that take a whole set of slots.
_PAGE = 0


class SlotSet(NamedTuple):
    """A roadblock and the numbers of all the slots on this page that it takes."""

    contender: Contender
    numbers: Sequence[int]
    worth: float
    """Of all its slots together."""
    share: float | None
    """Of voice, for sponsors."""


def sets_of(index: Index, standing: Standing, site: IndexedSite, slots: Sequence[OpenSlot]) -> list[SlotSet]:
    """The roadblocks that are eligible in every one of their slots, the highest score first."""
    positions = {position for slot in slots for position in slot.candidates.together}
    if not positions:
        return []
    return sorted(
        (found for position in positions if (found := _set_of(index, standing, site, slots, position))),
        key=lambda found: (-found.worth, found.contender.position),
    )


def _set_of(
    index: Index, standing: Standing, site: IndexedSite, slots: Sequence[OpenSlot], position: int
) -> SlotSet | None:
    item = index.items[position]
    names = {slot.candidates.slot.slot.name for slot in slots}
    wanted = names if item.target.slot is None else set(item.target.slot) & site.slots.keys()
    if not wanted <= names:
        return None
    chosen = [slot for slot in slots if slot.candidates.slot.slot.name in wanted]
    if not chosen or not all(slot.candidates.eligible >> position & 1 for slot in chosen):
        return None
    share = (item.share or 0.0) if item.tier is Tier.SPONSORSHIP else None
    if any(standing.scores(slot.candidates.slot)[position] == RESTING for slot in chosen):
        return None
    worth = sum(worth_of(float(standing.scores(slot.candidates.slot)[position])) for slot in chosen)
    return SlotSet(index.contenders[position], [slot.number for slot in chosen], worth, share)


def seat_sponsor_sets(draft: Draft, index: Index, ledger: Ledger, sets: Sequence[SlotSet]) -> list[Turn]:
    """Give a sponsor that takes a whole set of slots its turn, in share of page requests."""
    sponsors = {found.contender.position: found for found in sets if found.share is not None}
    if not sponsors:
        return []
    shares = {position: found.share or 0.0 for position, found in sorted(sponsors.items())}
    voices = ledger.sponsors.voices(_PAGE, shares)

    def fits(position: int) -> bool:
        return draft.copy().place_set(sponsors[position].numbers, sponsors[position].contender)

    turn = ledger.sponsors.turn(_PAGE, voices, index.item_ids, fits)
    if turn.winner is not None:
        draft.place_set(sponsors[turn.winner].numbers, sponsors[turn.winner].contender)
    return [turn]


def settle_sets(draft: Draft, slots: Sequence[OpenSlot], sets: Sequence[SlotSet]) -> Draft:
    """Seat those roadblocks with which the page is worth more than without them."""
    weighed = [found for found in sets if found.share is None][:_MOST_WEIGHED]
    worth = draft.copy().fill_up(slots, Lots(Random(0))) if weighed else 0.0
    for found in weighed:
        seated = draft.copy()
        if not seated.place_set(found.numbers, found.contender):
            continue
        rest = seated.copy().fill_up(slots, Lots(Random(0)))
        if found.worth + rest > worth:
            draft, worth = seated, rest
    return draft
