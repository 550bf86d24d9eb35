"""Rollups by quarter hour → what each slot earns in each hour of the week, in its site's time zone.

A quarter hour belongs to the hour that clocks on the wall show when it begins. Where the clock is changed, an
hour of that week is longer, shorter or missing; each is therefore set against how long it really was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from itertools import chain, groupby
from typing import Protocol
from zoneinfo import ZoneInfo

from adserver.clock import bucket_start
from adserver.engines.catalog_store import Stored
from adserver.engines.day_sums import Day
from adserver.engines.sqlite_hours import HourSums
from adserver.measurement.period import Period
from adserver.measurement.report import Choice

HOURS = 7 * 24
#: (first bucket, bucket after the last, hour of the week from Monday 00:00)
Cut = tuple[int, int, int]


class Source(Protocol):
    """Where the sums come from."""

    async def hours(self, days: Sequence[tuple[Cut, ...]], slots: Sequence[int], /) -> list[Day[HourSums]]:
        """Named ranges of buckets of each day × slots → their sums."""
        ...

    async def by_day_until(self, slots: Sequence[int], /) -> int:
        """The bucket before which some of the slots are kept by days only."""
        ...


@dataclass(frozen=True, slots=True)
class HourCell:
    """One slot in one hour of the week, over `bucket_count` quarter hours."""

    bucket_count: int
    request_count: int = 0
    impression_count: int = 0
    click_count: int = 0
    revenue_micros: int = 0


@dataclass(frozen=True)
class HourLine:
    """One slot: its 168 hours from Monday 00:00 on."""

    name: str
    cells: tuple[HourCell, ...]

    @cached_property
    def revenue_micros(self) -> int:
        """What all hours earned."""
        return sum(cell.revenue_micros for cell in self.cells)

    @cached_property
    def _bucket_count(self) -> int:
        return sum(cell.bucket_count for cell in self.cells)

    def index(self, hour: int) -> float | None:
        """What an hour earned a minute, against the mean of all; None where either is not known."""
        cell = self.cells[hour]
        if not cell.bucket_count or not self.revenue_micros:
            return None
        return (cell.revenue_micros / cell.bucket_count) / (self.revenue_micros / self._bucket_count)


@dataclass(frozen=True, slots=True)
class WeekHours:
    """The complete days of a choice by hour of the week, the slot that earned most first.

    `period` None: no day is complete, or hours are no longer known. Networks are as estimated.
    """

    choice: Choice
    period: Period | None
    lines: tuple[HourLine, ...]


class Hours:
    """Answers when slots earn."""

    def __init__(self, source: Source, catalog: Callable[[], Stored]) -> None:
        self._source = source
        self._catalog = catalog

    async def read(self, choice: Choice) -> WeekHours:
        """By hour, as far back as hours are kept."""
        ids = self._catalog().ids
        slots = {
            number: path[2]
            for path, number in ids.items()
            if path[:2] == ("slot", choice.site.name) and choice.slot in (None, path[2])
        }
        complete = choice.period.before(choice.today)
        kept_from = bucket_start(await self._source.by_day_until(list(slots)))
        since = kept_from.astimezone(choice.period.zone).date()
        if complete is None or since > complete.last:
            return WeekHours(choice, None, ())
        period = Period(complete.zone, max(complete.first, since), complete.last)
        days = hour_cuts(period.zone, period.first, period.last)
        lengths = [0] * HOURS
        for lo, hi, hour in chain(*days):
            lengths[hour] += hi - lo
        found: dict[int, dict[int, list[HourSums]]] = {}
        for day in await self._source.hours(days, list(slots)):
            for row in day.rows:
                found.setdefault(row.slot, {}).setdefault(row.hour, []).append(row)
        lines = [
            HourLine(slots[slot], tuple(_cell(lengths[hour], by_hour.get(hour, ())) for hour in range(HOURS)))
            for slot, by_hour in found.items()
        ]
        lines.sort(key=lambda line: (-line.revenue_micros, line.name))
        return WeekHours(choice, period, tuple(lines))


def _cell(bucket_count: int, rows: Iterable[HourSums]) -> HourCell:
    sums = [*zip(*rows, strict=True)][2:]
    return HourCell(bucket_count, *map(sum, sums))


@lru_cache(64)
def hour_cuts(zone: ZoneInfo, first: date, last: date) -> tuple[tuple[Cut, ...], ...]:
    """The buckets of each day in order, in runs that the clock on the wall shows as one hour of it."""
    days: list[tuple[Cut, ...]] = []
    for lo, hi in Period(zone, first, last).cuts():
        cuts: list[Cut] = []
        for hour, run in groupby(range(lo, hi), key=lambda bucket: _hour_of(bucket, zone)):
            buckets = list(run)
            cuts.append((buckets[0], buckets[-1] + 1, hour))
        days.append(tuple(cuts))
    return tuple(days)


def _hour_of(bucket: int, zone: ZoneInfo) -> int:
    local = bucket_start(bucket).astimezone(zone)
    return 24 * local.weekday() + local.hour
