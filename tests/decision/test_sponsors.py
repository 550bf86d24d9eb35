"""Turns of sponsors against plain counting: shares are exact, and what a sponsor is owed is given back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.decision.sponsors import Turns

PLACE = 7
EVERYONE = frozenset(range(20))


def played(
    turns: Turns,
    shares: Mapping[int, float],
    count: int,
    away: Callable[[int], set[int]] = lambda number: set(),
    place: int = PLACE,
) -> Counter[int | None]:
    """Who took so many requests of a place; `away`: number of a request → who cannot take it."""
    ids = [100 + position for position in range(20)]
    voices, taken = turns.voices(place, shares), Counter[int | None]()
    for number in range(count):
        turn = turns.turn(place, voices, ids, EVERYONE.difference(away(number)).__contains__)
        taken[turn.winner] += 1
        turns.settle(turn, ids)
    return taken


@pytest.mark.parametrize(
    "shares",
    [
        {0: 0.3, 1: 0.3, 2: 0.4},
        {0: 0.5, 1: 0.2},
        {0: 1.0},
        {3: 0.01},
        {0: 0.7, 1: 0.2, 2: 0.1},
        {0: 1 / 3, 1: 1 / 3, 2: 1 / 3},
    ],
)
@pytest.mark.parametrize("count", [10, 100, 1000, 10_000])
def test_shares_are_exact_to_a_few_requests(shares: dict[int, float], count: int) -> None:
    """Chance alone would be off by the root of the number: by 40 of ten thousand, and more at times."""
    taken = played(Turns(), shares, count)
    for position, share in shares.items():
        assert abs(taken[position] - share * count) <= 4
    assert abs(taken[None] - (1 - sum(shares.values())) * count) <= 4 * len(shares)


def test_more_than_the_whole_is_scaled_down() -> None:
    taken = played(Turns(), {0: 1.0, 1: 0.5, 2: 0.5}, 1000)
    assert taken[None] == 0
    for position, share in ((0, 0.5), (1, 0.25), (2, 0.25)):
        assert abs(taken[position] - share * 1000) <= 4


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6), st.integers(0, 50))
def test_any_shares_are_exact_to_a_few_requests(shares: list[float], place: int) -> None:
    taken = played(Turns(), dict(enumerate(shares)), 1000, place=place)
    whole = max(1.0, sum(shares))
    for position, share in enumerate(shares):
        assert abs(taken[position] - 1000 * share / whole) <= 6


def test_what_is_owed_is_given_back_when_a_turn_is_nobodys() -> None:
    """One cannot take every fifth request; what it missed it gets from the rest."""
    taken = played(Turns(), {0: 0.4, 1: 0.4}, 2000, lambda number: set() if number % 5 else {0})
    assert abs(taken[0] - 800) <= 10
    assert abs(taken[1] - 800) <= 10


def test_nobody_gives_up_its_own_turn_to_one_that_is_owed() -> None:
    taken = played(Turns(), {0: 0.5, 1: 0.5}, 1000, lambda number: {0} if number < 500 else set())
    assert abs(taken[1] - 500) <= 4
    assert abs(taken[0] - 250) <= 4


def test_what_is_owed_is_bounded() -> None:
    """A sponsor that could not serve for a day does not take the whole next hour."""
    turns, shares = Turns(), {0: 0.3, 1: 0.3}
    played(turns, shares, 10_000, lambda number: {0})
    taken = played(turns, shares, 1000)
    assert 300 <= taken[0] <= 300 + 14
    assert abs(taken[1] - 300) <= 4


def test_places_do_not_owe_for_each_other() -> None:
    turns, shares = Turns(), {0: 0.5}
    played(turns, shares, 100, lambda number: {0})
    taken = played(turns, shares, 100, place=8)
    assert abs(taken[0] - 50) <= 2


def test_what_is_owed_outlives_a_catalog_in_which_positions_change() -> None:
    turns = Turns()
    ids_before, ids_after = [100, 101], [101, 100]
    voices = turns.voices(PLACE, {0: 0.5})
    for _ in range(100):
        turns.settle(turns.turn(PLACE, voices, ids_before, lambda position: False), ids_before)
    turns.begin()
    voices, won = turns.voices(PLACE, {1: 0.5}), Counter[int | None]()
    for _ in range(20):
        turn = turns.turn(PLACE, voices, ids_after, lambda position: True)
        turns.settle(turn, ids_after)
        won[turn.winner] += 1
    assert won[1] == 20, "its ten turns, and ten that it was owed"
    assert played(turns, {1: 0.5}, 100)[1] <= 52


def test_looking_changes_nothing() -> None:
    """A turn that is not served, as when a page is only explained, is the next one's again."""
    turns, shares = Turns(), {0: 0.3, 1: 0.3, 2: 0.4}
    voices = turns.voices(PLACE, shares)
    looks = {turns.turn(PLACE, voices, [1, 2, 3], lambda position: True) for _ in range(50)}
    assert len(looks) == 1
