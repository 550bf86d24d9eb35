"""A catalog and a traffic of pages → minutes of service on virtual time: what each line item got, and bid.

The server's own steering decides, is told of impressions, ticks once a minute and plans once an hour. Time
and luck are given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import numpy as np

from adserver.catalog.model import Catalog
from adserver.clock import local_day, to_us
from adserver.decision.context import Ask, Context, Fill
from adserver.decision.steering import Learned
from adserver.decision.tally import Tally
from tests.decision.deciding import steering_of

MINUTE = timedelta(minutes=1)
#: Sections of the pages, each as likely.
SECTIONS = tuple(f"s{number}" for number in range(10))


class Minute(NamedTuple):
    """What happened in a minute that began at `at`."""

    at: datetime
    pages: int
    served: Counter[str]
    bids: dict[str, float]
    """What each paced line item bids after it, or its multiplier."""


class Market:
    """A site whose pages ask for the same slots. Impressions of `drawn` of its fills are counted at once."""

    def __init__(
        self,
        catalog: Catalog,
        start: datetime,
        *,
        seed: int = 1,
        asks: Sequence[Ask] = (Ask("top"),),
        learned: Learned | None = None,
        drawn: float = 1.0,
    ) -> None:
        self.now = start
        self.steering = steering_of(catalog, start, learned, seed)
        self._asks = asks
        self._rng = Random(seed)
        self._drawn = drawn
        self._zones = self.steering.pacing.index.zones

    def play(self, minutes: int, traffic: Callable[[datetime], float]) -> list[Minute]:
        """So many minutes in which as many pages come as `traffic` says on average."""
        return [self._minute(traffic(self.now)) for _ in range(minutes)]

    def _minute(self, expected: float) -> Minute:
        begin, rng = self.now, self._rng
        pages = int(np.random.default_rng(rng.getrandbits(64)).poisson(expected))
        served: Counter[str] = Counter()
        for at in sorted(begin + rng.random() * MINUTE for _ in range(pages)):
            served.update(self._page(at))
        self.now = begin + MINUTE
        self.steering.tick(self.now)
        planning = self.steering.planning(self.now)
        if planning:
            self.steering.adopt(planning(), self.now)
        return Minute(begin, pages, served, self.bids())

    def _page(self, at: datetime) -> list[str]:
        steering, names = self.steering, []
        context = Context("daily", self._rng.choice(SECTIONS))
        page = steering.decider.decide(context, self._asks, at, self._rng, Tally())
        steering.decider.serve(page, at)
        steering.note(context, self._asks, at)
        for fill in page.decisions:
            if not isinstance(fill, Fill):
                continue
            choice = fill.choice
            names.append(choice.item.name)
            if self._rng.random() < self._drawn:
                day = local_day(at, self._zones[choice.position])
                steering.count(
                    choice.item_id,
                    "impressions",
                    1,
                    choice.price_micros,
                    day=day,
                    minute=to_us(at) // 60_000_000,
                )
        return names

    def bids(self) -> dict[str, float]:
        """By name of each paced line item: its bid, or the multiplier of what it pays."""
        pacing = self.steering.pacing
        return {item.name: float(np.exp(x)) for item, x in zip(pacing.items, pacing.x, strict=True)}


def served_of(minutes: Sequence[Minute], name: str) -> int:
    """Fills of a line item in some minutes."""
    return sum(minute.served[name] for minute in minutes)
