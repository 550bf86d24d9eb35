"""Flights, hours and days of paced line items → standard hours passed, left and in all, at an instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from adserver.catalog.model import LineItem
from adserver.catalog.targeting import MINUTES_PER_WEEK, parse_hours
from adserver.clock import next_midnight
from adserver.decision.arrays import Flags, Floats, Ints
from adserver.decision.index import Index
from adserver.decision.traffic import BUCKETS_PER_WEEK, Calendar, Profile, active_buckets, seconds_of

_WEEK_SECONDS = 7 * 86_400
#: Line items with the same sites, hours and time zone share a calendar.
_Group = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], ZoneInfo]


class Clock(NamedTuple):
    """One value for each row, in standard hours of the row's own sites and hours."""

    live: Flags
    passed: Floats
    """Since the clock was read before."""
    left: Floats
    """Infinite in flights without an end."""
    total: Floats
    """0 in flights without a start or an end."""
    elapsed: Floats
    """Share of its flight that is over."""
    day_left: Floats


class Schedule:
    """The time of paced line items. It learns the shape of the week anew with each quarter hour."""

    def __init__(self, index: Index, rows: Ints, profiles: Mapping[str, Profile], now: datetime) -> None:
        positions = rows.tolist()
        items = [index.items[position] for position in positions]
        self._start = np.array([seconds_of(i.start) if i.start else -np.inf for i in items], dtype=float)
        self._end = np.array([seconds_of(i.end) if i.end else np.inf for i in items], dtype=float)
        self._paused = np.array([item.paused for item in items], dtype=bool)
        self._profiles = profiles
        numbers: dict[_Group, int] = {}
        sites = tuple(index.sites)
        self._group = np.array(
            [
                numbers.setdefault(_group(item, sites, index.zones[position]), len(numbers))
                for item, position in zip(items, positions, strict=True)
            ],
            dtype=np.int64,
        )
        self._groups = list(numbers)
        self._read_at = seconds_of(now)
        self.learn(now)

    def learn(self, now: datetime) -> None:
        """Take over the traffic profiles and offsets of time zones as they are now."""
        shapes = {name: profile.shape for name, profile in self._profiles.items()}
        self._calendars = [_calendar(group, shapes, now) for group in self._groups]
        self._from, self._to = self._standard(self._start), self._standard(self._end)

    def at(self, now: datetime) -> Clock:
        """Read the clock."""
        seconds, before = seconds_of(now), self._read_at
        self._read_at = seconds
        hours, was = self._now(seconds), self._now(before)
        begun = np.isfinite(self._start) & np.isfinite(self._end)
        total = np.where(begun, self._to, 0.0) - np.where(begun, self._from, 0.0)
        left = np.where(np.isfinite(self._end), self._to - hours, np.inf)
        gone = hours - np.where(begun, self._from, hours)
        elapsed = np.where(begun, gone / np.maximum(total, 1e-9), 0.0)
        return Clock(
            live=(self._start <= seconds) & (seconds < self._end) & ~self._paused,
            passed=np.maximum(hours - np.maximum(was, self._from), 0.0),
            left=np.maximum(left, 0.0),
            total=total,
            elapsed=np.clip(elapsed, 0.0, 1.0),
            day_left=self._midnight(now) - hours,
        )

    def begun(self, now: datetime) -> Flags:
        """Whose flight has begun."""
        begun: Flags = self._start <= seconds_of(now)
        return begun

    def share_of_week(self) -> Floats:
        """Which part of what is left of each flight, begun or not, lies within seven days."""
        now = self._read_at
        start = np.maximum(self._start, now)
        until = self._standard(np.minimum(self._end, now + _WEEK_SECONDS)) - self._standard(start)
        left = self._to - self._standard(start)
        share = np.clip(until / np.maximum(left, 1e-9), 0.0, 1.0)
        return np.where(np.isfinite(left) & ~self._paused & (self._end > now), share, 0.0)

    def days_of_week(self) -> Floats:
        """How many of the next seven days lie within each flight."""
        now = self._read_at
        seconds = np.minimum(self._end, now + _WEEK_SECONDS) - np.maximum(self._start, now)
        days: Floats = np.maximum(seconds, 0.0) / 86_400
        return days

    def _now(self, seconds: float) -> Floats:
        each = np.array([float(calendar.at(seconds)) for calendar in self._calendars])
        return each[self._group] if len(each) else np.zeros(len(self._group))

    def _midnight(self, now: datetime) -> Floats:
        each = [
            float(calendar.at(seconds_of(next_midnight(now, zone))))
            for (*_, zone), calendar in zip(self._groups, self._calendars, strict=True)
        ]
        return np.array(each)[self._group] if each else np.zeros(len(self._group))

    def _standard(self, seconds: Floats) -> Floats:
        """Each row's own instant in standard hours; what is infinite stays so."""
        hours = seconds.copy()
        for number, calendar in enumerate(self._calendars):
            mine = (self._group == number) & np.isfinite(seconds)
            hours[mine] = calendar.at(seconds[mine])
        return hours


def _group(item: LineItem, sites: tuple[str, ...], zone: ZoneInfo) -> _Group:
    target = item.target
    mine = sites if target.site is None else tuple(site for site in sites if site in target.site)
    unwanted = target.exclude.hours if target.exclude else None
    return mine, target.hours or (), unwanted or (), zone


def _calendar(group: _Group, shapes: Mapping[str, Floats], now: datetime) -> Calendar:
    sites, wanted, unwanted, zone = group
    known = [shapes[site] for site in sites if site in shapes]
    shape = np.mean(known, axis=0) if known else np.ones(BUCKETS_PER_WEEK)
    offset = now.astimezone(zone).utcoffset() or timedelta()
    whole = [(0, MINUTES_PER_WEEK)]
    spans = [span for text in wanted for span in parse_hours(text)] if wanted else whole
    active = active_buckets(spans, offset)
    if unwanted:
        active = active * (1 - active_buckets([s for text in unwanted for s in parse_hours(text)], offset))
    return Calendar(shape, active)
