"""TCF strings: equal to the reference in every field, refused where it refuses, never more for less text."""

from __future__ import annotations

import time
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.consent.bits import Ids, Refusal
from adserver.consent.tcf import Restriction, TcString, decode_tcf
from tests.consent.reference_strings import in_reference_words, material, reference, unpacked
from tests.consent.writing import base64url, number, tcf, vendors_by_bits, vendors_by_ranges

#: Why a string that the reference reads is refused here: it could be read in two ways.
STRICTER = (
    "comes twice",
    "after the core",
    "and not 1 or 2",  # segments before the core, which the reference takes for a string without one
    "version 1 has no segments",
    "is not a range of the vendors up to",
)
WHOLES = [row["text"] for row in reference()["tcf"] if row["read"]]
PUBLISHED = [row["tcString"] for row in material()]


def granted(tc: TcString) -> list[set[int]]:
    """All sets in which more ids mean that more is allowed."""
    publisher = tc.publisher
    sets = (tc.purpose_consents, tc.purpose_interests, tc.special_features, tc.vendor_consents)
    more = (tc.vendor_interests, publisher.consents, publisher.interests, *publisher[2:])
    optional = (tc.disclosed or Ids(), tc.allowed or Ids())
    return [set(one.listed()) for one in chain(sets, more, optional)]


def test_every_field_is_that_of_the_reference() -> None:
    equal = 0
    for row in reference()["tcf"]:
        decoded = decode_tcf(row["text"])
        if row["read"] and isinstance(decoded, TcString):
            assert in_reference_words(decoded) == unpacked(row["read"]), row["text"]
            equal += 1
    assert equal > 150


def test_what_the_reference_refuses_is_refused() -> None:
    refused = [row["text"] for row in reference()["tcf"] if row["read"] is None]
    assert len(refused) > 200
    assert [text for text in refused if not isinstance(decode_tcf(text), Refusal)] == []


def test_what_is_refused_beyond_that_could_be_read_in_two_ways() -> None:
    for text in WHOLES:
        decoded = decode_tcf(text)
        if isinstance(decoded, Refusal):
            assert any(words in decoded.reason for words in STRICTER), decoded.reason


@pytest.mark.skipif(not PUBLISHED, reason="../shared/material is not there")
@pytest.mark.parametrize("row", material(), ids=lambda row: row["tcString"][:24])
def test_every_field_of_the_published_strings_is_that_of_the_reference(row: dict[str, Any]) -> None:
    decoded = decode_tcf(row["tcString"])
    assert isinstance(decoded, TcString)
    ours = in_reference_words(decoded)
    assert ours.pop("useNonStandardStacks") in (True, False)  # the one field that is not in that file
    assert ours == {name: row[name] for name in ours}
    assert set(row) - set(ours) == {"tcString", "sources", "segments"}


@pytest.mark.parametrize("text", [*WHOLES[:60], *PUBLISHED], ids=lambda text: text[:24])
def test_no_truncation_grants_what_the_whole_does_not(text: str) -> None:
    whole = decode_tcf(text)
    if isinstance(whole, Refusal):
        return
    for end in range(len(text)):
        cut = decode_tcf(text[:end])
        if isinstance(cut, TcString):
            assert all(less <= more for less, more in zip(granted(cut), granted(whole), strict=True)), end
            assert cut.restrictions == whole.restrictions


@given(st.text(max_size=60) | st.text("ABCIYQ.-_", max_size=200))
def test_nonsense_is_refused_with_a_sentence(text: str) -> None:
    decoded = decode_tcf(text)
    assert isinstance(decoded, TcString) or decoded.reason


ids = st.sets(st.integers(1, 1200), max_size=30)
purposes = st.sets(st.integers(1, 24))


@given(purposes, purposes, ids, ids, ids, purposes)
def test_what_was_written_is_read(
    consents: set[int], interests: set[int], one: set[int], other: set[int], shown: set[int], own: set[int]
) -> None:
    restricted = [(3, 1, [(n, n) for n in sorted(other)]), (7, 0, [(2, 900)])]
    text = tcf(
        consents=consents,
        interests=interests,
        vendors=vendors_by_bits(one),
        vendor_interests=vendors_by_ranges([(n, n) for n in sorted(other)]),
        restrictions=restricted,
        disclosed=vendors_by_bits(shown),
        publisher=own,
    )
    decoded = decode_tcf(text)
    assert isinstance(decoded, TcString)
    assert set(decoded.purpose_consents.listed()) == consents
    assert set(decoded.purpose_interests.listed()) == interests
    assert set(decoded.vendor_consents.listed()) == one
    assert set(decoded.vendor_interests.listed()) == other
    assert set(decoded.publisher.consents.listed()) == own
    assert decoded.disclosed and set(decoded.disclosed.listed()) == shown
    consent, forbidden = decoded.restrictions
    assert (consent.kind, forbidden.kind) == (Restriction.REQUIRE_CONSENT, Restriction.NOT_ALLOWED)
    assert set(consent.vendors.listed()) == other
    assert forbidden.vendors.listed() == list(range(2, 901))
    for vendor in (0, 1, 755, *one, *other):
        assert decoded.vendor_consents.has(vendor) == (vendor in one)
        assert decoded.vendor_interests.has(vendor) == (vendor in other)


def test_the_longest_that_a_body_can_hold_is_read_at_once() -> None:
    most = [(1, 4095)] * 4095
    text = tcf(vendors=vendors_by_ranges(most), restrictions=[(1, 1, most)])
    assert len(text) > 40_000
    started = time.process_time()
    assert isinstance(decode_tcf(text), TcString)
    assert isinstance(decode_tcf("C" + "_" * 60_000), Refusal)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the core segment is not base64url text"),
        (tcf() + ".", "a segment after the core is not base64url text"),
        (tcf() + "=", "the core segment is not base64url text"),
        (tcf(version=3), "the version is 3, and not 1 or 2"),
        (tcf()[:30], "the core segment is cut short"),
        (tcf(restrictions=[(0, 1, [])]), "there is no restriction 1 of purpose 0"),
        (tcf(restrictions=[(1, 3, [(1, 2)])]), "there is no restriction 3 of purpose 1"),
        (tcf(vendors=vendors_by_ranges([(9, 3), (1, 20)])), "9 to 3 is not a range of the vendors up to 20"),
        (tcf() + "." + base64url(number(5, 3)), "there is no segment of type 5 after the core"),
        (tcf(publisher=()) + "." + tcf(publisher=()).split(".")[1], "the publisher segment comes twice"),
    ],
)
def test_the_reason_of_a_refusal(text: str, reason: str) -> None:
    assert decode_tcf(text) == Refusal(reason)
