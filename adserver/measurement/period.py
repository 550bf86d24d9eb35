"""Days of a site's calendar → half-open ranges of buckets, so that a day is cut where its readers live.

A day lasts 23, 24 or 25 hours (24.5 on Lord Howe Island), so its ends are computed from the time zone, never
by adding hours. Nothing here reads a clock: today is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache, partial
from itertools import pairwise
from zoneinfo import ZoneInfo

from adserver.clock import BUCKETS_PER_DAY, bucket_of, bucket_start, day_start, local_day

#: Nothing was counted before; also keeps the arithmetic of dates far from its ends.
EARLIEST = date(2000, 1, 1)
DAY = timedelta(days=1)


#: (line item, bucket) → the local date of the bucket where the line item runs, in days since 1970-01-01.
DayOf = Callable[[int, int], int]
#: Buckets whose day is remembered, per time zone: more than a month of them, so that late clicks find theirs.
_MOST_REMEMBERED = 4096


def utc_day(_item: int, bucket: int) -> int:
    """The day of a bucket for line items whose time zone nobody knows."""
    return bucket // BUCKETS_PER_DAY


def local_days(zones: Mapping[int, ZoneInfo]) -> DayOf:
    """Line item → its time zone, as the days that its budget is cut by; UTC for line items not in it."""
    remembered = {zone: lru_cache(_MOST_REMEMBERED)(partial(_bucket_day, zone)) for zone in {*zones.values()}}
    day_in = {item: remembered[zone] for item, zone in zones.items()}

    def day_of(item: int, bucket: int) -> int:
        local = day_in.get(item)
        return local(bucket) if local else utc_day(item, bucket)

    return day_of


def _bucket_day(zone: ZoneInfo, bucket: int) -> int:
    return local_day(bucket_start(bucket), zone)


@dataclass(frozen=True, slots=True)
class Period:
    """The local days from `first` to `last`, both included, of one time zone."""

    zone: ZoneInfo
    first: date
    last: date

    def __post_init__(self) -> None:
        assert self.first <= self.last, "a period has at least one day"

    def __len__(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1

    @property
    def days(self) -> tuple[date, ...]:
        """Every day in order."""
        return tuple(self.first + n * DAY for n in range(len(self)))

    def cuts(self) -> tuple[tuple[int, int], ...]:
        """For each day its buckets, half-open: first bucket of the day, first bucket of the next one."""
        edges = [bucket_of(day_start(day, self.zone)) for day in (*self.days, self.last + DAY)]
        return tuple(pairwise(edges))

    def before(self, today: date) -> Period | None:
        """The days of this period that are over; None when there is none."""
        last = min(self.last, today - DAY)
        return None if last < self.first else Period(self.zone, self.first, last)

    def compared_with(self) -> Period:
        """As many days earlier, the nearest ones that fall on the same weekdays and do not overlap."""
        return self.weeks_before(-(-len(self) // 7))

    def weeks_before(self, weeks: int) -> Period:
        """The days that lie so many weeks earlier, on the same weekdays."""
        return Period(self.zone, self.first - 7 * weeks * DAY, self.last - 7 * weeks * DAY)


def _month_of(day: date) -> date:
    return day.replace(day=1)


def _last_month(today: date) -> tuple[date, date]:
    last = _month_of(today) - DAY
    return _month_of(last), last


@dataclass(frozen=True, slots=True)
class Preset:
    """A period that moves with the calendar: its title, and today → first and last day."""

    title: str
    span: Callable[[date], tuple[date, date]]


PRESETS = {
    "today": Preset("Today", lambda today: (today, today)),
    "yesterday": Preset("Yesterday", lambda today: (today - DAY, today - DAY)),
    "7d": Preset("Last 7 days", lambda today: (today - 6 * DAY, today)),
    "28d": Preset("Last 28 days", lambda today: (today - 27 * DAY, today)),
    "this-month": Preset("This month", lambda today: (_month_of(today), today)),
    "last-month": Preset("Last month", _last_month),
}
DEFAULT_PRESET = "7d"


@dataclass(frozen=True, slots=True)
class Compared:
    """What complete days are compared with: its title, and the days → the earlier ones, None: with none."""

    title: str
    of: Callable[[Period], Period | None]


COMPARED = {
    "previous": Compared("Previous period", Period.compared_with),
    "year": Compared("Year before", lambda period: period.weeks_before(52)),
    "none": Compared("No comparison", lambda _: None),
}
DEFAULT_COMPARED = "previous"


def parse_span(
    first: str, last: str, today: date, max_days: int
) -> tuple[date, date] | list[tuple[str, str]]:
    """Two ISO dates as text → first and last day, or all that is wrong with them as (key, sentence)."""
    days: dict[str, date] = {}
    faults = []
    for key, text in (("from", first), ("to", last)):
        try:
            days[key] = date.fromisoformat(text)
        except ValueError:
            faults.append((key, f"{text[:40]!r} is not a date such as {today.isoformat()}"))
    if faults:
        return faults
    return _span_faults(days["from"], days["to"], today, max_days) or (days["from"], days["to"])


def _span_faults(first: date, last: date, today: date, max_days: int) -> list[tuple[str, str]]:
    if first < EARLIEST:
        return [("from", f"{first} is before {EARLIEST}, and nothing was counted then")]
    if last > today:
        return [("to", f"{last} is after today, {today}")]
    if last < first:
        return [("to", f"{last} is before {first}, the first day")]
    length = (last - first).days + 1
    if length > max_days:
        return [("from", f"{length} days are more than the {max_days} that one report covers")]
    return []
