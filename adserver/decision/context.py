"""A page request → the facts that a decision looks at, and the words in which the decision answers.

What is made anew for every page is a named tuple or struct: as immutable as a frozen dataclass, but made in
half the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

from adserver.catalog.creative import Creative
from adserver.catalog.model import LineItem, PriceModel

#: Candidates are remembered by what a page asks for, so that must be short: longer texts are unreadable.
SlotName = Annotated[str, msgspec.Meta(max_length=200)]
SizeName = Annotated[str, msgspec.Meta(max_length=20)]
SizeNames = Annotated[tuple[SizeName, ...], msgspec.Meta(max_length=50)]


class Ask(msgspec.Struct, frozen=True):
    """One slot that a page wants filled, decoded straight from its request.

    `sizes` None: any that the slot offers; `width`: the room there is, in px.
    """

    slot: SlotName
    sizes: SizeNames | None = None
    width: int | None = None


class PictureAsk(Ask, frozen=True):
    """One slot of a place that shows nothing but an image: a newsletter, a feed."""

    without: tuple[int, ...] = ()
    """Line items, by id, that stand there already."""


class HeaderBid(NamedTuple):
    """What somebody outside pays for one slot of this page, as the page's own auction found (Prebid.js)."""

    slot: str
    bid: str
    cpm_micros: int
    size: str


class Context(NamedTuple):
    """What is known about one page request. None is 'unknown', which never passes a list of wanted values."""

    site: str
    section: str | None = None
    topics: Sequence[str] = ()
    values: Mapping[str, str | Sequence[str]] | None = None
    country: str | None = None
    device: str | None = None
    url: str | None = None
    theme: str | None = None
    bids: Sequence[HeaderBid] = ()
    network: bool = True
    """Whether a network may be asked: the reader's consent lets it, and none had nothing here already."""


class Reason(StrEnum):
    """Why a slot stays empty."""

    NO_ELIGIBLE = "no_eligible"
    """No line item that is in flight passes its targeting here."""
    BELOW_FLOOR = "below_floor"
    """Line items pass, but none pays the slot's floor price."""
    TOPIC_EXCLUDED = "topic_excluded"
    """Line items pass, but none opted in to the page's sensitive topic."""
    NO_SIZE = "no_size"
    """None of the sizes that the page can show is offered by the slot."""
    REPEATED = "repeated"
    """Every line item that passes is on the page already, or kept apart from one that is."""
    USED_UP = "used_up"
    """Every line item that passes has met its goal or spent its budget, or the day's."""
    RESTING = "resting"
    """Every line item that passes and has room is ahead of its time, and waits."""
    CAPPED = "capped"
    """Every line item that passes was shown to this visitor as often as it may be, or may not be counted."""
    NO_TURN = "no_turn"
    """Only sponsors, or line items that take a whole set of slots, pass, and it is none's turn."""
    UNKNOWN_SITE = "unknown_site"
    UNKNOWN_SLOT = "unknown_slot"
    TOO_MANY_SLOTS = "too_many_slots"
    ERROR = "error"
    """A fault of ours; logged and counted."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One creative of one line item, with the ids under which it is counted."""

    item: LineItem
    creative: Creative
    item_id: int
    creative_id: int
    model: PriceModel | None
    price_micros: int
    """What one billable event earns, in micros."""
    position: int
    """The line item's position in the index."""


class Fill(NamedTuple):
    """A slot and what is to be drawn in it."""

    slot: str
    slot_id: int
    label: str
    choice: Choice


class BidFill(NamedTuple):
    """A slot that goes to a header bid: the page draws what its own auction found."""

    slot: str
    slot_id: int
    label: str
    bid: HeaderBid


class NoFill(NamedTuple):
    """A slot that stays empty, and why. `slot_id` is None when the catalog does not know the slot."""

    slot: str
    slot_id: int | None
    reason: Reason


Decision = Fill | BidFill | NoFill
