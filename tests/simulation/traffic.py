"""A seed → the forecast of a news site's week, and the page views that really come.

Time is cut in quarter hours of the site's week: 0 is Monday 00:00 in Kathmandu, which has no summer time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from adserver.clock import to_us

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

TIMEZONE = "Asia/Kathmandu"
#: The judged week begins here; the week before it is what a server may learn from.
START = datetime(2026, 11, 2, tzinfo=ZoneInfo(TIMEZONE))
HISTORY_START = START - timedelta(days=7)
QUARTER_US = 900_000_000
QUARTERS_PER_DAY = 96
QUARTERS = 7 * QUARTERS_PER_DAY
WEEK_US = QUARTERS * QUARTER_US

SECTIONS = tuple("politics economy world sport society culture technology travel health opinion".split())
COUNTRIES = ("NP", "IN", "US", "GB", "AU")
DEVICES = ("desktop", "mobile")
#: Distinct facts of a page view: section, country and device as one number.
KINDS = len(SECTIONS) * len(COUNTRIES) * len(DEVICES)

_SECTION_SHARES = np.array([0.20, 0.14, 0.12, 0.16, 0.09, 0.07, 0.07, 0.04, 0.06, 0.05])
_COUNTRY_SHARES = np.array([0.58, 0.16, 0.12, 0.08, 0.06])
_MOBILE_SHARES = np.array([0.70, 0.75, 0.50, 0.50, 0.55])
#: Views per hour of a working day and of a weekend's day (Saturday and, less so, Sunday), before scaling.
_WORKING = (22, 14, 9, 8, 12, 28, 52, 78, 92, 96, 92, 88, 90, 88, 80, 76, 78, 86, 96, 110, 116, 104, 76, 44)
_WEEKEND = (34, 22, 14, 10, 11, 18, 32, 52, 72, 86, 92, 92, 92, 88, 82, 80, 82, 86, 92, 98, 100, 92, 76, 52)
_DAY_LEVELS = (1.06, 1.08, 1.06, 1.05, 1.02, 0.82, 0.91)
_WEEKEND_DAYS = (5, 6)

SECTION_SIGMA, DAY_SIGMA = 0.20, 0.25
SPIKE_FACTOR, SPIKE_SECTIONS = 3.0, 2
_VIEWS_PER_VISITOR, _VISITOR_TAIL, _HEAVIEST = 4.0, 1.1, 400.0


@dataclass(frozen=True, slots=True)
class Views:
    """Page views in the order of time; `visitor` is a number that only the world knows, for its caps."""

    at_us: Ints
    section: Codes
    country: Codes
    device: Codes
    visitor: Ints

    def __len__(self) -> int:
        return len(self.at_us)

    @property
    def kind(self) -> Ints:
        """Section, country and device of each view as one number below `KINDS`."""
        places = self.section.astype(np.int64) * len(COUNTRIES) + self.country
        return places * len(DEVICES) + self.device

    def quarter(self, start_us: int) -> Ints:
        """The quarter hour, of the week that begins at `start_us`, in which each view falls."""
        return (self.at_us - start_us) // QUARTER_US


@dataclass(frozen=True, slots=True)
class Forecast:
    """Page views expected per section and quarter hour, and who reads each section."""

    rates: Floats
    countries: Floats
    """Share of each country in a section's views."""
    mobile: Floats
    """Share of mobile in a country's views."""

    def by_kind(self) -> Floats:
        """Views expected per kind and quarter hour."""
        devices = np.stack([1 - self.mobile, self.mobile], axis=1)
        shares = self.countries[:, :, None] * devices[None, :, :]
        return (shares[..., None] * self.rates[:, None, None, :]).reshape(KINDS, QUARTERS)


def describe_kind(kind: int) -> tuple[str, str, str]:
    """Section, country and device that a kind stands for."""
    place, device = divmod(kind, len(DEVICES))
    section, country = divmod(place, len(COUNTRIES))
    return SECTIONS[section], COUNTRIES[country], DEVICES[device]


def expect(rng: np.random.Generator, views_per_day: float) -> Forecast:
    """What the site's people expect of a usual week."""
    week = np.concatenate([_day_shape(day) for day in range(7)])
    sections = rng.dirichlet(_SECTION_SHARES * 150)
    countries = np.stack([rng.dirichlet(_COUNTRY_SHARES * 60) for _ in SECTIONS])
    rates = sections[:, None] * (week / week.sum())[None, :] * views_per_day * 7
    return Forecast(rates, countries, _MOBILE_SHARES)


def _day_shape(day: int) -> Floats:
    hours = np.array(_WEEKEND if day in _WEEKEND_DAYS else _WORKING, dtype=np.float64)
    middles = (np.arange(QUARTERS_PER_DAY) + 0.5) / 4
    smooth = np.interp(middles, np.arange(-1, 25) + 0.5, np.concatenate([hours[-1:], hours, hours[:1]]))
    shape: Floats = smooth / smooth.sum() * _DAY_LEVELS[day]
    return shape


def surprise(rng: np.random.Generator, forecast: Forecast, level: float) -> Floats:
    """The rates that come true: noise by section and by day, and a level."""
    noise = _lognormal(rng, SECTION_SIGMA, (len(SECTIONS), 1)) * _lognormal(
        rng, DAY_SIGMA, (len(SECTIONS), 7)
    )
    rates: Floats = forecast.rates * np.repeat(noise, QUARTERS_PER_DAY, axis=1) * level
    return rates


def soar(rng: np.random.Generator, rates: Floats, factor: float) -> None:
    """On one day, two sections get so many times their rates, in place."""
    sections = rng.choice(len(SECTIONS), SPIKE_SECTIONS, replace=False)
    first = int(rng.integers(1, 6)) * QUARTERS_PER_DAY
    rates[sections, first : first + QUARTERS_PER_DAY] *= factor


def _lognormal(rng: np.random.Generator, sigma: float, shape: tuple[int, int]) -> Floats:
    """Factors with mean 1."""
    factors: Floats = np.exp(rng.normal(-sigma * sigma / 2, sigma, shape))
    return factors


class Public:
    """The site's visitors: each with a country and a device, a few of them with a great appetite."""

    def __init__(self, rng: np.random.Generator, forecast: Forecast) -> None:
        views = forecast.by_kind().sum(axis=1).reshape(len(SECTIONS), -1).sum(axis=0)
        counts = np.maximum(1, np.round(views / _VIEWS_PER_VISITOR)).astype(np.int64)
        self._first = np.concatenate([[0], np.cumsum(counts)])
        self._edges = [
            np.cumsum(np.minimum(rng.pareto(_VISITOR_TAIL, count) + 1, _HEAVIEST)) for count in counts
        ]

    def draw(self, rng: np.random.Generator, group: Ints) -> Ints:
        """A visitor for each view, given its country and device as one number."""
        visitors = np.zeros(len(group), dtype=np.int64)
        for number, edges in enumerate(self._edges):
            mine = np.flatnonzero(group == number)
            found = np.searchsorted(edges, rng.random(len(mine)) * edges[-1], side="right")
            visitors[mine] = self._first[number] + np.minimum(found, len(edges) - 1)
        return visitors


def draw_views(
    rng: np.random.Generator, forecast: Forecast, rates: Floats, public: Public, start: datetime
) -> Views:
    """Page views of a week that begins at `start`, whose rates per section and quarter hour are given."""
    counts = rng.poisson(rates)
    section, quarter = (np.repeat(where, counts.ravel()) for where in _grid(counts.shape))
    at_us = to_us(start) + quarter * QUARTER_US + rng.integers(0, QUARTER_US, len(section))
    order = np.argsort(at_us, kind="stable")
    at_us, section = at_us[order], section[order]
    edges = np.cumsum(forecast.countries, axis=1)[section]
    country = (rng.random(len(section))[:, None] >= edges[:, :-1]).sum(axis=1)
    device = (rng.random(len(section)) < forecast.mobile[country]).astype(np.int8)
    visitor = public.draw(rng, country.astype(np.int64) * len(DEVICES) + device)
    return Views(at_us, section.astype(np.int8), country.astype(np.int8), device, visitor)


def _grid(shape: tuple[int, ...]) -> tuple[Ints, Ints]:
    rows, columns = np.indices(shape)
    return rows.ravel().astype(np.int64), columns.ravel().astype(np.int64)
