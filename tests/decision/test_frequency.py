"""How often a browser saw what: counted exactly, bounded, and never made up."""

from __future__ import annotations

import string
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from adserver.decision.facts import CAMPAIGN_ORDINAL, ITEM_ORDINAL, MORE, of
from adserver.decision.frequency import LEAST_ROOM, Frequencies, parts_of, subject_of, whole_of

URL_SAFE = string.ascii_letters + string.digits + "-_."
#: Line item and campaign, each with an id of its own; some of them lie close to each other.
PAIRS = st.tuples(st.integers(1, 40), st.integers(50, 60)) | st.tuples(
    st.integers(1, 2**24 - 1), st.integers(1, 2**24 - 1)
)
ROOM = 1500


def add(seen: Frequencies, item: int, campaign: int) -> tuple[int, int]:
    """One more impression; which one it is of both."""
    facts = seen.add(subject_of(item), subject_of(campaign))
    return of(ITEM_ORDINAL, facts), of(CAMPAIGN_ORDINAL, facts)


def kept(seen: Frequencies, most: int = 100, room: int = ROOM) -> Frequencies:
    """The same after a browser has kept it."""
    return Frequencies(seen.text(most, room).decode())


@given(st.lists(st.lists(PAIRS, max_size=8), max_size=12))
def test_an_impression_is_the_one_that_a_plain_count_says(pages: list[list[tuple[int, int]]]) -> None:
    seen, counts = Frequencies(), Counter[int]()
    for page in pages:
        for item, campaign in page:
            counts[item] += 1
            first = counts[item]
            counts[campaign] += 1
            assert add(seen, item, campaign) == (min(first, MORE), min(counts[campaign], MORE))
        seen = kept(seen, most=700, room=4000)


def test_all_beyond_the_most_is_more() -> None:
    seen = Frequencies()
    ordinals = []
    for _ in range(100):
        ordinals.append(add(seen, 7, 8))
        seen = kept(seen)
    assert ordinals == [(min(n, MORE), min(n, MORE)) for n in range(1, 101)]


def test_the_text_is_short_and_fits_into_json_and_urls() -> None:
    seen = Frequencies()
    for n in range(30):
        add(seen, 1_000 + n, 5_000 + n // 5)
    text = whole_of(b"caps", seen.text(100, ROOM)).decode()
    assert set(text) <= set(URL_SAFE)
    assert len(text) == len("caps.") + 5 * (1 + 30 + 6)
    assert parts_of(text) == ("caps", seen.text(100, ROOM).decode())
    assert whole_of(b"caps", b"") == b"caps"
    assert parts_of("caps") == ("caps", "")


@given(st.lists(st.integers(1, 300), min_size=1, max_size=400), st.integers(1, 60))
def test_what_was_left_out_is_not_known_rather_than_new(items: list[int], most: int) -> None:
    seen, counts = Frequencies(), Counter[int]()
    for item in items:
        counts[item] += 1
        ordinal, _ = add(seen, item, 1_000)
        assert ordinal in (0, min(counts[item], MORE))
        seen = kept(seen, most=most)
        assert len(seen.text(most, ROOM)) <= 5 * (most + 1)
    assert add(seen, 2_000, 2_001) == (1, 1)


def test_what_is_oldest_makes_room() -> None:
    seen = Frequencies()
    for item in range(2, 102, 2):
        add(seen, item, item + 1)
    seen = kept(seen, most=40)
    assert add(seen, 2, 3) == (0, 0)
    assert add(seen, 100, 101) == (2, 2)
    assert add(seen, 102, 103) == (1, 1)


@given(st.integers(LEAST_ROOM, 60), st.integers(1, 100))
def test_what_is_kept_fits_into_its_room(room: int, most: int) -> None:
    seen = Frequencies()
    assert seen.text(most, room) == b""
    for item in range(20):
        add(seen, item + 1, item + 101)
    assert len(seen.text(most, room)) <= room
    assert add(kept(seen, most, room), 1, 101)[0] in (0, 2)


@given(
    st.text(max_size=60)
    | st.text(string.printable, min_size=5, max_size=5)
    | st.from_regex(r"[-0-9A-Z_a-z]{10,40}")
)
def test_any_text_can_be_read_and_comes_back_safe(text: str) -> None:
    seen = Frequencies(text)
    ordinals = add(seen, 5, 6)
    assert all(0 <= ordinal <= MORE for ordinal in ordinals)
    assert set(seen.text(100, ROOM).decode()) <= set(URL_SAFE) - {"."}


def test_an_id_beyond_what_can_be_kept_is_never_counted() -> None:
    seen = Frequencies()
    assert [add(seen, 2**24, 2**24 + 5) for _ in range(3)] == [(0, 0)] * 3
    assert seen.text(100, ROOM) == b""


@given(st.integers(0, 2**24 - 1), st.integers(0, 2**24 - 1))
def test_spelt_ids_compare_as_numbers(one: int, other: int) -> None:
    assert (subject_of(one) < subject_of(other)) == (one < other)
