"""Bursts: counted by address and window, bounded, and nothing kept that leads back to an address."""

from __future__ import annotations

from adserver.serving.bursts import Bursts
from adserver.serving.networks import packed

MINUTE, DAY = 60_000, 86_400_000


def address(text: str) -> bytes:
    """The bytes of an address."""
    number = packed(text)
    assert number is not None
    return number


ONE, OTHER = address("198.51.100.1"), address("198.51.100.2")


def bursts(most: int = 3, max_addresses: int = 100) -> Bursts:
    """Counts by the minute."""
    return Bursts(window_ms=MINUTE, most=most, max_addresses=max_addresses)


def test_what_is_more_than_readers_cause_is_a_burst_until_the_window_ends() -> None:
    counts = bursts()
    assert [counts.count(ONE, DAY + n) for n in range(5)] == [False, False, False, True, True]
    assert not counts.count(OTHER, DAY + 6)
    assert not counts.count(ONE, DAY + MINUTE)


def test_a_beacon_counts_with_all_of_its_events() -> None:
    counts = bursts()
    assert not counts.count(ONE, 0, 3)
    assert counts.count(ONE, 1, 1)
    assert counts.count(OTHER, 1, 4)


def test_all_addresses_of_one_ipv6_household_are_one() -> None:
    counts = bursts(most=1)
    assert not counts.count(address("2001:db8:1:2::1"), 0)
    assert counts.count(address("2001:db8:1:2:ffff::9"), 0)
    assert not counts.count(address("2001:db8:1:3::1"), 0)


def test_addresses_beyond_the_bound_are_not_judged_and_counted() -> None:
    counts = bursts(most=1, max_addresses=1)
    assert [counts.count(ONE, 0), counts.count(OTHER, 0), counts.count(OTHER, 0)] == [False] * 3
    assert counts.count(ONE, 0)
    assert counts.unjudged_count == 2


def test_no_address_is_kept_and_its_hash_changes_with_the_day_and_the_start() -> None:
    counts, again = bursts(), bursts()
    for one in (counts, again):
        one.count(ONE, 5)
    (today,) = counts._counts
    (elsewhere,) = again._counts
    counts.count(ONE, MINUTE)
    (a_minute_later,) = counts._counts
    counts.count(ONE, DAY)
    (tomorrow,) = counts._counts
    assert today == a_minute_later
    assert len({today, elsewhere, tomorrow}) == 3
    assert ONE not in today and len(today) == 8
