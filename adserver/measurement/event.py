"""Fill token and kind of event → an event with its validity and what it earns.

An event counts in the bucket of its fill, whenever it arrives, so that no rate can exceed 100 %. What should
not be billed is marked with the reason and kept, never dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from adserver.catalog.model import PriceModel
from adserver.clock import bucket_of_ms
from adserver.measurement.period import DayOf, utc_day
from adserver.measurement.token import MODEL_CODES, FillToken, filled_ms


class Kind(IntEnum):
    """What happened to a fill. The numbers are stored; never renumber them."""

    IMPRESSION = 1
    """The creative began to render."""
    MEASURABLE = 2
    """The page can tell whether it is viewable."""
    VIEWABLE = 3
    """MRC: half of its pixels (30 % of large ones) for one continuous second in a focused tab."""
    CLICK = 4
    CONVERSION = 5
    """An order that the advertiser reported for it."""
    FLAT_DAY = 6
    """A day of a flat price fell due, or its part of one slot: what nobody reports (`measurement.flat`)."""
    UNFILLED = 7
    """The network that a fill went to has no ad; its `IMPRESSION` is the other outcome."""
    NO_ANSWER = 8
    """It was blocked, or has not said in time whether it has one."""
    VIDEO_START = 9
    """A video began to play; what follows are the quarters of it that were played."""
    VIDEO_FIRST_QUARTILE = 10
    VIDEO_MIDPOINT = 11
    VIDEO_THIRD_QUARTILE = 12
    VIDEO_COMPLETE = 13
    VIDEO_ERROR = 14
    """Its player could not play it."""


class Validity(IntEnum):
    """Whether an event counts, or why not. The numbers are stored; never renumber them."""

    VALID = 0
    DUPLICATE = 1
    """This kind of event was recorded for this fill before."""
    LATE = 2
    """It came later after its fill than the setting allows."""
    FUTURE = 3
    """Its fill is further ahead of our clock than the setting allows."""
    OVER_GOAL = 4
    """More than the line item's goal, budget or daily budget holds, or of a fill whose impression was."""
    # From 16 on, what a later valid event takes the place of: invalid traffic, by the rules of
    # `measurement.invalid`, and orders that nothing led to, or that were counted before.
    BOT = 16
    NO_USER_AGENT = 17
    DATACENTRE = 18
    PREFETCH = 19
    HEAD = 20
    BURST = 21
    NO_IMPRESSION = 22
    TOO_SOON = 23
    NO_CLICK = 24
    ORDER_COUNTED = 25
    SCANNER = 26
    EXCLUDED = 27


class Event(NamedTuple):
    """One row of the log.

    `at_ms`: when it arrived; `bucket`: the quarter hour of its fill; `day`: the local date of that bucket in
    the time zone of the line item, in days since 1970-01-01. `revenue_micros`: what it earns if it counts;
    it stays with what is marked, which may come to count when it is judged again. `size` and `facts` are what
    it is cut by in reports (`decision.facts`), and `model`, the code of its fill's price model.
    """

    fill: int
    kind: int
    at_ms: int
    bucket: int
    day: int
    slot: int
    item: int
    creative: int
    revenue_micros: int
    validity: int
    size: int = 0
    facts: int = 0
    model: int = 0


#: Which kind of event a price model pays for. A flat day is not paid by events.
BILLABLE: dict[PriceModel | None, Kind] = {
    PriceModel.CPM: Kind.IMPRESSION,
    PriceModel.VCPM: Kind.VIEWABLE,
    PriceModel.CPC: Kind.CLICK,
    PriceModel.CPA: Kind.CONVERSION,
}


@dataclass(frozen=True, slots=True)
class Windows:
    """How long after its fill an event counts, and how far a fill may be ahead of our clock; in ms.

    A conversion is counted from its click, which the log knows (`engines.sqlite_conversions`).
    """

    view_ms: int
    click_ms: int
    skew_ms: int
    every_ms: int = field(init=False)
    """Within these an event of any kind counts."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "every_ms", min(self.view_ms, self.click_ms))

    def validity(self, kind: Kind, age_ms: int) -> Validity:
        """Validity of an event that arrives so long after its fill. Windows are half-open."""
        if age_ms < -self.skew_ms:
            return Validity.FUTURE
        if kind is Kind.CONVERSION:
            return Validity.VALID
        window = self.click_ms if kind is Kind.CLICK else self.view_ms
        return Validity.VALID if age_ms < window else Validity.LATE


#: What the class's own constructor does, without a call in between.
_new = tuple.__new__


def event_of(
    token: FillToken,
    kind: Kind,
    at_ms: int,
    windows: Windows,
    day_of: DayOf = utc_day,
    found: Validity = Validity.VALID,
) -> Event:
    """The event that a token proves. Slot, line item, creative and price come from the token alone.

    `found`: what the request that reports it is by the rules of `measurement.invalid`.
    """
    # By position and as plain numbers: names cost as much as all of the rest, and SQLite's driver takes three
    # times as long for numbers of an enum.
    fill, slot, item, creative, model, price_micros, _, size, facts = token
    filled_at_ms = filled_ms(fill)
    bucket, age_ms = bucket_of_ms(filled_at_ms), at_ms - filled_at_ms
    validity = 0
    if found or not 0 <= age_ms < windows.every_ms:
        validity = +(found or windows.validity(kind, age_ms))
    earned = price_micros if BILLABLE.get(model) is kind else 0
    day = day_of(item, bucket)
    values = (fill, +kind, at_ms, bucket, day, slot, item, creative, earned, validity, size, facts)
    return _new(Event, (*values, MODEL_CODES[model]))
