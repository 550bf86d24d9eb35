"""Goals, flights and what was counted so far → what is due now, and what will be delivered if days go on so.

The projection adds the mean of the last complete days for each day that is left. Its range holds four of five
outcomes when days vary as they did: their standard deviation times 1.28, growing with the root of the days
left (a sum of independent days). Nothing is delivered beyond its goal, so neither ends above it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from statistics import fmean, stdev
from typing import Protocol
from zoneinfo import ZoneInfo

from adserver.catalog.model import Catalog, LineItem, live_at
from adserver.clock import local_day
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_progress import DayCounts, Progress
from adserver.measurement.report import Choice

#: So many complete days at most say how days go on.
_LAST_DAYS = 7
#: What came in less than a quarter hour is taken for what comes in a whole one, in days.
_SHORTEST = 1 / 96
#: Four of five outcomes of a normal distribution lie within so many standard deviations.
_SPREAD = 1.2816
#: Parts of a goal that are too small to speak of.
TOLERATED = 0.02
_UNITS = ("impressions", "viewables", "clicks")
_DAY = timedelta(days=1)
_KEPT = timedelta(minutes=1)
#: Names of advertiser and campaign, the line item, and the zone in which its days are cut.
_Sold = tuple[str, str, LineItem, ZoneInfo]


class Source(Protocol):
    """Where it is kept what line items delivered."""

    async def read_progress(self) -> Sequence[Progress]:
        """Of every line item, over all days."""
        ...

    async def day_counts(self, first_day: int, items: Sequence[int], /) -> Sequence[DayCounts]:
        """Of some line items by day, from a day on."""
        ...


@dataclass(frozen=True, slots=True)
class PaceLine:
    """One line item in flight, in units of its goal: counted, due by now, and projected with its range."""

    advertiser: str
    campaign: str
    line_item: str
    unit: str
    goal: int
    delivered_count: int
    due_count: int
    projected_count: int
    low_count: int
    high_count: int
    start: datetime
    end: datetime

    @property
    def short_count(self) -> int:
        """By how much it will miss its goal."""
        return self.goal - self.projected_count

    @property
    def will_miss(self) -> bool:
        """Whether it misses its goal when days go on as they did."""
        return self.projected_count < (1 - TOLERATED) * self.goal

    @property
    def may_miss(self) -> bool:
        """Whether it misses it on a bad course of days."""
        return self.low_count < (1 - TOLERATED) * self.goal


@dataclass(frozen=True, slots=True)
class Pace:
    """Line items with a goal that are in flight on a site, those that fall shortest of it first."""

    choice: Choice
    lines: tuple[PaceLine, ...]


class Paces:
    """Answers what will miss its goal."""

    def __init__(self, source: Source, catalog: Callable[[], Stored]) -> None:
        self._source = source
        self._catalog = catalog
        self._known: tuple[datetime, int, Sequence[PaceLine]] | None = None
        """Those in flight when they were last read, and of which version of the catalog."""

    async def read(self, choice: Choice, sites: frozenset[str] | None) -> Pace:
        """Of line items that may run on the chosen site.

        `sites`: whose numbers somebody may read; None: all. What also runs elsewhere is not shown to them.
        """
        stored = self._catalog()
        sold = [(*owned, choice.period.zone) for owned in _sold(stored.catalog, choice, sites)]
        lines = await self._lines(stored, sold, choice.asked_at)
        lines.sort(key=lambda line: (-line.short_count / line.goal, line.end, line.line_item))
        return Pace(choice, tuple(lines))

    async def in_flight(self, now: datetime) -> Sequence[PaceLine]:
        """Of all line items with a goal, on any site, those that end first before the others.

        As of a minute ago at most: of ten thousand line items it takes half a second, and days go on slowly.
        """
        stored = self._catalog()
        if self._known is not None:
            at, version, lines = self._known
            if version == stored.version and timedelta(0) <= now - at < _KEPT:
                return lines
        zones = {site.name: site.zone for site in stored.catalog.site}
        sold = [
            (advertiser.name, campaign.name, item, zones[(item.target.site or tuple(zones))[0]])
            for advertiser, campaign, item in stored.catalog.line_items()
            if item.goal is not None and live_at(item, now) and zones
        ]
        lines = sorted(await self._lines(stored, sold, now), key=lambda line: (line.end, line.line_item))
        self._known = (now, stored.version, lines)
        return lines

    async def _lines(self, stored: Stored, sold: Sequence[_Sold], now: datetime) -> list[PaceLine]:
        by_id = {stored.ids["line_item", one[2].name]: one for one in sold}
        todays = {zone: local_day(now, zone) for *_, zone in sold}
        progress = await self._source.read_progress()
        counts = await self._source.day_counts(min(todays.values(), default=0) - _LAST_DAYS, [*by_id])
        return await asyncio.to_thread(_lined, by_id, todays, progress, counts, now)


def _lined(
    sold: Mapping[int, _Sold],
    todays: Mapping[ZoneInfo, int],
    progress: Sequence[Progress],
    counts: Sequence[DayCounts],
    now: datetime,
) -> list[PaceLine]:
    """The lines of what was sold, by id, in its order."""
    whole = {one.item: one for one in progress}
    days: dict[int, dict[int, int]] = {}
    for row in counts:
        days.setdefault(row.item, {})[row.day] = _count(row, sold[row.item][2])
    return [
        _line(
            (advertiser, campaign, item),
            _count(whole[number], item) if number in whole else 0,
            _last_days(days.get(number, {}), item, zone, todays[zone]),
            now,
        )
        for number, (advertiser, campaign, item, zone) in sold.items()
    ]


def _sold(catalog: Catalog, choice: Choice, sites: frozenset[str] | None) -> list[tuple[str, str, LineItem]]:
    """Line items with a goal, in flight on the site and nowhere that may not be seen."""
    found = []
    for advertiser, campaign, item in catalog.line_items():
        if item.goal is None or not live_at(item, choice.asked_at):
            continue
        runs_on = frozenset(item.target.site or (site.name for site in catalog.site))
        slots = item.target.slot
        here = choice.site.name in runs_on and (choice.slot is None or not slots or choice.slot in slots)
        if here and (sites is None or runs_on <= sites):
            found.append((advertiser.name, campaign.name, item))
    return found


def unit_of(item: LineItem) -> tuple[str, int]:
    """What a goal counts, and how many."""
    goals = {unit: getattr(item.goal, unit) for unit in _UNITS}
    ((unit, goal),) = [(unit, goal) for unit, goal in goals.items() if goal is not None]
    return unit, goal


def _count(row: Progress | DayCounts, item: LineItem) -> int:
    return int(getattr(row, f"{unit_of(item)[0].removesuffix('s')}_count"))


def _last_days(counts: Mapping[int, int], item: LineItem, zone: ZoneInfo, today: int) -> list[int]:
    """What was counted on each of the last complete days of the flight; days without any count as 0."""
    assert item.start, "a line item with a goal has a start"
    # The day on which a flight begins is seldom a whole one.
    first = max(today - _LAST_DAYS, local_day(item.start, zone) + 1)
    return [counts.get(day, 0) for day in range(first, today)]


def _line(
    owned: tuple[str, str, LineItem], delivered: int, last_days: Sequence[int], now: datetime
) -> PaceLine:
    advertiser, campaign, item = owned
    assert item.start, "a line item with a goal has a flight"
    assert item.end, "a line item with a goal has a flight"
    unit, goal = unit_of(item)
    passed = (now - item.start) / (item.end - item.start)
    left = (item.end - now) / _DAY
    low, projected, high = project(delivered, goal, last_days, left, since_start=(now - item.start) / _DAY)
    due = round(goal * passed)
    return PaceLine(
        advertiser,
        campaign,
        item.name,
        unit,
        goal,
        delivered,
        due,
        projected,
        low,
        high,
        item.start,
        item.end,
    )


def project(
    delivered: int, goal: int, last_days: Sequence[int], left: float, *, since_start: float
) -> tuple[int, int, int]:
    """What will be delivered after `left` days: low, likely, high. `since_start`: days of flight so far."""
    mean = fmean(last_days) if last_days else delivered / max(since_start, _SHORTEST)
    # One day says nothing of how days vary: then as if each unit came by itself (Poisson).
    deviation = stdev(last_days) if len(last_days) > 1 else sqrt(mean)
    spread = _SPREAD * deviation * sqrt(left)
    low, likely, high = (delivered + mean * left + sign * spread for sign in (-1, 0, 1))
    top = max(goal, delivered)
    return (
        max(delivered, min(top, round(low))),
        max(delivered, min(top, round(likely))),
        max(delivered, min(top, round(high))),
    )
