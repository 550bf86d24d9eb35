"""Goals and budgets, fills and counted events → how many more fills each line item has room for.

What was served and not yet counted is reserved, so that no goal, budget or daily budget is exceeded however
many pages are open at once. A reservation is released when its own impression is counted, or when it expires
because the fill was never drawn; reservations of one minute are alike, so it is known by the minute of its
fill. What is offered to an auction elsewhere is reserved for a shorter time, because most bids are lost.
Whatever arrives after that beyond a limit is marked by the log, and not billed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, floor, inf
from typing import NamedTuple
from zoneinfo import ZoneInfo

from adserver.catalog.model import LineItem, PriceModel
from adserver.clock import local_day, next_midnight, to_us
from adserver.decision.index import Index
from adserver.decision.rates import Rates
from adserver.decision.sponsors import Turns

#: What a goal may count; what else is paid for, such as conversions, only budgets hold.
GOAL_UNITS = ("impressions", "viewables", "clicks")
_MINUTE_US = 60_000_000
_UTC = ZoneInfo("UTC")


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


@dataclass(slots=True)
class Account:
    """What one limited line item has delivered and reserved. Amounts are in micros; None: no such limit."""

    goal: int | None = None
    unit: str = "impressions"
    budget: int | None = None
    daily_budget: int | None = None
    share: int = 1
    """Among how many workers what is left is divided."""
    price_micros: int = 0
    """Of one billable event."""
    flat_micros: int = 0
    """Of a day, where days are billed."""
    per_fill: float = 1.0
    """Events of `unit` that a fill is expected to bring."""
    zone: ZoneInfo = _UTC
    counted: int = 0
    spent: int = 0
    day: int = 0
    day_spent: int = 0
    served_count: int = 0
    """Fills since the server started."""
    reserved: int = 0
    day_reserved: int = 0
    """Reserved by fills of today."""
    pending: dict[int, list[int]] = field(default_factory=dict)
    """Minute → [fills of that minute that are reserved, day on which they were served]."""
    offered: dict[int, list[int]] = field(default_factory=dict)
    """The same of bids in auctions elsewhere."""
    lapsed: dict[int, int] = field(default_factory=dict)
    """Minute → bids of that minute that expired, of which some may yet be told to have won."""

    def room(self) -> float:
        """How many more fills its limits allow now."""
        room = inf
        if self.goal is not None:
            room = self._leased(self.goal - self.counted) - self.reserved
        if self.price_micros:
            # What is left but pays for no whole event is as good as spent.
            if self.budget is not None:
                room = min(
                    room, self._leased((self.budget - self.spent) // self.price_micros) - self.reserved
                )
            if self.daily_budget is not None:
                today = self._leased((self.daily_budget - self.day_spent) // self.price_micros)
                room = min(room, today - self.day_reserved)
        return room if self._pays_today() else 0

    def _pays_today(self) -> bool:
        """Whether a flat day is paid for already, or its budgets have room for it."""
        if not self.flat_micros or self.day_spent:
            return True
        budgets = (self.budget, self.spent), (self.daily_budget, self.day_spent)
        return all(limit is None or spent + self.flat_micros <= limit for limit, spent in budgets)

    @property
    def counts_days(self) -> bool:
        """Whether what it earns today tells how much room it has."""
        return self.daily_budget is not None or self.flat_micros > 0

    def _leased(self, events: int) -> int:
        """This worker's part of the fills that so many more events are expected to take."""
        return ceil(floor(events / self.per_fill + 1e-9) / self.share)

    def fills(self) -> tuple[float, float]:
        """(size, done) in fills over the whole flight; the size is infinite without a limit."""
        if self.goal is not None:
            return self.goal / self.per_fill, self.counted / self.per_fill + self.reserved
        if self.budget is None or not self.price_micros:
            return inf, 0.0
        cost = self.price_micros * self.per_fill
        return self.budget // self.price_micros / self.per_fill, self.spent / cost + self.reserved

    def day_fills(self) -> tuple[float, float]:
        """(size, done) in fills of today; the size is infinite without a daily budget."""
        if self.daily_budget is None or not self.price_micros:
            return inf, 0.0
        cost = self.price_micros * self.per_fill
        return (
            self.daily_budget // self.price_micros / self.per_fill,
            self.day_spent / cost + self.day_reserved,
        )

    def take(self, minute: int, *, offered: bool = False) -> None:
        """Reserve one fill, or one bid that is offered."""
        self.served_count += 1
        self.reserved += 1
        self.day_reserved += 1
        held = self.offered if offered else self.pending
        fills = held.get(minute)
        if fills is None:
            held[minute] = [1, self.day]
        else:
            fills[0] += 1

    def release(self, count: int, minute: int) -> None:
        """Give back reservations of fills of a minute, as far as there still are some.

        Those of bids first, whichever it was, even if they expired and hold nothing any more: taken from the
        others, one would be free again too soon.
        """
        count -= self._release(self.offered, count, minute)
        lapsed = min(count, self.lapsed.get(minute, 0))
        if lapsed:
            self.lapsed[minute] -= lapsed
        self._release(self.pending, count - lapsed, minute)

    def _release(self, held: dict[int, list[int]], count: int, minute: int) -> int:
        fills = held.get(minute)
        if fills is None:
            return 0
        some = min(count, fills[0])
        fills[0] -= some
        self.reserved -= some
        if fills[1] == self.day:
            self.day_reserved -= some
        if not fills[0]:
            del held[minute]
        return some

    def expire(self, before: int, offered_before: int) -> None:
        """Release what was reserved before a minute, and what was offered before another."""
        for minute in [minute for minute in self.offered if minute < offered_before]:
            lapsed = self._release(self.offered, self.offered[minute][0], minute)
            self.lapsed[minute] = self.lapsed.get(minute, 0) + lapsed
        for minute in [minute for minute in self.pending if minute < before]:
            self._release(self.pending, self.pending[minute][0], minute)
        for minute in [minute for minute in self.lapsed if minute < before]:
            del self.lapsed[minute]

    def begin_day(self, day: int) -> None:
        """A new day of its own has begun, and with it a new daily budget."""
        if day != self.day:
            self.day, self.day_spent = day, 0
            held = [*self.pending.values(), *self.offered.values()]
            self.day_reserved = sum(count for count, served_on in held if served_on == day)


class Ledger:
    """What one worker holds of every limited line item, the turns of sponsors, and creatives in sequence.

    Accounts are kept by the line item's id and outlive catalog versions: `bind` gives it each index.
    """

    def __init__(
        self, *, reservation_seconds: int = 600, offer_seconds: int = 60, worker_count: int = 1
    ) -> None:
        self._accounts: dict[int, Account] = {}
        self._reservation_minutes = -(-reservation_seconds // 60)
        self._offer_minutes = -(-offer_seconds // 60)
        self._worker_count = worker_count
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
        for one in terms:
            account = self._accounts.get(one.item_id)
            if account is None:
                account = self._accounts[one.item_id] = Account(share=self._worker_count)
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
        self, item_id: int, unit: str, count: int, revenue_micros: int, *, day: int, minute: int
    ) -> None:
        """Take note of valid events that are on disk now; of what else than `GOAL_UNITS`, what they earned.

        `day` and `minute` (since 1970) are those of their fills.
        """
        account = self._accounts.get(item_id)
        if account is None:
            return
        if unit == account.unit:
            account.counted += count
        if unit == "impressions":
            account.release(count, minute)
        account.spent += revenue_micros
        if day == account.day:
            account.day_spent += revenue_micros
        position = self._index.positions.get(item_id)
        if position is not None:
            self._close_one(position, account)

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
