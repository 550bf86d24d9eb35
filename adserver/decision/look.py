"""A decider and one page request → the page that it would serve, with all that it takes to explain it.

Taking a look costs about as much as a decision and changes nothing. What it returns does not change while the
server goes on, so that it may be explained elsewhere, such as in another thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import NamedTuple

from adserver.clock import local_day
from adserver.decision.arrays import Floats
from adserver.decision.candidates import Candidates
from adserver.decision.context import Ask, Context
from adserver.decision.index import Index, PageKey
from adserver.decision.ledger import Ledger
from adserver.decision.memo import Page
from adserver.decision.page import Decider
from adserver.decision.standing import Standing
from adserver.decision.tally import Tally

#: A decider that serves no pages need not remember more.
_MEMO = 100
#: A copy of a ledger begins no days of its own.
_NEVER_US = 1 << 62


class SlotLook(NamedTuple):
    """One slot of the page that the catalog knows."""

    number: int
    """Its place among those asked for."""
    candidates: Candidates
    place: int | None
    """Who won it: a position, BID, or None."""
    scores: Floats
    """Of each line item, in currency units per thousand."""
    ecpms: Floats
    """What a thousand impressions of each line item are expected to earn, in currency units."""


@dataclass(frozen=True, slots=True)
class Look:
    """A page as it would be served, and what it was decided by."""

    index: Index
    ledger: Ledger
    standing: Standing
    context: Context
    asks: Sequence[Ask]
    now: datetime
    tally: Tally | None
    page: Page
    key: PageKey | None
    """None: the catalog does not know the site."""
    slots: Sequence[SlotLook]


def look(
    decider: Decider,
    context: Context,
    asks: Sequence[Ask],
    now: datetime,
    rng: Random,
    tally: Tally | None,
    *,
    elsewhen: bool = False,
) -> Look:
    """Decide a page as the next request for it would be, and keep what that took.

    `rng` is left as it is. `elsewhen`: `now` is not the present; the ledger is then read as of that day.
    """
    index, standing = decider.index, decider.standing
    if elsewhen:
        decider = scratch(decider, now)
    luck = Random(0)
    luck.setstate(rng.getstate())
    page = decider.decide(context, asks, now, luck, tally)
    ledger = ledger_of(decider.ledger)
    for _, place in page.placed:
        account = ledger.accounts[place] if place is not None and place >= 0 else None
        if account is not None and place is not None:
            ledger.accounts[place] = copy(account)
    site = index.sites.get(context.site)
    known = [number for number, ask in enumerate(asks) if site and ask.slot in site.slots]
    slots = [
        SlotLook(number, one, place, standing.scores(one.slot), standing.rates.ecpms(one.slot))
        for number, (one, place) in zip(known, page.placed, strict=True)
    ]
    key = index.page_key(site, context) if site else None
    return Look(index, ledger, standing, context, asks, now, tally, page, key, slots)


def scratch(decider: Decider, at: datetime | None = None, *, max_memo: int = _MEMO) -> Decider:
    """A decider that decides as another would now, or at another instant, and on which nothing depends."""
    return Decider(decider.index, ledger_of(decider.ledger, at), decider.standing, max_memo=max_memo)


def ledger_of(ledger: Ledger, at: datetime | None = None) -> Ledger:
    """A ledger to look at while the real one changes, or to decide by at another instant.

    At another instant, whoever is on another day then has earned nothing on it.
    """
    other = copy(ledger)
    other.accounts, other.closed = list(ledger.accounts), bytearray(ledger.closed)
    other.used_up = other.closed
    other.next_midnight_us = _NEVER_US
    if at is not None:
        for position, account in enumerate(other.accounts):
            if account is not None and account.counts_days:
                own = other.accounts[position] = copy(account)
                own.begin_day(local_day(at, own.zone))
                other.closed[position] = own.room() < 1
    return other
