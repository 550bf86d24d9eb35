"""Goals and budgets, fills and counted events → how many more fills each line item has room for.

What was served and not yet counted is reserved, so that no goal, budget or daily budget is exceeded however
many pages are open at once. A reservation is released when its own impression is counted, or when it expires
because the fill was never drawn; reservations of one minute are alike, so it is known by the minute of its
fill. What is offered to an auction elsewhere is reserved for a shorter time, because most bids are lost.
Whatever arrives after that beyond a limit is marked by the log, and not billed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf
from typing import NamedTuple
from zoneinfo import ZoneInfo

from adserver.catalog.model import LineItem, PriceModel
from adserver.clock import local_day, next_midnight, to_us
from adserver.decision import bitmap
from adserver.decision.account import Account, Lease
from adserver.decision.index import Index
from adserver.decision.rates import Rates
from adserver.decision.sponsors import Turns

#: What a goal may count; what else is paid for, such as conversions, only budgets hold.
GOAL_UNITS = ("impressions", "viewables", "clicks")
_MINUTE_US = 60_000_000
#: A set of slots that goes to one line item has seldom more.
_MOST_TOGETHER = 8


class Delivered(NamedTuple):
    """What was counted of a line item: all of it, and the revenue of one day of its own."""

    item_id: int
    impression_count: int = 0
    viewable_count: int = 0
    click_count: int = 0
    revenue_micros: int = 0
    day: int = 0
    day_revenue_micros: int = 0


class Terms(NamedTuple):
    """The limits of one line item, as `Account` has them."""

    position: int
    item_id: int
    unit: str
    goal: int | None
    budget: int | None
    daily_budget: int | None
    price_micros: int
    flat_micros: int
    zone: ZoneInfo


class Ledger:
    """What one worker holds of every limited line item, the turns of sponsors, and creatives in sequence.

    Accounts are kept by the line item's id and outlive catalog versions: `bind` gives it each index.
    """

    def __init__(
        self, *, reservation_seconds: int = 600, offer_seconds: int = 60, leased: bool = False
    ) -> None:
        """`leased`: nothing is served of a limited line item but what is granted (`lease`)."""
        self._accounts: dict[int, Account] = {}
        self._reservation_minutes = -(-reservation_seconds // 60)
        self._offer_minutes = -(-offer_seconds // 60)
        self._leased = leased
        self.sponsors = Turns()
        self.closings = 0
        """Rises whenever a line item runs out of room, and with each tick."""
        self.turns: dict[int, int] = {}
        """Line item → how often its creatives had a turn in sequence."""
        self.next_midnight_us = 0

    def bind(self, index: Index, terms: Sequence[Terms]) -> None:
        """Take a new catalog's limits, as `terms_of` gives them; what was delivered and reserved stays."""
        self._index = index
        self.sponsors.begin()
        self.accounts: list[Account | None] = [None] * len(index.items)
        self.closed = bytearray(len(index.items))
        """1 for each line item, by position, without room for another fill."""
        self._together = frozenset(bitmap.positions_in(index.together).tolist())
        self.used_up = self.closed if not self._leased else bytearray(len(index.items))
        """The same of those that have none until the next tick, most likely, whatever is leased before."""
        for one in terms:
            account = self._accounts.get(one.item_id)
            if account is None:
                account = self._accounts[one.item_id] = Account(lease=Lease() if self._leased else None)
            self.accounts[one.position] = account
            account.unit, account.goal, account.price_micros = one.unit, one.goal, one.price_micros
            account.budget, account.daily_budget, account.zone = one.budget, one.daily_budget, one.zone
            account.flat_micros = one.flat_micros
        self.next_midnight_us = 0
        self._close()

    def room(self, position: int) -> float:
        """How many more fills a line item has room for."""
        account = self.accounts[position]
        return inf if account is None else account.room()

    def take(self, position: int, now_us: int, *, offered: bool = False) -> None:
        """Reserve a fill that is being served, or a bid that is offered."""
        if self._index.items[position].rotation == "sequential":
            self.turns[self._index.item_ids[position]] = self.turn(position) + 1
        account = self.accounts[position]
        if account is not None:
            account.take(now_us // _MINUTE_US, offered=offered)
            self._close_one(position, account)

    def count(
        self,
        item_id: int,
        unit: str,
        count: int,
        revenue_micros: int,
        *,
        day: int,
        minute: int,
        own: bool = True,
    ) -> None:
        """Take note of valid events that are on disk now; of what else than `GOAL_UNITS`, what they earned.

        `day` and `minute` (since 1970) are those of their fills. `own`: this worker served them.
        """
        account = self._accounts.get(item_id)
        if account is None:
            return
        if unit == account.unit:
            account.counted += count
        if unit == "impressions" and own:
            account.release(count, minute)
        account.spent += revenue_micros
        if day == account.day:
            account.day_spent += revenue_micros
        position = self._index.positions.get(item_id)
        if position is not None:
            self._close_one(position, account)

    def release(self, item_id: int, count: int, minute: int) -> None:
        """Give back reservations of fills that another worker counted."""
        account = self._accounts.get(item_id)
        if account is not None:
            account.release(count, minute)

    def leased(self) -> Iterator[tuple[int, Account, int]]:
        """Every limited line item: its id, its account, and with how few fills it can be served at all."""
        ids, together = self._index.item_ids, self._together
        for position, account in enumerate(self.accounts):
            if account is not None:
                yield ids[position], account, _MOST_TOGETHER if position in together else 1

    def grant(self, item_id: int, held: int, *, scarce: bool) -> None:
        """Hold so much of a line item; what was counted since it was asked for is not held any more."""
        account = self._accounts.get(item_id)
        if account is not None and account.lease is not None:
            lease = account.lease
            lease.held, lease.noted, lease.scarce = max(held - lease.released, 0), held, scarce

    def delivered(self) -> list[Delivered]:
        """What was counted, as `restate` takes it."""
        return [
            Delivered(
                item_id,
                a.counted if a.unit == "impressions" else 0,
                a.counted if a.unit == "viewables" else 0,
                a.counted if a.unit == "clicks" else 0,
                a.spent,
                a.day,
                a.day_spent,
            )
            for item_id, a in self._accounts.items()
        ]

    def restate(self, delivered: Sequence[Delivered]) -> None:
        """Take over what the log says was delivered, by this worker and by others. What is not told is 0."""
        told = {one.item_id: one for one in delivered}
        for item_id, account in self._accounts.items():
            one = told.get(item_id, Delivered(item_id, day=account.day))
            counts = (one.impression_count, one.viewable_count, one.click_count)
            account.counted = dict(zip(GOAL_UNITS, counts, strict=True)).get(account.unit, 0)
            account.spent = one.revenue_micros
            if one.day == account.day:
                account.day_spent = one.day_revenue_micros
        self._close()

    def tick(self, now: datetime) -> None:
        """Once a minute: expire reservations."""
        minute = to_us(now) // _MINUTE_US
        before, offered_before = minute - self._reservation_minutes, minute - self._offer_minutes
        for account in self.accounts:
            if account is not None:
                account.expire(before, offered_before)
        if to_us(now) >= self.next_midnight_us:
            self.begin_days(now)
        else:
            self._close()

    def learn(self, rates: Rates) -> None:
        """Take over how many events a fill is expected to bring."""
        for position, account in enumerate(self.accounts):
            if account is not None:
                account.per_fill = rates.per_impression(position)

    def begin_days(self, now: datetime) -> None:
        """Begin a new day where midnight has passed, each line item in its own time zone."""
        midnights = []
        for account in self.accounts:
            if account is not None and account.counts_days:
                account.begin_day(local_day(now, account.zone))
                midnights.append(to_us(next_midnight(now, account.zone)))
        self.next_midnight_us = min(midnights, default=1 << 62)
        self._close()

    def _close_one(self, position: int, account: Account) -> None:
        if not self.closed[position] and account.room() < 1:
            self.closed[position] = 1
            self.closings += 1

    def _close(self) -> None:
        self.closings += 1
        self._renew()
        if self._leased:
            for position, account in enumerate(self.accounts):
                if account is not None:
                    self.used_up[position] = min(account.left()) < 1

    def renew_closed(self) -> None:
        """Look anew who has room, after leases changed."""
        before = bytes(self.closed)
        self._renew()
        if self.closed != before:
            self.closings += 1

    def _renew(self) -> None:
        for position, account in enumerate(self.accounts):
            if account is not None:
                self.closed[position] = account.room() < 1

    def turn(self, position: int) -> int:
        """How many fills of a line item came before, for creatives that go in sequence."""
        return self.turns.get(self._index.item_ids[position], 0)


def terms_of(index: Index) -> list[Terms]:
    """The limits of all line items that have any; takes some time for many, and touches no ledger."""
    return [
        _terms(position, index.item_ids[position], item, index.units[position], index.zones[position])
        for position, item in enumerate(index.items)
        if item.goal or item.budget is not None or item.daily_budget is not None
    ]


def _terms(position: int, item_id: int, item: LineItem, unit: str, zone: ZoneInfo) -> Terms:
    goal = getattr(item.goal, unit) if item.goal else None
    each = item.price.per_event_micros if item.price else 0
    flat = item.price.micros if item.price and item.price.model is PriceModel.FLAT else 0
    return Terms(position, item_id, unit, goal, item.budget, item.daily_budget, each, flat, zone)
