"""The last hour of several workers: each thing in its minute once, and times that 95 of 100 kept to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from adserver.clock import to_ms
from adserver.measurement.pulse import BOUNDS_MS, MINUTES, Beat, Pulse, merge, slots_asked

START = datetime(2026, 11, 24, 6, 0, 30, tzinfo=UTC)


def test_what_is_counted_stands_in_its_minute_and_goes_after_an_hour() -> None:
    now, counted = [START], [(0, 0, 0)]
    kept: dict[str, bytes] = {}
    pulse = Pulse(65, lambda: counted[0], lambda: now[0], lambda name, value, _: kept.update({name: value}))
    pulse.sample()
    assert kept == {}, "nothing happened, so nothing is written"
    counted[0] = (10, 8, 1)
    pulse.took(0.0004)
    pulse.sample()
    now[0] += timedelta(minutes=1)
    counted[0] = (15, 13, 1)
    pulse.sample()
    assert list(kept) == ["pulse.1"]
    beats = merge(kept.values(), to_ms(now[0]))
    assert len(beats) == MINUTES
    assert (beats[-2].request_count, beats[-2].fill_count, beats[-2].error_count) == (10, 8, 1)
    assert beats[-2].p95_ms == 0.5
    assert (beats[-1].request_count, beats[-1].fill_rate, beats[-1].p95_ms) == (5, 1.0, None)
    later = merge([*kept.values(), *kept.values()], to_ms(now[0] + timedelta(minutes=58)))
    assert [beat.request_count for beat in later[:2]] == [20, 10]
    assert merge(kept.values(), to_ms(now[0] + timedelta(minutes=60))) == [Beat()] * MINUTES


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_95_of_100_kept_to_the_p95_and_to_no_lower_bound(seconds: Sequence[float]) -> None:
    kept: list[bytes] = []
    pulse = Pulse(0, lambda: (0, 0, 0), lambda: START, lambda _name, value, _at: kept.append(value))
    for one in seconds:
        pulse.took(one)
    pulse.sample()
    found = merge(kept, to_ms(START))[-1].p95_ms
    assert found is not None

    def part(bound: float) -> float:
        return sum(1000 * one <= bound for one in seconds) / len(seconds)

    assert found == inf or part(found) >= 0.95
    lower = [bound for bound in BOUNDS_MS if bound < found]
    assert not lower or part(lower[-1]) < 0.95


def test_requests_are_those_that_count() -> None:
    decisions = {"filled": 5, "header_bid": 1, "no_eligible": 2, "invalid.bot": 9, "auction.bid": 7}
    assert slots_asked(decisions) == (8, 6)
