"""Amounts: exact both ways, and nothing else is an amount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.money import MAX_MICROS, format_micros, parse_micros


@given(st.integers(0, MAX_MICROS), st.integers(0, 6))
def test_there_and_back_again_loses_nothing(micros: int, places: int) -> None:
    assert parse_micros(format_micros(micros, places)) == micros


@pytest.mark.parametrize(
    ("text", "micros"), [("0", 0), ("4.50", 4_500_000), ("0.000001", 1), ("1000000000", MAX_MICROS)]
)
def test_amounts(text: str, micros: int) -> None:
    assert parse_micros(text) == micros


@pytest.mark.parametrize("text", ["", "+1", " 1", "1_0", "1e5", "1e999999999", "NaN", "1.", ".5", "१", "0x1"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        parse_micros(text)


@pytest.mark.parametrize(("text", "problem"), [("-1", "zero or more"), ("1.0000001", "six decimal places")])
def test_amounts_that_money_cannot_be(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_micros(text)


def test_more_than_a_billion_is_refused() -> None:
    with pytest.raises(ValueError, match="is more than"):
        parse_micros("1000000000.000001")


def test_negative_sums_are_shown() -> None:
    assert format_micros(-1_500_000) == "-1.50"
