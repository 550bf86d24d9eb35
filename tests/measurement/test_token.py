"""Tokens: what was signed is read back, and nothing else is read at all."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from adserver.catalog.model import PriceModel
from adserver.measurement.token import NODE_COUNT, TOKEN_CHARS, FillIds, FillToken, TokenKey, stem_of

KEY = TokenKey(b"k" * 32)
U32 = st.integers(0, 2**32 - 1)
TOKENS = st.builds(
    FillToken,
    fill=st.integers(0, 2**63 - 1),
    slot_id=U32,
    item_id=U32,
    creative_id=U32,
    model=st.sampled_from([None, *PriceModel]),
    price_micros=st.integers(0, 10**15),
    catalog_version=U32,
    size=U32,
    facts=st.integers(0, 2**63 - 1),
)


def signed(token: FillToken) -> str:
    """A token's text."""
    return KEY.sign(stem_of(token), token.fill, token.facts).decode()


@given(TOKENS)
def test_what_was_signed_is_read_back(token: FillToken) -> None:
    text = signed(token)
    assert len(text) == TOKEN_CHARS == 80
    assert all(c.isalnum() or c in "-_" for c in text)
    assert KEY.read(text) == token


@given(TOKENS, st.integers(0, 59), st.integers(1, 255))
def test_a_token_with_any_bit_changed_is_refused(token: FillToken, place: int, flip: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(signed(token)))
    raw[place] ^= flip
    assert KEY.read(base64.urlsafe_b64encode(raw).decode()) is None


@given(TOKENS)
def test_another_key_reads_nothing(token: FillToken) -> None:
    assert TokenKey(b"j" * 32).read(signed(token)) is None


@given(st.text(max_size=100) | st.text("ABC-_+/=\n\x00é", min_size=80, max_size=80))
def test_arbitrary_text_is_refused(text: str) -> None:
    assert KEY.read(text) is None


def test_a_token_has_one_spelling() -> None:
    tokens = [signed(FillToken(n, 1, 1, 1, None, 0, 1)) for n in range(200)]
    spelled_otherwise = [t.replace("-", "+").replace("_", "/") for t in tokens if "-" in t or "_" in t]
    assert spelled_otherwise
    assert all(KEY.read(text) is None for text in spelled_otherwise)


@given(st.lists(st.integers(0, 2**41 - 2), min_size=1, max_size=50), st.integers(0, 5000))
def test_ids_are_unique_and_rise_even_when_the_clock_steps_back(times: list[int], node: int) -> None:
    ids = FillIds(node)
    made = [ids.next(at_ms) for at_ms in times]
    assert made == sorted(set(made))
    assert all(0 <= fill < 2**63 for fill in made)


def test_a_full_millisecond_runs_over_into_the_next() -> None:
    ids = FillIds(3)
    made = [ids.next(1000) for _ in range(5000)]
    assert len(set(made)) == 5000
    assert {FillToken(fill, 0, 0, 0, None, 0, 0).at_ms for fill in made} == {1000, 1001}


def test_nodes_do_not_share_ids() -> None:
    made = [FillIds(node).next(1000) for node in range(NODE_COUNT)]
    assert len(set(made)) == NODE_COUNT
