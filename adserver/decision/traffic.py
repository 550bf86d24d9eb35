"""Counts of page requests per quarter hour → the shape of a site's week, by which time is measured in pacing.

A standard hour is an hour of mean traffic: at noon an hour may be two of them, at night a third of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from adserver.clock import BUCKET_SECONDS, BUCKETS_PER_DAY, EPOCH
from adserver.decision.arrays import Floats

BUCKETS_PER_WEEK = 7 * 86_400 // BUCKET_SECONDS
#: 1970-01-01 was a Thursday: the week of buckets begins on the Monday before.
_MONDAY_OFFSET = 3 * BUCKETS_PER_DAY
#: How many requests of its own a quarter hour of the week needs to be believed as much as its neighbours.
_BELIEF = 200.0
_SMOOTH = 5


def bucket_of_week(bucket: int) -> int:
    """Quarter hours since 1970 → quarter hours since Monday 00:00 UTC."""
    return (bucket + _MONDAY_OFFSET) % BUCKETS_PER_WEEK


class Profile:
    """The traffic of one site by quarter hour of week (UTC): learned from its requests, flat at the start."""

    def __init__(self, counts: Iterable[tuple[int, int]] = ()) -> None:
        self._requests = np.zeros(BUCKETS_PER_WEEK)
        self._weeks = np.zeros(BUCKETS_PER_WEEK)
        self._shape: Floats | None = None
        for bucket, count in counts:
            self.learn(bucket, count)

    def learn(self, bucket: int, count: int) -> None:
        """One whole quarter hour has passed, in which so many pages were asked for."""
        place = bucket_of_week(bucket)
        # Old weeks fade, so that a habit of last year does not shape this one.
        self._requests[place] = self._requests[place] * 0.75 + count
        self._weeks[place] = self._weeks[place] * 0.75 + 1
        self._shape = None

    @property
    def shape(self) -> Floats:
        """(672,) traffic of each quarter hour of the week relative to the mean: the mean is 1, none is 0."""
        if self._shape is None:
            self._shape = self._learned()
        return self._shape

    def _learned(self) -> Floats:
        seen = self._weeks > 0
        if not seen.any():
            return np.ones(BUCKETS_PER_WEEK)
        level = self._requests.sum() / self._weeks.sum()
        if not level:
            return np.ones(BUCKETS_PER_WEEK)
        weight = _BELIEF / level
        # What was not seen yet is like the same time of the other days, and that is like any time.
        days_requests = self._requests.reshape(7, BUCKETS_PER_DAY)
        days_weeks = self._weeks.reshape(7, BUCKETS_PER_DAY)
        prior = np.empty((7, BUCKETS_PER_DAY))
        for days in (range(5), range(5, 7)):
            like = list(days) if days_weeks[list(days)].any() else list(range(7))
            requests = _smoothed(days_requests[like].sum(axis=0))
            weeks = _smoothed(days_weeks[like].sum(axis=0))
            prior[list(days)] = (requests + level * weight / 4) / (weeks + weight / 4)
        rate = (self._requests + prior.ravel() * weight) / (self._weeks + weight)
        rate = np.maximum(rate, rate.mean() * 0.02)
        shape: Floats = rate / rate.mean()
        return shape


def _smoothed(days: Floats) -> Floats:
    """A day's quarter hours, each with its neighbours on both sides."""
    ring = np.concatenate([days[-_SMOOTH:], days, days[:_SMOOTH]])
    return np.convolve(ring, np.ones(2 * _SMOOTH + 1) / (2 * _SMOOTH + 1), mode="valid")


class Calendar:
    """A traffic shape and the hours in which a line item may serve → standard hours between times."""

    def __init__(self, shape: Floats, active: Floats | None = None) -> None:
        weights = shape if active is None else shape * active
        self._sums = np.concatenate([[0.0], np.cumsum(weights)]) * (BUCKET_SECONDS / 3600)

    def at(self, seconds: npt.ArrayLike) -> Floats:
        """Standard hours from Monday 1969-12-29 to instants in seconds since 1970."""
        quarters = (np.asarray(seconds, dtype=float) / BUCKET_SECONDS) + _MONDAY_OFFSET
        weeks, rest = np.divmod(quarters, BUCKETS_PER_WEEK)
        whole = np.minimum(rest.astype(np.int64), BUCKETS_PER_WEEK - 1)
        part = rest - whole
        return np.asarray(
            weeks * self._sums[-1] + self._sums[whole] + part * (self._sums[whole + 1] - self._sums[whole])
        )


def active_buckets(spans: Iterable[tuple[int, int]], offset: timedelta) -> Floats:
    """Local minute-of-week intervals, and how far local time is ahead of UTC → how much of each quarter hour
    of the UTC week lies in them."""
    minutes = np.zeros(BUCKETS_PER_WEEK * 15, dtype=bool)
    for start, end in spans:
        minutes[start:end] = True
    ahead = int(offset.total_seconds() // 60)
    parts: Floats = np.roll(minutes, -ahead).reshape(BUCKETS_PER_WEEK, 15).mean(axis=1)
    return parts


def seconds_of(at: datetime) -> float:
    """An aware instant in seconds since 1970."""
    return (at - EPOCH) / timedelta(seconds=1)


class Level:
    """How many pages are asked for in a standard hour: what came and how long that took, both fading."""

    _HALF_LIFE = 48.0

    def __init__(self, count: float = 0.0, hours: float = 0.0) -> None:
        self.count = count
        self.hours = hours

    def learn(self, count: float, hours: float) -> None:
        """So many page requests came in so many standard hours."""
        fading = 0.5 ** (hours / self._HALF_LIFE)
        self.count = self.count * fading + count
        self.hours = self.hours * fading + hours

    @property
    def per_hour(self) -> float:
        """Page requests per standard hour; 0 while nothing is known."""
        return self.count / self.hours if self.hours else 0.0
