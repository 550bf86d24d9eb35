"""Page views → fills by three rules of other ad servers, on common ground: what the judge compares with.

The ground is the same for all: targeting, flights, hours, caps, labels, no repeats, hard stops of goals and
budgets, sponsorships by lot, and the highest expected price where no guaranteed line item takes the slot.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random

import numpy as np

from adserver.catalog.model import Tier
from tests.simulation.players import EMPTY
from tests.simulation.tables import UNLIMITED
from tests.simulation.traffic import QUARTER_US, QUARTERS, QUARTERS_PER_DAY, Flags
from tests.simulation.world import EXPECTED_CTR, World

_HOUR_US, _FIVE_MINUTES_US = 4 * QUARTER_US, 300_000_000
#: A lot that fell on a line item that is not free is drawn again so often before the rest are listed.
_REDRAWS = 6


class Entry:
    """Who may serve in one slot of one kind of page this quarter hour."""

    __slots__ = ("edges", "guaranteed", "ranked", "shares", "sponsors", "weights_at")

    def __init__(
        self, sponsors: list[int], shares: list[float], guaranteed: list[int], ranked: list[int]
    ) -> None:
        self.sponsors, self.shares = sponsors, shares
        self.guaranteed, self.ranked = guaranteed, ranked
        self.edges: list[float] = []
        self.weights_at = -1


class Ground:
    """What the players have in common; they differ in `weigh` and `refresh_us`."""

    #: Weights of the lottery among guaranteed line items hold this long.
    refresh_us = _FIVE_MINUTES_US
    #: Whether the weights are probabilities, so that the lottery can end without a winner.
    probabilities = False

    def begin(self, world: World, rng: Random) -> None:
        """Nothing delivered, nobody seen."""
        lines = world.lines
        self.world, self.rng = world, rng
        self.left = [g if t else UNLIMITED for g, t in zip(lines.goal.tolist(), lines.goal > 0, strict=True)]
        self.budget = [b if b >= 0 else UNLIMITED for b in lines.budget_micros.tolist()]
        self.daily = [b if b >= 0 else UNLIMITED for b in lines.daily_budget_micros.tolist()]
        self.today = list(self.daily)
        self.impression_price, self.click_price = (
            lines.per_impression_micros.tolist(),
            lines.per_click_micros.tolist(),
        )
        self.dearest = [a + b for a, b in zip(self.impression_price, self.click_price, strict=True)]
        self.seen: dict[tuple[int, int], list[int]] = {}
        self.kinds, self.times = world.views.kind.tolist(), world.views.at_us.tolist()
        self.visitors = world.views.visitor.tolist()
        self.expected = lines.per_impression_micros + lines.per_click_micros * EXPECTED_CTR
        self.weights = np.zeros(len(lines.items))
        self.drawn = self.drawn_by_lot()
        self.quarter = -1
        self.weighed_us = -(1 << 60)
        self.version = 0
        self.entries: dict[tuple[int, int], Entry] = {}

    def drawn_by_lot(self) -> Flags:
        """Which line items take part in the lottery before the highest price counts."""
        return self.world.lines.of_tier(Tier.GUARANTEED)

    def weigh(self, now_us: int) -> None:
        """Set `weights` anew."""

    def tick(self, now_us: int) -> None:
        """A new quarter hour may change who is active; a new day, what is left of daily budgets."""
        quarter, active = (now_us - self.world.start_us) // QUARTER_US, self.world.lines.active
        if quarter != self.quarter:
            if quarter == 0 or (active[:, quarter] != active[:, quarter - 1]).any():
                self.entries.clear()
            if quarter % QUARTERS_PER_DAY == 0:
                self.today = list(self.daily)
            self.quarter = quarter
        if now_us - self.weighed_us >= self.refresh_us:
            self.weighed_us = now_us
            self.version += 1
            self.weigh(now_us)

    def page(self, view: int) -> Sequence[int]:
        """Slots in the site's order, each on its own, as these servers do."""
        kind, page = self.kinds[view], [EMPTY] * len(self.world.site.slot)
        labels: set[str] = set()
        for slot in range(len(page)):
            entry = self.entries.get((kind, slot)) or self._entry(kind, slot)
            chosen = self._choose(entry, page, labels, view)
            page[slot] = chosen
            if chosen != EMPTY:
                labels |= self.world.lines.labels[chosen]
        return page

    def counted(self, view: int, filled: Sequence[int], clicked: Sequence[int]) -> None:
        """Goals, budgets and caps are spent at once."""
        caps, visitor, at_us = self.world.lines.caps, self.visitors[view], self.times[view]
        for slot, number in enumerate(filled):
            if number == EMPTY:
                continue
            self.left[number] -= 1
            spent = self.impression_price[number] + (self.click_price[number] if slot in clicked else 0)
            self.budget[number] -= spent
            self.today[number] -= spent
            if caps[number]:
                self.seen.setdefault((visitor, number), []).append(at_us)

    def _entry(self, kind: int, slot: int) -> Entry:
        lines = self.world.lines
        may = lines.eligible[kind, slot] & lines.active[:, self.quarter]
        sponsors = np.flatnonzero(may & lines.of_tier(Tier.SPONSORSHIP))
        price, house = may & lines.of_tier(Tier.PRICE), np.flatnonzero(may & lines.of_tier(Tier.HOUSE))
        ranked = np.flatnonzero(price)
        ranked = ranked[np.argsort(-self.expected[ranked], kind="stable")]
        entry = Entry(
            sponsors.tolist(),
            list(accumulate(lines.share[sponsors].tolist())),
            np.flatnonzero(may & self.drawn).tolist(),
            [*ranked.tolist(), *house.tolist()],
        )
        self.entries[kind, slot] = entry
        return entry

    def _choose(self, entry: Entry, page: Sequence[int], labels: set[str], view: int) -> int:
        if entry.sponsors:
            i = bisect_right(entry.shares, self.rng.random() * max(1.0, entry.shares[-1]))
            if i < len(entry.sponsors) and self._free(entry.sponsors[i], page, labels, view):
                return entry.sponsors[i]
        if entry.guaranteed:
            chosen = self._draw(entry, page, labels, view)
            if chosen != EMPTY:
                return chosen
        return next((n for n in entry.ranked if self._free(n, page, labels, view)), EMPTY)

    def _draw(self, entry: Entry, page: Sequence[int], labels: set[str], view: int) -> int:
        """A lot in proportion to weights among the free guaranteed line items, or EMPTY."""
        if entry.weights_at != self.version:
            entry.edges = list(accumulate(self.weights[entry.guaranteed].tolist()))
            entry.weights_at = self.version
        edges = entry.edges
        if edges[-1] <= 0:
            return EMPTY
        for _ in range(_REDRAWS):
            i = bisect_right(
                edges, self.rng.random() * (max(1.0, edges[-1]) if self.probabilities else edges[-1])
            )
            if i >= len(edges):
                return EMPTY
            if self._free(entry.guaranteed[i], page, labels, view):
                return entry.guaranteed[i]
        free = [n for n in entry.guaranteed if self._free(n, page, labels, view)]
        weights = list(accumulate(float(self.weights[n]) for n in free))
        if not weights or weights[-1] <= 0:
            return EMPTY
        i = bisect_right(
            weights, self.rng.random() * (max(1.0, weights[-1]) if self.probabilities else weights[-1])
        )
        return free[i] if i < len(free) else EMPTY

    def _free(self, number: int, page: Sequence[int], labels: set[str], view: int) -> bool:
        """Whether nothing but price and luck decides about this line item here."""
        if self.left[number] <= 0 or number in page:
            return False
        dearest = self.dearest[number]
        if self.budget[number] < dearest or self.today[number] < dearest:
            return False
        lines = self.world.lines
        if labels and not labels.isdisjoint(lines.labels[number]):
            return False
        caps = lines.caps[number]
        if caps:
            seen = self.seen.get((self.visitors[view], number))
            if seen:
                at_us = self.times[view]
                return all(len(seen) < most or at_us - seen[-most] >= window_us for most, window_us in caps)
        return True


class Strict(Ground):
    """Strict priority: any guaranteed line item goes before all others; among them by equal lot."""

    refresh_us = 1 << 60

    def weigh(self, now_us: int) -> None:
        """All alike."""
        self.weights[:] = 1.0


class EthicalAds(Ground):
    """A lot weighted by what each needs to be on schedule at the day's end, by totals five minutes old.

    As in ethical-ad-server (`Flight.weighted_clicks_needed_this_interval`): the schedule is linear in days,
    1000 impressions count as one click, the price weighs between 1 and 10, and whatever was sold in a certain
    amount takes part, so budgets draw against goals. Those that need nothing do not take part.
    """

    def drawn_by_lot(self) -> Flags:
        """All that have an amount to sell."""
        lines = self.world.lines
        return lines.of_tier(Tier.GUARANTEED) | (lines.budget_micros >= 0)

    def weigh(self, now_us: int) -> None:
        """Needed until the end of the day, by totals of now, which are used for five minutes."""
        lines, start_us = self.world.lines, self.world.start_us
        day_us, week = QUARTERS_PER_DAY * QUARTER_US, start_us + QUARTERS * QUARTER_US
        end_of_day = start_us + ((now_us - start_us) // day_us + 1) * day_us
        first, last = np.maximum(lines.start_us, start_us), np.minimum(lines.end_us, week)
        passed = np.clip((end_of_day - first) / (last - first), 0, 1)
        sold = np.where(lines.goal > 0, lines.goal, np.maximum(0, lines.budget_micros))
        left = np.where(lines.goal > 0, np.array(self.left), np.array(self.budget))
        needed = np.maximum(0.0, left - sold * (1 - passed)) * self.drawn
        for_goals = np.ceil(needed / 1000) * (lines.goal > 0)
        amounts = needed / np.maximum(1, lines.per_click_micros + lines.per_impression_micros)
        for_money = np.where(lines.per_click_micros > 0, amounts, np.ceil(amounts / 1000)) * (lines.goal == 0)
        self.weights = (for_goals + for_money) * np.clip(self.expected / 1000, 1, 10)


class Revive(Ground):
    """Each hour a probability per line item: what remains ÷ the opportunities forecast to remain.

    As in Revive's priority maintenance: the last hour's opportunities are carried forward by the site's
    profile; who got less in that hour than was asked for is asked for more. Where probabilities sum to more
    than 1 they are scaled to it, else the rest goes to remnant line items.
    """

    refresh_us = _HOUR_US
    probabilities = True
    _BOOST = 10.0

    def begin(self, world: World, rng: Random) -> None:
        """The profile and the first hour's rate come from last week's traffic."""
        super().begin(world, rng)
        past = (world.history.at_us // QUARTER_US - world.start_us // QUARTER_US) % QUARTERS
        # One more view everywhere: an hour in which nobody came last week is no proof that nobody will.
        self.profile = (np.bincount(past, minlength=QUARTERS) + 1) / (len(past) + QUARTERS)
        self.eligible = world.lines.eligible.sum(axis=1).astype(np.float64)
        self.arrived = np.bincount(world.history.kind, minlength=len(self.eligible)).astype(np.float64)
        self.part = 1.0
        self.wanted = np.zeros(len(self.left))
        self.boost = np.ones(len(self.left))
        self.remaining = np.array(world.lines.goal, dtype=np.float64)

    def page(self, view: int) -> Sequence[int]:
        """Opportunities are counted as they come."""
        self.arrived[self.kinds[view]] += 1
        return super().page(view)

    def weigh(self, now_us: int) -> None:
        """The hour that passed, in units of the profile, times what the profile says is to come."""
        lines, quarter = self.world.lines, self.quarter
        if quarter >= 4:
            self.part = float(self.profile[quarter - 4 : quarter].sum())
        remaining = np.minimum(np.array(self.left), lines.goal).astype(np.float64)
        done = self.remaining - remaining
        self.boost = np.clip(self.boost * (self.wanted + 1) / (done + 1), 1.0, self._BOOST)
        self.remaining = remaining
        rate = self.arrived @ self.eligible / self.part
        self.arrived = np.zeros(len(self.arrived))
        future = lines.active[:, quarter:] * self.profile[quarter:]
        share = remaining / np.maximum(1e-9, rate * future.sum(axis=1))
        self.wanted = np.minimum(1.0, share) * rate * future[:, :4].sum(axis=1)
        self.weights = np.minimum(1.0, share * self.boost)
