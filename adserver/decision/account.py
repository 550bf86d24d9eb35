"""The limits of one line item, its counted events and its fills → how many more fills it has room for.

What was served and not yet counted is reserved, by the minute of its fill, as reservations of one minute are
alike. One is released when its impression is counted, or when it expires because the fill was never drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor, inf
from zoneinfo import ZoneInfo

_UTC = ZoneInfo("UTC")


@dataclass(slots=True)
class Lease:
    """What one of several workers holds of a line item, in fills."""

    held: int = 0
    """Those reserved, and those that may still be served without asking."""
    noted: int = 0
    """What was held when the others were last told."""
    released: int = 0
    """Reservations that were released by a counted event since then."""
    served_count: int = 0
    """Of the account, at the last round."""
    pace: float = 0.0
    """Fills that were served of it in a round lately."""
    idle_rounds: int = 0
    """So long nothing was served of it."""
    scarce: bool = True
    """Whether so little is left that what stands idle here is missed elsewhere."""


@dataclass(slots=True)
class Account:
    """What one limited line item has delivered and reserved. Amounts are in micros; None: no such limit."""

    goal: int | None = None
    unit: str = "impressions"
    budget: int | None = None
    daily_budget: int | None = None
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
    lease: Lease | None = None
    """What this worker holds of it; None where it is the only one."""

    def room(self) -> float:
        """How many more fills its limits, and its lease, allow now."""
        whole, today = self.left()
        room = min(whole - self.reserved, today - self.day_reserved)
        return room if self.lease is None else min(room, self.lease.held - self.reserved)

    def left(self) -> tuple[float, float]:
        """How many fills its limits leave, those that are reserved included: in all, and today."""
        if not self._pays_today():
            return 0.0, 0.0
        whole = today = inf
        if self.goal is not None:
            whole = self._fills(self.goal - self.counted)
        if self.price_micros:
            # What is left but pays for no whole event is as good as spent.
            if self.budget is not None:
                whole = min(whole, self._fills((self.budget - self.spent) // self.price_micros))
            if self.daily_budget is not None:
                today = self._fills((self.daily_budget - self.day_spent) // self.price_micros)
        return whole, today

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

    def _fills(self, events: int) -> int:
        """The fills that so many more events are expected to take."""
        return floor(events / self.per_fill + 1e-9)

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
        rest = count - self._release(self.offered, count, minute)
        lapsed = min(rest, self.lapsed.get(minute, 0))
        if lapsed:
            self.lapsed[minute] -= lapsed
        self._release(self.pending, rest - lapsed, minute)
        if self.lease is not None:
            # What is counted is no longer held, also where its reservation had expired before.
            self.lease.held = max(self.reserved, self.lease.held - count)
            self.lease.released += count

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
