"""A steering as of now and sampled page requests → what each line item will have delivered in some days.

The days to come are played: each sampled page request comes again at its time of the week, as often as the
level of traffic says, and is decided, served and counted by the code that serves. Pacing, goals, budgets and
whoever else is booked act on each other as they will.

What cannot be known is assumed: every fill is drawn, views and clicks come at the rates learned so far, and
each page is a reader's first, so that caps keep nobody away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from adserver.catalog.model import LineItem, Tier
from adserver.clock import local_day, to_us
from adserver.decision.context import Ask, Context, Fill
from adserver.decision.steering import Steering
from adserver.decision.tally import Tally
from adserver.decision.week import WEEK, Sample
from adserver.errors import AdserverError

_MINUTE = timedelta(minutes=1)
_TIERS = list(Tier)
#: A sampled page request comes again within so long before and after its time of the week.
_SPREAD = timedelta(minutes=30)
#: With fewer sampled page requests nothing can be said.
LEAST_SAMPLES = 20


class TooFewPages(AdserverError):
    """There is nothing to go by yet."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """One line item. Counts are of what its goal counts, or of impressions where it has none."""

    item: LineItem
    unit: str
    until: datetime
    """The end of its flight or, where that comes later, of the days that were played."""
    ended: bool
    """Whether its flight is over by then."""
    counted: int
    """Now."""
    will_count: int
    """By then."""
    due: float | None
    """What it should have by then: of a goal, the part of its flight that is over; else None."""
    revenue_micros: int
    """From now until then."""

    @property
    def missed(self) -> float:
        """How much of what is due it will lack, in [0, 1]; 0 without a goal."""
        return max(0.0, 1 - self.will_count / self.due) if self.due else 0.0


def play(
    steering: Steering,
    samples: Sequence[Sample],
    now: datetime,
    days: int,
    rng: Random,
    *,
    most_pages: int,
    progress: Callable[[float], None] = lambda part: None,
) -> list[Outlook]:
    """Play the days to come with a steering of one's own; who will miss most comes first.

    Beyond `most_pages`, each that is played stands for several alike. Raises TooFewPages.
    """
    index, per_week = steering.pacing.index, steering.learned.level.per_hour * (WEEK / timedelta(hours=1))
    known = [sample for sample in samples if sample.context.site in index.sites]
    if len(known) < LEAST_SAMPLES or not per_week:
        raise TooFewPages(f"{len(known)} page requests are known; a forecast needs {LEAST_SAMPLES}")
    end = now + timedelta(days=days)
    page_count = per_week * (timedelta(days=days) / WEEK)
    alike = -(-int(page_count) // most_pages) if page_count > most_pages else 1
    game = _Game(steering, rng, alike)
    before = game.counts()
    pages = sorted(_pages(known, now, end, per_week / alike / len(known), rng), key=lambda page: page[0])
    game.play(pages, now, end, progress)
    return game.outlooks(before, end)


def _pages(
    samples: Sequence[Sample], now: datetime, end: datetime, each: float, rng: Random
) -> Iterator[tuple[datetime, Context, tuple[Ask, ...]]]:
    """When which page is asked for: each sample so many times a week."""
    for at, context, asks in samples:
        again = at + WEEK * -(-(now - _SPREAD - at) // WEEK)
        while again < end + _SPREAD:
            for _ in range(int(each + rng.random())):
                moment = again + _SPREAD * (2 * rng.random() - 1)
                if now <= moment < end:
                    yield moment, context, asks
            again += WEEK


class _Game:
    """The days to come while they are played."""

    def __init__(self, steering: Steering, rng: Random, alike: int) -> None:
        self._steering = steering
        self._index = steering.pacing.index
        self._rng = rng
        self._alike = alike
        self._shown: dict[int, int] = {}
        """Position → impressions."""
        self._earned: dict[int, int] = {}
        self._rest: dict[tuple[int, str], float] = {}
        """Position and unit → what part of the next one has come together."""

    def counts(self) -> list[int]:
        """What is counted of each position now: of the unit of its goal, or impressions."""
        accounts = self._steering.ledger.accounts
        return [
            account.counted
            if account is not None and account.goal is not None
            else self._shown.get(position, 0)
            for position, account in enumerate(accounts)
        ]

    def play(
        self,
        pages: Sequence[tuple[datetime, Context, tuple[Ask, ...]]],
        now: datetime,
        end: datetime,
        progress: Callable[[float], None],
    ) -> None:
        """All pages in order, and a tick for each minute."""
        whole, tick_at = end - now, now + _MINUTE
        for at, context, asks in pages:
            while at >= tick_at:
                self._tick(tick_at)
                progress((tick_at - now) / whole)
                tick_at += _MINUTE
            self._page(at, context, asks)
        while tick_at <= end:
            self._tick(tick_at)
            tick_at += _MINUTE
        progress(1.0)

    def _tick(self, at: datetime) -> None:
        self._steering.tick(at)
        planning = self._steering.planning(at)
        if planning:
            self._steering.adopt(planning(), at)

    def _page(self, at: datetime, context: Context, asks: tuple[Ask, ...]) -> None:
        steering, decider = self._steering, self._steering.decider
        page = decider.decide(context, asks, at, self._rng, Tally())
        for _ in range(self._alike):
            decider.serve(page, at)
            steering.note(context, asks, at)
        for fill in page.decisions:
            if isinstance(fill, Fill):
                self._count(fill, at)

    def _count(self, fill: Fill, at: datetime) -> None:
        """Impressions are on disk, and what else they bring by the rates of now, in whole units."""
        steering, index, count = self._steering, self._index, self._alike
        position, rates = fill.choice.position, steering.decider.standing.rates
        item, unit = index.items[position], index.units[position]
        worth = float(item.price.per_event_micros if item.price else 0)
        if position in index.units_paid:
            worth = rates.mean_ecpm(fill.slot_id, position) * 1000
        micros = self._whole((position, "micros"), count * worth)
        day, minute = local_day(at, index.zones[position]), to_us(at) // 60_000_000
        item_id = index.item_ids[position]
        steering.count(item_id, "impressions", count, micros, day=day, minute=minute)
        if unit != "impressions":
            events = self._whole((position, unit), count * rates.per_impression(position))
            steering.count(item_id, unit, events, 0, day=day, minute=minute)
        self._shown[position] = self._shown.get(position, 0) + count
        self._earned[position] = self._earned.get(position, 0) + micros

    def _whole(self, key: tuple[int, str], more: float) -> int:
        """The whole part of what has come together; the rest is kept for the next time."""
        together = self._rest.get(key, 0.0) + more
        self._rest[key] = together % 1
        return int(together)

    def outlooks(self, before: Sequence[int], end: datetime) -> list[Outlook]:
        """What came of all, who misses most first."""
        pacing = self._steering.pacing
        elapsed = dict(zip(pacing.rows.tolist(), pacing.schedule.at(end).elapsed.tolist(), strict=True))
        found = []
        for position, (item, was, will) in enumerate(
            zip(self._index.items, before, self.counts(), strict=True)
        ):
            account = self._steering.ledger.accounts[position]
            goal = account.goal if account is not None else None
            over = item.end is not None and item.end <= end
            found.append(
                Outlook(
                    item,
                    self._index.units[position] if goal is not None else "impressions",
                    item.end if over and item.end else end,
                    over,
                    was,
                    min(will, goal) if goal is not None else will,
                    None if goal is None else goal * (1.0 if over else elapsed.get(position, 1.0)),
                    self._earned.get(position, 0),
                )
            )
        return sorted(found, key=lambda one: (-one.missed, _TIERS.index(one.item.tier), one.item.name))
