"""Facts of a fill: each keeps its place in the integer, and what is packed is read back."""

from __future__ import annotations

from itertools import pairwise
from string import ascii_uppercase

from hypothesis import given
from hypothesis import strategies as st

from adserver.catalog.targeting import COUNTRIES
from adserver.decision import facts

FIELDS = (
    facts.ITEM_ORDINAL,
    facts.CAMPAIGN_ORDINAL,
    facts.THEME,
    facts.DEVICE,
    facts.BROWSER,
    facts.COUNTRY,
    facts.SECTION,
    facts.DAY_SHIFT,
)


@given(
    st.sampled_from([None, *sorted(COUNTRIES)]),
    st.sampled_from(facts.DEVICES),
    st.sampled_from(facts.BROWSERS),
    st.sampled_from(facts.THEMES),
)
def test_what_is_packed_is_read_back(
    country: str | None, device: str | None, browser: str | None, theme: str | None
) -> None:
    packed = facts.page_facts(country, device, browser, theme)
    assert facts.country_of(facts.of(facts.COUNTRY, packed)) == country
    assert facts.DEVICES[facts.of(facts.DEVICE, packed)] == device
    assert facts.BROWSERS[facts.of(facts.BROWSER, packed)] == browser
    assert facts.THEMES[facts.of(facts.THEME, packed)] == theme
    rest = (facts.ITEM_ORDINAL, facts.CAMPAIGN_ORDINAL, facts.SECTION, facts.DAY_SHIFT)
    assert not any(facts.of(field, packed) for field in rest)


def test_fields_stand_side_by_side_in_a_positive_integer_of_sqlite() -> None:
    assert all(one.shift + one.bits == after.shift for one, after in pairwise(FIELDS))
    assert FIELDS[0].shift == 0
    assert FIELDS[-1].shift + FIELDS[-1].bits <= 63


def test_every_value_has_room_in_its_field() -> None:
    assert facts.ITEM_ORDINAL.mask == facts.CAMPAIGN_ORDINAL.mask == facts.MORE
    assert len(facts.DEVICES) - 1 <= facts.DEVICE.mask
    assert len(facts.THEMES) - 1 <= facts.THEME.mask
    assert len(facts.BROWSERS) - 1 <= facts.BROWSER.mask
    codes = {facts.country_code(a + b) for a in ascii_uppercase for b in ascii_uppercase}
    assert len(codes) == 26 * 26
    assert 0 not in codes
    assert max(codes) <= facts.COUNTRY.mask


@given(st.text(max_size=4))
def test_what_is_no_country_counts_as_not_known(text: str) -> None:
    code = facts.country_code(text)
    assert facts.country_of(code) == (text if code else None)


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_a_size_is_read_back(width: int, height: int) -> None:
    code = facts.size_code(f"{width}x{height}")
    assert 0 < code < 2**32
    assert facts.size_of(code) == f"{width}x{height}"


@given(st.text(max_size=9))
def test_what_is_no_size_has_none(text: str) -> None:
    code = facts.size_code(text)
    assert code == 0 or facts.size_of(code) == text
