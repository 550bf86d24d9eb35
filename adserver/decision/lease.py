"""What each of several workers served of limited line items → how much of the rest it holds and asks for.

What is left of a goal or budget is held in parts: what a worker holds it may serve without asking. In each
round it tells what it holds, hands back what it does not use, and asks for what its readers are likely to
take until the next rounds, as far as that is its part of what is free: of F fills that nobody holds, each of
K workers may have F / K more, and holds F / 64 K without having asked. So parts shrink as a goal comes near,
and the last fills go to whoever asks. While so little is left, a worker that no page asks hands back all, and
one that serves nothing of a line item leaves its part to the others now and then, so that none is stranded.

Pure rules: the worker's side is `Leases`, what a store may give is `granted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from math import ceil, inf
from typing import NamedTuple

from adserver.decision.account import Account, Lease
from adserver.decision.ledger import Ledger

#: A worker asks for as much as was served in so many rounds like the last ones, of which each forgets a part.
_ROUNDS, _KEPT = 3, 0.75
#: A scarce part that nothing is served of is kept for so many rounds, and then left to others for so many.
_PATIENCE, _LEFT = 60, 10
#: After so many rounds without a page, a worker has no readers.
_QUIET = 20
#: This part of a worker's even share is held without having been asked for.
_AMPLE = 64


class Want(NamedTuple):
    """What one worker asks for of one line item."""

    item_id: int
    account: Account
    """A copy, as of now: its limits, and what it has reserved."""
    wanted: int
    """Fills that it would like to have beside those reserved."""
    least: int
    """With fewer of them it can serve nothing."""


class Sums(NamedTuple):
    """What is counted of a line item and what others hold of it, all workers together."""

    counted: int
    """Events of the unit of its goal."""
    spent_micros: int
    day_spent_micros: int
    """On the day of the asking worker's account."""
    held_elsewhere: int


class Grant(NamedTuple):
    """What one worker holds of a line item from now on, those reserved included."""

    item_id: int
    held: int
    scarce: bool


class Round(NamedTuple):
    """What a worker hears when it asks: what it holds now, and its part of all pages that ask."""

    grants: Sequence[Grant]
    page_share: float


class Settled(NamedTuple):
    """Fills of this worker whose impressions another one counted; `minute` since 1970."""

    item_id: int
    minute: int
    fill_count: int


def granted(want: Want, sums: Sums, worker_count: int) -> Grant:
    """What a worker may hold: with what others hold and what is counted, never more than was bought."""
    reserved = want.account.reserved
    limits = replace(
        want.account, counted=sums.counted, spent=sums.spent_micros, day_spent=sums.day_spent_micros
    )
    free = min(limits.left()) - sums.held_elsewhere - reserved
    if free == inf:
        return Grant(want.item_id, reserved + want.wanted, scarce=False)
    share = ceil(max(free, 0) / worker_count)
    ample = share // _AMPLE
    part = max(min(max(want.wanted, ample), share), want.least if want.wanted else 0)
    return Grant(want.item_id, reserved + int(max(min(part, free), 0)), scarce=not ample)


class Leases:
    """What the ledger of one worker holds, from round to round."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._page_count = 0
        self._quiet_rounds = 0

    def wants(self, page_count: int) -> list[Want]:
        """What to ask for now; what is to be handed back is no longer served.

        `page_count`: pages that asked this worker, since it started.
        """
        ledger = self._ledger
        self._quiet_rounds = 0 if page_count != self._page_count else self._quiet_rounds + 1
        self._page_count = page_count
        quiet = self._quiet_rounds >= _QUIET
        wants = []
        for item_id, account, least in ledger.leased():
            lease = account.lease
            if lease is not None:
                want = _want(item_id, account, lease, least, quiet=quiet)
                if want:
                    wants.append(want)
        ledger.renew_closed()
        return wants

    def settle(self, settled: Sequence[Settled]) -> None:
        """Release what others counted."""
        for item_id, minute, count in settled:
            self._ledger.release(item_id, count, minute)

    def take(self, grants: Sequence[Grant]) -> None:
        """Take over what was granted for the last wants."""
        for item_id, held, scarce in grants:
            self._ledger.grant(item_id, held, scarce=scarce)
        self._ledger.renew_closed()

    def drop(self) -> None:
        """Serve nothing more of what is held."""
        for _, account, _ in self._ledger.leased():
            if account.lease is not None:
                account.lease.held = account.reserved
        self._ledger.renew_closed()

    def outstanding(self) -> list[tuple[int, int]]:
        """(line item, fills) that are served and not counted: what a worker that ends still holds."""
        return [(item_id, account.reserved) for item_id, account, _ in self._ledger.leased()]


def _want(item_id: int, account: Account, lease: Lease, least: int, *, quiet: bool) -> Want | None:
    """What to ask for one line item; None where what it holds is right, and noted."""
    used = account.served_count - lease.served_count
    lease.served_count = account.served_count
    lease.pace = max(used, _KEPT * lease.pace)
    lease.idle_rounds = 0 if used else lease.idle_rounds + 1
    wanted = max(least, ceil(_ROUNDS * lease.pace))
    if lease.scarce and (quiet or lease.idle_rounds % (_PATIENCE + _LEFT) >= _PATIENCE):
        wanted = 0
    wanted = int(min(wanted, max(0, min(account.left()) - account.reserved)))
    unspent = lease.held - account.reserved
    if lease.scarce and unspent > wanted:
        unspent = wanted
        lease.held = account.reserved + unspent
    if unspent >= wanted and lease.held == lease.noted:
        return None
    lease.released = 0
    return Want(item_id, copy(account), wanted, least)
