"""Fills and opportunities of the last minute → what each line item bids, so that its goal is met at its end.

One number per line item, learned while serving: x, the logarithm of a bid (guaranteed) or of a multiplier of
what it pays (price, with a budget). Where it got less than it wants, x rises; where more, x falls. After
online dual descent for budgets (Balseiro & Gur, "Learning in Repeated Auctions with Budgets", Management
Science 2019), with time measured in standard hours of the site's own traffic (`traffic`). Where x begins, and
who should hurry or wait, is said by the plan of the week (`plan`).

Arrays have one row for each paced line item. Amounts are in fills, times in standard hours unless their name
says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from adserver.catalog.model import LineItem, Tier
from adserver.decision import bitmap
from adserver.decision.account import Account
from adserver.decision.arrays import Flags, Floats, Ints
from adserver.decision.candidates import Candidates
from adserver.decision.index import Index
from adserver.decision.ledger import Ledger
from adserver.decision.plan import Booked, Planned
from adserver.decision.schedule import Schedule
from adserver.decision.standing import RESTING
from adserver.decision.traffic import Profile, seconds_of

#: Constants are as tuned in simulation, in a market whose prices have a geometric mean of about this.
_MARKET_CPM = 3.0
_FIRST_BID, _LOWEST_BID, _CEILING = 2.0, 0.05, 25.0
_FIRST_MULTIPLIER, _LOWEST_MULTIPLIER = 0.7, 0.02
#: How far below its lowest bid x may fall. There a line item rests: it serves nothing, not even where nobody
#: else would. As x rises again for what it does not get, it takes turns with whoever comes last.
_REST = 0.5
_MOST_STEP = 0.25
_LEAD, _LEAST_LEFT = 0.03, 0.15
#: How far a line item may run ahead of its time, as a part of its size.
_AHEAD = {"even": 0.10, "frontloaded": 0.25}
_HALF_LIFE = 48.0
#: Half-life of what a line item bids as a rule, with which it begins a day.
_USUAL_HALF_LIFE = 6.0
#: Time constant: a part of what is left, within bounds in hours.
_TAU_PART, _LEAST_TAU, _MOST_TAU = 0.10, 10 / 60, 240 / 60
_MOST_RHO = 1.5
#: Goals are planned with so much more than they need: the week may bring fewer pages than the last one.
_MARGIN = 1.2
#: What a thousand missed impressions of a goal cost beyond what they would have paid, in units of the market.
_MISSED_CPM = 20.0
#: How far multipliers of budgets are drawn to each new plan: clicks are learned too slowly to wait for them.
_PLANNED_PART = 0.2


@dataclass
class Memory:
    """What one line item has learned; it is saved, and survives a restart and a new catalog."""

    x: float = np.nan
    opportunities: float = 0.0
    """Opportunities and the standard hours in which they came, both fading with a half-life of 48 of them."""
    hours: float = 0.0
    haste: float = 1.0
    """How much faster than evenly it should deliver now, by the plan of the week."""


class Pacing:
    """Bids and multipliers of all line items of one index, and their change from tick to tick."""

    def __init__(
        self, index: Index, profiles: Mapping[str, Profile], now: datetime, *, share: float = 1.0
    ) -> None:
        """`share`: this worker's part of the pages, and so of what is needed; it may be set anew."""
        self.index = index
        self.share = share
        self.rows: Ints = np.array([p for p, i in enumerate(index.items) if _paced(i)], dtype=np.int64)
        """Position of each paced line item."""
        self.items = [index.items[position] for position in self.rows.tolist()]
        self.guaranteed = np.array([item.tier is Tier.GUARANTEED for item in self.items], dtype=bool)
        self.schedule = Schedule(index, self.rows, profiles, now)
        self._row_of = np.full(len(index.items), -1, dtype=np.int64)
        self._row_of[self.rows] = np.arange(len(self.rows))
        self._bits = bitmap.of_positions(self.rows.tolist(), len(index.items))
        self._capped_row = np.array(
            [index.contenders[position].subjects is not None for position in self.rows.tolist()], dtype=bool
        )
        self._hasty = np.array([item.pacing == "asap" for item in self.items], dtype=bool)
        self._band = np.array([_AHEAD.get(item.pacing, 1.0) for item in self.items], dtype=float)
        self.unit, self._worth, self._ceiling = _market(index, self.items, self.guaranteed)
        self.recall({})
        self._day_left = np.full(len(self.rows), np.inf)
        self._ticked_at = now

    def recall(self, memories: Mapping[int, Memory]) -> None:
        """Take over what was learned before, by line item id."""
        own = [memories.get(self.index.item_ids[position], Memory()) for position in self.rows.tolist()]
        first = np.where(self.guaranteed, np.log(_FIRST_BID * self.unit), np.log(_FIRST_MULTIPLIER))
        known = np.array([memory.x for memory in own], dtype=float)
        self.x: Floats = np.where(np.isnan(known), first, known)
        self._unplanned = np.isnan(known)
        """Those that bid by no plan and no experience yet."""
        self._levels: Floats | None = None
        self._opportunities = np.array([memory.opportunities for memory in own], dtype=float)
        self._hours = np.array([memory.hours for memory in own], dtype=float)
        self.haste: Floats = np.array([memory.haste for memory in own], dtype=float)
        self._served: Floats | None = None
        """Fills of each row when it was looked at last."""
        self._usual = self.x.copy()

    def memories(self) -> dict[int, Memory]:
        """What was learned, by line item id."""
        columns = zip(self.x, self._opportunities, self._hours, self.haste, strict=True)
        ids = (self.index.item_ids[position] for position in self.rows.tolist())
        return {item_id: Memory(*map(float, values)) for item_id, values in zip(ids, columns, strict=True)}

    def bids(self) -> tuple[Floats, Floats]:
        """(bids, multipliers) of all line items, by position, as `Standing` takes them."""
        bids = np.full(len(self.index.items), np.nan)
        multipliers = np.ones(len(self.index.items))
        bids[self.rows[self.guaranteed]] = np.exp(self.x[self.guaranteed])
        multipliers[self.rows[~self.guaranteed]] = np.exp(self.x[~self.guaranteed])
        bids[self.rows[self.x < self._lowest()]] = RESTING
        return bids, multipliers

    def _lowest(self) -> Floats:
        """The x of the lowest bids."""
        lowest = np.full(len(self.rows), np.log(_LOWEST_MULTIPLIER))
        lowest[self.guaranteed] = np.log(_LOWEST_BID * self.unit)
        return lowest

    def tick(
        self, now: datetime, ledger: Ledger, asked: Sequence[Candidates], missed: Mapping[int, int]
    ) -> None:
        """Learn from the time since the last tick: who was asked for, and what was served."""
        hours = max(0.0, seconds_of(now) - seconds_of(self._ticked_at)) / 3600
        self._ticked_at = now
        eligible = self._opportunities_of(asked, missed)
        accounts = [_account(ledger, position) for position in self.rows.tolist()]
        served = np.array([account.served_count for account in accounts], dtype=float)
        # What was served before these rows were paced is no news to them.
        fills = np.zeros(len(served)) if self._served is None else np.maximum(served - self._served, 0.0)
        self._served = served
        clock = self.schedule.at(now)
        passed = clock.passed
        if not hours:
            return
        self._remember(eligible, passed)
        size, done = _amounts(accounts, daily=False)
        left = np.maximum(clock.left - _LEAD * clock.total, _LEAST_LEFT * clock.left)
        # Without an end there is nothing to pace towards.
        ends = np.isfinite(left) & np.isfinite(size)
        left_over = np.maximum(np.where(ends, size, 0.0) - done, 0.0)
        need = np.where(ends, left_over / np.maximum(left, 1e-9), np.inf)
        day_size, day_done = _amounts(accounts, daily=True)
        day_need = np.maximum(day_size - day_done, 0.0) / np.maximum(clock.day_left, 1e-9)
        today = np.isfinite(day_size) & (day_need < need)
        self._begin_days(today, clock.day_left)
        need, left = np.where(today, day_need, need), np.where(today, clock.day_left, left)
        rate = self._opportunities / np.maximum(self._hours, 1e-9)
        paced = np.isfinite(need)
        need = np.where(paced, need, 0.0) * self.share
        rho = np.clip(need / np.maximum(rate, 1e-9), 0.0, 1e3)
        ahead = done / np.maximum(size, 1e-9) - clock.elapsed
        want = self._wanted(rho, need, eligible, passed, ahead)
        tau = np.clip(_TAU_PART * left, _LEAST_TAU, _MOST_TAU)
        pull = self.haste * rho * rate * passed
        # So floored, one fill moves x by no more than the most that a tick may move it.
        step = hours / tau * (want - fills) / np.maximum(pull, 4 * hours / tau)
        moving = clock.live & (passed > 0) & paced & (self._opportunities >= 1)
        self.x += np.where(moving, np.clip(step, -_MOST_STEP, _MOST_STEP), 0.0)
        self._bound(rho, paced)
        fading = np.exp2(-np.where(moving, passed, 0.0) / _USUAL_HALF_LIFE)
        self._usual = self._usual * fading + self.x * (1 - fading)

    def _begin_days(self, today: Flags, day_left: Floats) -> None:
        """Where a day with a budget of its own begins, bid as usual.

        With little of a budget left, x has fallen by the evening below what wins anything, and would need an
        hour to come back.
        """
        begins = today & (day_left > self._day_left + 1)
        self._day_left = day_left
        self.x = np.where(begins, np.maximum(self.x, self._usual), self.x)

    def booked(self, ledger: Ledger) -> Booked:
        """What all rows ask of the week to come, as the plan takes it."""
        accounts = [_account(ledger, position) for position in self.rows.tolist()]
        size, done = _amounts(accounts, daily=False)
        share = self.schedule.share_of_week()
        left = np.where(np.isfinite(size), np.maximum(size - done, 0.0), 0.0)
        parts = zip(accounts, self.schedule.days_of_week(), np.where(share > 0, share, 1.0), strict=True)
        money = np.array([_week_micros(account, days, part) for account, days, part in parts]) / 1e3
        needs = np.where(self.guaranteed, left * share * _MARGIN, money)
        worth = self.index.ecpms[self.rows] + _MISSED_CPM * self.unit
        repeat = np.array([item.repeat for item in self.items], dtype=bool)
        return Booked(needs, self.guaranteed, worth, repeat, self.unit, self._levels)

    def follow(self, planned: Planned, now: datetime) -> None:
        """Take over a plan: its timing, and its bids where there is no experience yet."""
        self._levels = planned.levels
        self.haste = planned.haste
        floor = np.maximum(planned.levels, 1e-9)
        target = np.where(self.guaranteed, np.log(floor), np.log(planned.parts))
        anew = self._unplanned | ~self.schedule.begun(now)
        pull = np.where(anew, 1.0, np.where(self.guaranteed, 0.0, _PLANNED_PART))
        # Who takes all it can get bids the most, whatever the plan says.
        self.x += np.where(planned.asking & ~self._hasty, pull * (target - self.x), 0.0)
        self._unplanned &= ~planned.asking

    def _wanted(self, rho: Floats, need: Floats, eligible: Floats, passed: Floats, ahead: Floats) -> Floats:
        """Fills that each should have got since the last tick."""
        by_traffic = self.haste * rho * eligible
        by_time = self.haste * need * passed
        band = self._band * (1 + 10 * np.maximum(self.haste - 1, 0.0))
        # Behind its time it takes the more of the two, and the less of them the further it is ahead.
        blend = np.clip(ahead / band, 0.0, 1.0)
        both = (1 - blend) * np.maximum(by_traffic, by_time) + blend * np.minimum(by_traffic, by_time)
        return np.where(self.guaranteed, both, by_traffic)

    def _bound(self, rho: Floats, paced: Flags) -> None:
        urgency = 10 * np.minimum(self.haste * rho, _MOST_RHO)
        highest = np.where(self.guaranteed, np.log(self._ceiling) + urgency + 2 * self._worth, 0.0)
        lowest = self._lowest() - _REST
        free = self._hasty | (~self.guaranteed & ~paced)
        self.x = np.where(free, highest, np.clip(self.x, lowest, np.maximum(lowest, highest)))

    def _remember(self, eligible: Floats, passed: Floats) -> None:
        fading = np.exp2(-passed / _HALF_LIFE)
        self._opportunities = self._opportunities * fading + eligible
        self._hours = self._hours * fading + passed

    def _opportunities_of(self, asked: Sequence[Candidates], missed: Mapping[int, int]) -> Floats:
        """How often each row passed every rule in a slot that was asked for, whether it won or not."""
        counts = np.zeros(len(self.rows))
        unstored = np.zeros(len(self.rows))
        for candidates in asked:
            if candidates.paced is None:
                candidates.paced = self._row_of[bitmap.positions_in(candidates.eligible & self._bits)]
            counts[candidates.paced] += candidates.asked_count
            if candidates.unstored_count:
                unstored[candidates.paced] += candidates.unstored_count
        counts -= np.where(self._capped_row, unstored, 0.0)
        for position, count in missed.items():
            row = self._row_of[position]
            if row >= 0:
                counts[row] -= count
        return np.maximum(counts, 0.0)


def _paced(item: LineItem) -> bool:
    return item.tier is Tier.GUARANTEED or item.budget is not None or item.daily_budget is not None


def _account(ledger: Ledger, position: int) -> Account:
    account = ledger.accounts[position]
    assert account, "every paced line item has a limit, and so an account"
    return account


def _week_micros(account: Account, days: float, share: float) -> float:
    """What may be spent within a week, at most: on so many days, and of such a share of what is left."""
    daily = np.inf if account.daily_budget is None else days * account.daily_budget
    whole = np.inf if account.budget is None else share * max(0, account.budget - account.spent)
    return min(daily, whole)


def _amounts(accounts: Sequence[Account], *, daily: bool) -> tuple[Floats, Floats]:
    """(size, done) of each account in fills; infinite where there is no such limit."""
    pairs = [account.day_fills() if daily else account.fills() for account in accounts]
    columns = np.array(pairs, dtype=float).reshape(len(accounts), 2)
    return columns[:, 0], columns[:, 1]


def _market(index: Index, items: Sequence[LineItem], guaranteed: Flags) -> tuple[float, Floats, float]:
    """What makes constants fit any currency → (unit, ln of each row's price ÷ the mean, ceiling)."""
    ecpms = index.ecpms[index.ecpms > 0]
    unit = float(np.exp(np.log(ecpms).mean())) / _MARKET_CPM if len(ecpms) else 1.0
    prices = np.array([(item.price.micros if item.price else 0) / 1e6 for item in items], dtype=float)
    positive = prices[guaranteed & (prices > 0)]
    mean = float(np.exp(np.log(positive).mean())) if len(positive) else 1.0
    worth = np.log(np.where(prices > 0, prices, mean) / mean)
    paying = bitmap.positions_in(index.tiers[Tier.PRICE] | index.tiers[Tier.NETWORK])
    highest = float(index.ecpms[paying].max()) if len(paying) else 0.0
    return unit, np.where(guaranteed, worth, 0.0), max(_CEILING * unit, 1.5 * highest)
