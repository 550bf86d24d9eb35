"""Which answer a string holds, what it allows, and that less text never allows more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.consent.allowed import ALLOWED, Allowed, Answer, Network, Storage, gpp_answers, tcf_answer
from adserver.consent.bits import Refusal
from adserver.consent.gpp import decode_gpp
from adserver.consent.tcf import decode_tcf
from tests.consent.reference_strings import material, reference
from tests.consent.writing import (
    GOOGLE,
    JUNE_2026,
    Ranges,
    canada,
    gpp,
    tcf,
    us_national,
    vendors_by_bits,
    vendors_by_ranges,
)

ALL = range(1, 11)
OWN = vendors_by_bits([GOOGLE])
OTHERS = vendors_by_ranges([(1, 754), (756, 1200)])


def answer(text: str) -> Answer:
    """What a TCF string answers about Google."""
    return tcf_answer(decode_tcf(text), GOOGLE)


README = Path(__file__).parents[2] / "README.md"
#: The rows of its table, in their order.
ROWS = """
granted no_profile no_vendor refused not_opted_out opted_out opted_out unreadable unanswered assumed
not_assumed
"""
STORED = {
    Storage.KEEP: "yes",
    Storage.REMOVE: "no, and removed",
    Storage.LEAVE: "nothing new; what was stored stays",
}
ASKED = {
    Network.PERSONALISED: "personalised",
    Network.NON_PERSONALISED: "non-personalised",
    Network.NONE: "not asked",
}


def test_the_table_of_the_readme_is_the_one_that_is_acted_on() -> None:
    table = README.read_text(encoding="utf-8").partition("| answer | stored")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[2:-1]] for line in table.splitlines()[2:]]
    allowed = [ALLOWED[Answer(name)] for name in ROWS.split()]
    assert rows == [[STORED[storage], "yes", ASKED[network]] for storage, network in allowed]


def test_every_answer_is_in_the_table() -> None:
    assert set(ALLOWED) == set(Answer)
    kept = {one for one, allowed in ALLOWED.items() if allowed.storage is Storage.KEEP}
    assert kept == {"granted", "no_profile", "no_vendor", "not_opted_out", "assumed"}
    assert [one for one, allowed in ALLOWED.items() if allowed.storage is Storage.LEAVE] == ["unanswered"]


@pytest.mark.parametrize(
    ("consents", "interests", "vendors", "found"),
    [
        (ALL, (), OWN, Answer.GRANTED),
        ((1, 3, 4), (2, 7, 9, 10), OWN, Answer.GRANTED),
        ((1, 4), (2, 7, 9, 10), OWN, Answer.NO_PROFILE),
        ((1,), (2, 7, 9, 10), OWN, Answer.NO_PROFILE),
        ((1, 3, 4), (2, 7, 9), OWN, Answer.NO_VENDOR),
        (ALL, (), OTHERS, Answer.NO_VENDOR),
        ((1,), (), OWN, Answer.NO_VENDOR),
        (range(2, 11), ALL, OWN, Answer.REFUSED),
        ((), (), OWN, Answer.REFUSED),
    ],
)
def test_what_purposes_and_vendors_answer(
    consents: range, interests: range, vendors: str, found: Answer
) -> None:
    assert answer(tcf(consents=consents, interests=interests, vendors=vendors, vendor_interests=OWN)) == found


@pytest.mark.parametrize(
    ("purpose", "kind", "vendors", "found"),
    [
        (1, 0, [(GOOGLE, GOOGLE)], Answer.NO_VENDOR),
        (1, 2, [(GOOGLE, GOOGLE)], Answer.NO_VENDOR),
        (3, 0, [(1, 1000)], Answer.NO_PROFILE),
        (2, 0, [(1, 1000)], Answer.NO_VENDOR),
        (2, 1, [(1, 1000)], Answer.GRANTED),
        (2, 2, [(1, 1000)], Answer.GRANTED),
        (9, 1, [(1, 1000)], Answer.NO_VENDOR),
        (10, 2, [(1, 1000)], Answer.GRANTED),
        (7, 0, [(1, 754), (756, 1000)], Answer.GRANTED),
    ],
)
def test_what_a_publisher_restricts(purpose: int, kind: int, vendors: Ranges, found: Answer) -> None:
    # Purposes 2, 7 and 10 by both, 9 by interest only.
    text = tcf(
        consents=(1, 2, 3, 4, 7, 10),
        interests=(2, 7, 9, 10),
        vendors=OWN,
        vendor_interests=OWN,
        restrictions=[(purpose, kind, vendors)],
    )
    assert answer(text) == found


def test_since_tcf_2_3_a_vendor_that_was_not_shown_has_nothing() -> None:
    assert answer(tcf(consents=ALL, vendors=OWN)) == Answer.GRANTED
    assert answer(tcf(consents=ALL, vendors=OWN, created=JUNE_2026)) == Answer.NO_VENDOR
    assert answer(tcf(consents=ALL, vendors=OWN, created=JUNE_2026, disclosed=OTHERS)) == Answer.NO_VENDOR
    assert answer(tcf(consents=ALL, vendors=OWN, created=JUNE_2026, disclosed=OWN)) == Answer.GRANTED


def test_a_string_of_version_1_allows_nothing() -> None:
    old = [row["text"] for row in reference()["tcf"] if row["read"] and row["read"]["version"] == 1]
    assert {answer(text) for text in old} <= {Answer.REFUSED, Answer.UNREADABLE}


TEXTS = [row["text"] for row in reference()["tcf"]][:80] + [row["tcString"] for row in material()]
TEXTS += [
    tcf(consents=ALL, vendors=OWN, created=created, disclosed=OWN, publisher=ALL)
    for created in (0, JUNE_2026)
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:24])
def test_no_truncation_allows_more_than_the_whole(text: str) -> None:
    whole = ALLOWED[answer(text)]
    for end in range(len(text)):
        assert whole.and_also(ALLOWED[answer(text[:end])]) == ALLOWED[answer(text[:end])], end


@given(st.sets(st.integers(1, 10)), st.sets(st.integers(1, 10)), st.sets(st.integers(1, 10)), st.booleans())
def test_who_consents_to_less_allows_no_more(one: set[int], other: set[int], li: set[int], by: bool) -> None:
    vendors = OWN if by else vendors_by_ranges([(700, 800)])
    more = ALLOWED[answer(tcf(consents=one | other, interests=li, vendors=vendors, vendor_interests=vendors))]
    less = ALLOWED[answer(tcf(consents=one, interests=li, vendors=vendors, vendor_interests=vendors))]
    assert more.and_also(less) == less


@pytest.mark.parametrize(
    ("sections", "in_force", "found"),
    [
        ({7: us_national(2, 2, 2)}, (), ["not_opted_out"]),
        ({7: us_national(1)}, (7,), ["opted_out"]),
        ({6: "1YYN"}, (0,), ["opted_out"]),
        ({6: "1---"}, (6,), ["not_opted_out"]),
        ({2: tcf(consents=ALL, vendors=OWN), 7: us_national(1)}, (), ["granted", "opted_out"]),
        ({2: tcf(consents=ALL, vendors=OWN), 7: us_national(1)}, (2,), ["granted"]),
        ({2: tcf(), 7: us_national(2, 2, 2)}, (7,), ["not_opted_out"]),
        ({2: "C"}, (), ["unreadable"]),
        ({4: tcf(consents=ALL)}, (), ["unreadable"]),
        ({5: canada(express=(1,))}, (), ["no_vendor"]),
        ({5: canada(implied=(1, 2))}, (5,), ["no_vendor"]),
        ({5: canada(express=range(2, 25), implied=range(2, 25))}, (), ["refused"]),
        ({5: canada(express=(1,))[:-30]}, (), ["unreadable"]),
        ({7: us_national()}, (8,), ["unreadable"]),
        ({}, (), []),
    ],
)
def test_what_sections_answer(sections: dict[int, str], in_force: tuple[int, ...], found: list[str]) -> None:
    assert list(gpp_answers(decode_gpp(gpp(sections)), in_force, GOOGLE)) == found


def test_a_gpp_string_that_cannot_be_read_allows_nothing() -> None:
    assert list(gpp_answers(Refusal("no"), (), GOOGLE)) == [Answer.UNREADABLE]


def test_of_several_answers_the_strictest_holds_in_each_respect() -> None:
    both = ALLOWED[Answer.NO_VENDOR].and_also(ALLOWED[Answer.OPTED_OUT])
    assert both == Allowed(Storage.REMOVE, Network.NONE)
    assert ALLOWED[Answer.UNANSWERED].and_also(ALLOWED[Answer.GRANTED]).storage is Storage.LEAVE
