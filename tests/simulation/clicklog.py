"""Fills and luck → the clicks that count, as the server's log judges them: no budget, no bill.

A page is served before anybody knows whether it will be clicked, so a last click may cost more than is left.
The log marks it, it earns nothing, and no player learns from it.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.tables import UNLIMITED
from tests.simulation.traffic import QUARTER_US, QUARTERS_PER_DAY
from tests.simulation.world import World

_DAY_US = QUARTERS_PER_DAY * QUARTER_US


class ClickLog:
    """What is left of budgets that pay for clicks; pages come in the order of time."""

    def __init__(self, world: World) -> None:
        lines = world.lines
        self._start_us = world.start_us
        self._prices = lines.per_click_micros.tolist()
        self._budget = [UNLIMITED if b < 0 else b for b in lines.budget_micros.tolist()]
        self._daily = [UNLIMITED if b < 0 else b for b in lines.daily_budget_micros.tolist()]
        self._today = list(self._daily)
        self._day = 0

    def valid(self, at_us: int, items: Sequence[int]) -> list[bool]:
        """Which of these clicks, each on a line item, are within their budgets; those are spent."""
        day = (at_us - self._start_us) // _DAY_US
        if day != self._day:
            self._day, self._today = day, list(self._daily)
        return [self._spend(item) for item in items]

    def _spend(self, item: int) -> bool:
        price = self._prices[item]
        if price > self._budget[item] or price > self._today[item]:
            return False
        self._budget[item] -= price
        self._today[item] -= price
        return True
