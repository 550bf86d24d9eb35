"""Flights, hours and days of line items in their own time zones → standard hours passed, left and in all.

With a flat week a standard hour is an hour in which the line item may serve.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from adserver.clock import bucket_of
from adserver.decision.schedule import Clock, Schedule
from adserver.decision.traffic import BUCKETS_PER_WEEK, Profile
from tests.decision.deciding import index_of
from tests.newsroom import catalog_of, line_item

KATHMANDU, BERLIN = "Asia/Kathmandu", "Europe/Berlin"
HOUR = timedelta(hours=1)
#: A Monday.
MONDAY = date(2026, 11, 23)


def local(day: date, zone: str, hour: int = 0) -> datetime:
    """A local time as the catalog's reader resolves it."""
    return datetime.combine(day, time(hour), ZoneInfo(zone)).astimezone(UTC)


def schedule_of(zone: str, now: datetime, profile: Profile | None = None, **keys: Any) -> Schedule:
    """The schedule of one line item with a budget, whose site is in a time zone."""
    item = line_item("one", "price", "728x90", price={"cpm": "1"}, budget="9", daily_budget="1", **keys)
    index = index_of(catalog_of(item, timezone=zone))
    return Schedule(index, np.array([0]), {"daily": profile or Profile()}, now)


def read(schedule: Schedule, now: datetime) -> dict[str, float]:
    """The clock of the one row."""
    clock: Clock = schedule.at(now)
    return {name: float(column[0]) for name, column in zip(Clock._fields, clock, strict=True)}


@pytest.mark.parametrize("zone", [KATHMANDU, BERLIN, "UTC", "America/New_York"])
def test_a_flight_passes_by_the_hour(zone: str) -> None:
    start, end = local(MONDAY, zone), local(MONDAY + timedelta(days=10), zone)
    schedule = schedule_of(zone, start - HOUR, start=start, end=end)
    before = read(schedule, start - timedelta(minutes=1))
    assert (before["live"], before["passed"], before["elapsed"]) == (0, 0, 0)
    assert before["total"] == pytest.approx(240)
    now = start + timedelta(hours=60)
    read(schedule, now - timedelta(minutes=1))
    clock = read(schedule, now)
    assert clock["live"] == 1
    assert clock["passed"] == pytest.approx(1 / 60)
    assert clock["left"] == pytest.approx(180)
    assert clock["elapsed"] == pytest.approx(0.25)
    assert clock["day_left"] == pytest.approx(12)
    after = read(schedule, end)
    assert (after["live"], after["left"]) == (0, 0)
    assert after["elapsed"] == pytest.approx(1)


def test_what_passes_before_a_flight_begins_does_not_count() -> None:
    start = local(MONDAY, KATHMANDU)
    schedule = schedule_of(KATHMANDU, start - HOUR, start=start, end=start + 10 * HOUR)
    assert read(schedule, start + 2 * HOUR)["passed"] == pytest.approx(2)


def test_flights_without_an_end_or_a_start_and_paused_ones() -> None:
    start = local(MONDAY, KATHMANDU)
    forever = read(schedule_of(KATHMANDU, start), start + HOUR)
    assert (forever["live"], forever["left"], forever["total"], forever["elapsed"]) == (1, np.inf, 0, 0)
    assert forever["day_left"] == pytest.approx(23)
    endless = read(schedule_of(KATHMANDU, start, start=start), start + HOUR)
    assert (endless["live"], endless["left"], endless["elapsed"]) == (1, np.inf, 0)
    old = read(schedule_of(KATHMANDU, start, end=start + 5 * HOUR), start + HOUR)
    assert (old["live"], old["total"], old["elapsed"]) == (1, 0, 0)
    assert old["left"] == pytest.approx(4)
    assert read(schedule_of(KATHMANDU, start, paused=True), start + HOUR)["live"] == 0


def test_only_hours_in_which_it_may_serve_pass() -> None:
    """Mondays to Fridays from eight to eight in Kathmandu, of which the UTC week knows only quarter hours."""
    start = local(MONDAY, KATHMANDU)
    target = {"hours": ["mon-fri 08:00-20:00"], "not": {"hours": ["wed"]}}
    schedule = schedule_of(KATHMANDU, start, start=start, end=start + timedelta(days=7), target=target)
    assert read(schedule, start)["total"] == pytest.approx(4 * 12)
    assert read(schedule, start + 8 * HOUR)["passed"] == pytest.approx(0)
    clock = read(schedule, start + 8 * HOUR + timedelta(minutes=10))
    assert clock["passed"] == pytest.approx(1 / 6)
    assert clock["day_left"] == pytest.approx(12 - 1 / 6)
    assert read(schedule, start + timedelta(days=2, hours=12))["day_left"] == pytest.approx(0)
    assert read(schedule, start + timedelta(days=3))["left"] == pytest.approx(24)


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (date(2026, 10, 23), 24),
        (date(2026, 10, 25), 25),
        (date(2026, 10, 26), 24),
        (date(2026, 3, 29), 23),
    ],
)
def test_days_are_as_long_as_the_clock_makes_them(day: date, hours: int) -> None:
    """Berlin's clock goes back on 25 October 2026, and forward on 29 March."""
    midnight = local(day, BERLIN)
    schedule = schedule_of(BERLIN, midnight)
    assert read(schedule, midnight)["day_left"] == pytest.approx(hours)
    half = midnight + hours / 2 * HOUR
    assert read(schedule, half)["day_left"] == pytest.approx(hours / 2)
    assert read(schedule, midnight + hours * HOUR)["day_left"] == pytest.approx(24)


@pytest.mark.parametrize("day", [date(2026, 10, 25), date(2026, 10, 27), date(2026, 3, 29)])
def test_hours_follow_a_change_of_the_clock_within_a_quarter_hour(day: date) -> None:
    """The office hours after the change are those of the new clock, once the schedule has learned again."""
    opens = local(day, BERLIN, 8)
    schedule = schedule_of(BERLIN, opens - 30 * HOUR, target={"hours": ["mon-sun 08:00-20:00"]})
    schedule.learn(opens - timedelta(minutes=15))
    read(schedule, opens - timedelta(minutes=15))
    assert read(schedule, opens)["passed"] == pytest.approx(0)
    assert read(schedule, opens + HOUR)["passed"] == pytest.approx(1)
    assert read(schedule, opens + HOUR)["day_left"] == pytest.approx(11)


def test_busy_hours_are_longer() -> None:
    """A site that is asked three times as often from noon to midnight UTC: half of its day passes in 18 h."""
    monday = local(MONDAY, "UTC")
    first = bucket_of(monday)
    profile = Profile((first + n, 3000 if n % 96 >= 48 else 1000) for n in range(4 * BUCKETS_PER_WEEK))
    schedule = schedule_of("UTC", monday, profile, start=monday, end=monday + timedelta(days=1))
    assert read(schedule, monday + 12 * HOUR)["elapsed"] == pytest.approx(0.25, abs=0.03)
    assert read(schedule, monday + 16 * HOUR)["elapsed"] == pytest.approx(0.5, abs=0.03)
    assert read(schedule, monday + 16 * HOUR)["total"] == pytest.approx(24, abs=0.1)


@pytest.mark.parametrize(
    ("begins", "days", "share"),
    [
        (0, 7, 1.0),
        (0, 14, 0.5),
        (-7, 21, 0.5),
        (3, 10, 0.4),
        (-7, 7, 0.0),
        (8, 10, 0.0),
        (-9, 9, 0.0),
        (0, 5, 1.0),
    ],
)
def test_what_lies_within_a_week_of_what_is_left(begins: int, days: int, share: float) -> None:
    """Flights that have begun so many days ago, or will begin."""
    now = local(MONDAY, KATHMANDU)
    start = now + timedelta(days=begins)
    schedule = schedule_of(KATHMANDU, now, start=start, end=start + timedelta(days=days))
    read(schedule, now)
    assert schedule.share_of_week()[0] == pytest.approx(share)


def test_a_paused_flight_needs_nothing_within_a_week() -> None:
    now = local(MONDAY, KATHMANDU)
    schedule = schedule_of(KATHMANDU, now, start=now, end=now + timedelta(days=7), paused=True)
    read(schedule, now)
    assert schedule.share_of_week()[0] == 0
