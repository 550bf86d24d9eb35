"""Intervals that hold at every look: the rate is inside, they narrow, and looking often breaks none."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from adserver.measurement.intervals import Interval, always_valid


@given(st.integers(0, 10**6).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_the_rate_that_was_seen_is_inside(counts: tuple[int, int]) -> None:
    count, whole = counts
    found = always_valid(count, whole)
    assert 0 <= found.low <= (count / whole if whole else 0) <= found.high <= 1


def test_nothing_seen_says_nothing_and_more_says_more() -> None:
    assert always_valid(0, 0) == Interval(0, 1)
    widths = [found.high - found.low for found in (always_valid(n // 100, n) for n in (100, 10_000, 10**6))]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 1.2e-3
    narrow, wide = always_valid(30, 10_000, 0.05), always_valid(30, 10_000, 0.01)
    assert wide.low < narrow.low
    assert narrow.high < wide.high


def test_whoever_looks_all_the_time_is_misled_no_more_often_than_was_said() -> None:
    """Each of 300 creatives is looked at 100 times; a common 95 % interval fails in a third of them."""
    rng, rate, misled, fooled = Random(7), 0.01, 0, 0
    for _ in range(300):
        clicks = 0
        missed = common = False
        for look in range(1, 101):
            clicks += sum(rng.random() < rate for _ in range(50))
            whole = 50 * look
            found = always_valid(clicks, whole)
            missed |= not found.low <= rate <= found.high
            mean = clicks / whole
            error = 1.96 * (max(mean, 1 / whole) * (1 - mean) / whole) ** 0.5
            common |= abs(mean - rate) > error
        misled += missed
        fooled += common
    assert misled <= 15
    assert fooled >= 60
