"""Profiles, calendars and levels: what shape a week is given, and how long times are by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.catalog.targeting import MINUTES_PER_WEEK, parse_hours
from adserver.clock import BUCKETS_PER_DAY, bucket_of, bucket_start
from adserver.decision.arrays import Floats
from adserver.decision.traffic import (
    BUCKETS_PER_WEEK,
    Calendar,
    Level,
    Profile,
    active_buckets,
    bucket_of_week,
    seconds_of,
)

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
FIRST = bucket_of(MONDAY)
FLAT = np.ones(BUCKETS_PER_WEEK)
#: How far local time is ahead of UTC, in minutes, and the local minute-of-week intervals of hours.
OFFSETS = st.sampled_from([0, 60, 120, 345, 330, 765, 840, -210, -300, -720])
HOURS = st.sampled_from(["mon-fri 08:00-20:00", "sat-sun", "sun 22:00-02:00", "tue 00:07-00:22", "wed"])


def days_of(shape: Floats) -> Floats:
    """(7, 96) quarter hours by day."""
    return shape.reshape(7, BUCKETS_PER_DAY)


def busy(place: int, weekday: float = 400, weekend: float = 100) -> float:
    """Mean requests in a quarter hour of the week: none much before six, most in the evening."""
    day, quarter = divmod(place, BUCKETS_PER_DAY)
    hour = quarter / 4
    level = weekend if day >= 5 else weekday
    return level * (0.1 if hour < 6 else 1 + hour / 24)


def learned(weeks: int, seed: int = 1) -> Profile:
    rng = np.random.default_rng(seed)
    return Profile((FIRST + n, int(rng.poisson(busy(n % 672)))) for n in range(weeks * BUCKETS_PER_WEEK))


def test_buckets_of_the_week_begin_on_monday_in_utc() -> None:
    assert bucket_of_week(FIRST) == 0
    assert bucket_of_week(FIRST - 1) == BUCKETS_PER_WEEK - 1
    assert bucket_start(FIRST + bucket_of_week(bucket_of(MONDAY + timedelta(days=2, minutes=31)))) == (
        MONDAY + timedelta(days=2, minutes=30)
    )


@pytest.mark.parametrize("profile", [Profile(), Profile((FIRST + n, 0) for n in range(3 * 672))])
def test_a_week_of_which_nothing_is_known_and_one_in_which_nobody_came_are_flat(profile: Profile) -> None:
    np.testing.assert_array_equal(profile.shape, FLAT)


def test_a_shape_is_learned_and_its_mean_is_one() -> None:
    shape = learned(4).shape
    truth = np.array([busy(place) for place in range(BUCKETS_PER_WEEK)])
    assert shape.mean() == pytest.approx(1)
    distance = [float(np.abs(guess - truth / truth.mean()).mean()) for guess in (FLAT, shape)]
    assert distance[1] < 0.1 < 0.3 < distance[0]


def test_a_few_requests_do_not_make_a_shape() -> None:
    """Ten visitors of one noon must not make a noon of every day."""
    shape = Profile([(FIRST + n, 10 if n == 48 else 0) for n in range(BUCKETS_PER_DAY)]).shape
    assert shape.max() < 3 * shape.min()


def test_days_not_seen_yet_are_like_the_others_of_their_kind() -> None:
    """After a Monday and a Saturday: a Thursday is like the Monday, a Sunday like the Saturday."""
    rng = np.random.default_rng(3)
    seen = [*range(BUCKETS_PER_DAY), *range(5 * BUCKETS_PER_DAY, 6 * BUCKETS_PER_DAY)]
    days = days_of(Profile((FIRST + n, int(rng.poisson(busy(n)))) for n in seen).shape)
    assert 2.5 < days[3].mean() / days[6].mean() < 5, "four, drawn towards the mean of what is known"
    for day in (3, 6):
        assert days[day][60:].mean() / days[day][:20].mean() > 2.5


def test_after_a_monday_alone_every_day_is_like_it() -> None:
    days = days_of(Profile((FIRST + n, round(busy(n))) for n in range(BUCKETS_PER_DAY)).shape)
    for day in range(1, 7):
        np.testing.assert_allclose(days[day], days[1])
        assert days[day][60:].mean() / days[day][:20].mean() > 5


def test_a_new_habit_replaces_an_old_one() -> None:
    profile = learned(8)
    for n in range(4 * BUCKETS_PER_WEEK):
        profile.learn(FIRST + n, round(busy(n % 672, weekday=100, weekend=400)))
    days = days_of(profile.shape)
    assert days[6].mean() > days[2].mean()


@pytest.mark.parametrize("seed", range(3))
def test_no_time_is_worth_nothing(seed: int) -> None:
    """Whatever was counted, or not: there is always a little time, so that nothing is divided by zero."""
    rng = Random(seed)
    counts = [(FIRST + n, rng.choice([0, 0, 0, 100_000])) for n in range(0, 2000, rng.choice([1, 7, 96]))]
    shape = Profile(counts).shape
    assert np.isfinite(shape).all()
    assert shape.min() >= 0.01 and shape.mean() == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(hours=st.lists(HOURS, min_size=1, max_size=3), ahead=OFFSETS)
def test_active_quarter_hours_are_those_of_a_plain_loop_over_minutes(hours: list[str], ahead: int) -> None:
    spans = [span for text in hours for span in parse_hours(text)]
    expected = [
        sum(
            any(start <= (place * 15 + minute + ahead) % MINUTES_PER_WEEK < end for start, end in spans)
            for minute in range(15)
        )
        / 15
        for place in range(BUCKETS_PER_WEEK)
    ]
    np.testing.assert_allclose(active_buckets(spans, timedelta(minutes=ahead)), expected)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9), begin=st.integers(0, 20_000), minutes=st.integers(0, 20_000))
def test_a_calendar_adds_up_as_a_plain_loop_over_minutes_does(seed: int, begin: int, minutes: int) -> None:
    rng = np.random.default_rng(seed)
    shape, active = rng.random(BUCKETS_PER_WEEK) * 2, (rng.random(BUCKETS_PER_WEEK) < 0.7).astype(float)
    calendar = Calendar(shape, active)
    start = MONDAY + timedelta(minutes=begin)
    places = [bucket_of_week(bucket_of(start + timedelta(minutes=n))) for n in range(minutes)]
    expected = sum(shape[place] * active[place] for place in places) / 60
    end = start + timedelta(minutes=minutes)
    passed = float(calendar.at(seconds_of(end)) - calendar.at(seconds_of(start)))
    assert passed == pytest.approx(expected, abs=1e-6)


def test_an_hour_of_a_flat_week_is_a_standard_hour() -> None:
    calendar = Calendar(FLAT)
    at = seconds_of(MONDAY + timedelta(minutes=7))
    assert float(calendar.at(at + 3600) - calendar.at(at)) == pytest.approx(1)
    np.testing.assert_allclose(calendar.at([at, at + 86_400]) - calendar.at(at), [0, 24])


def test_the_level_follows_what_comes() -> None:
    level = Level()
    assert level.per_hour == 0
    level.learn(50, 0.5)
    assert level.per_hour == pytest.approx(100)
    for _ in range(24 * 30):
        level.learn(300, 1)
    assert level.per_hour == pytest.approx(300, rel=0.01)
    level.learn(0, 0)
    assert level.per_hour == pytest.approx(300, rel=0.01)
