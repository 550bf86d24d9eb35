"""GPP strings: the values that the reference wrote are read, and a damaged string opts nobody in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.consent.bits import Ids, Refusal
from adserver.consent.canada import CaChoice
from adserver.consent.gpp import decode_gpp
from adserver.consent.tcf import TcString
from adserver.consent.us import LAYOUTS, UsChoice
from tests.consent.reference_strings import reference
from tests.consent.writing import base64url, fibonacci, gpp, number, tcf, us_national

_NAMES = """
uspv1 usnat usca usva usco usut usct usfl usmt usor ustx usde usia usne usnh usnj ustn usmn usmd usin usky
usri
"""
#: Names of the reference → ids, as in the list of sections.
SECTION_IDS = {name: place for place, name in enumerate(_NAMES.split(), 6)}
ROWS = reference()["gpp"]


def sections_of(text: str) -> Any:
    """The sections of a string that can be read."""
    found = decode_gpp(text)
    assert not isinstance(found, Refusal), found
    return found


def expected(said: dict[str, Any]) -> UsChoice:
    """What the reference wrote, in our words."""
    child = said.get("KnownChildSensitiveDataConsents", 0)
    return UsChoice(
        sale=said.get("SaleOptOut") == 1 or said.get("OptOutSale") == "Y",
        sharing=said.get("SharingOptOut") == 1,
        targeted=said.get("TargetedAdvertisingOptOut") == 1,
        gpc=said.get("Gpc") is True,
        known_child=any(child) if isinstance(child, list) else bool(child),
    )


def test_what_the_reference_wrote_is_read() -> None:
    met = set()
    for row in ROWS:
        found = sections_of(row["text"])
        assert list(found) == row["ids"]
        for name, said in row["said"].items():
            met.add(name)
            assert found[SECTION_IDS[name]] == expected(said), (row["text"], name)
    assert met == set(SECTION_IDS), "every section is among them"
    assert {section for section, _ in LAYOUTS} == set(SECTION_IDS.values()) - {6}


def test_the_examples_of_the_specification() -> None:
    eu = "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"
    assert isinstance(sections_of(f"DBABMA~{eu}")[2], TcString)
    both = sections_of(f"DBACNYA~{eu}~1YNN")
    assert isinstance(both[2], TcString) and both[6] == UsChoice()
    canada = sections_of(f"DBABjw~{eu}~1YNN")
    assert canada[5] == CaChoice(Ids(24), Ids(24)) and canada[6] == UsChoice()


@pytest.mark.parametrize(
    ("text", "express", "implied"),
    [
        ("BPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAA.YAAAAAAAAAA", [], []),
        ("CPSG_8APSG_8AAAAAAENAABAAAAAAAAAAAAAAAAA.YAAAAAAAAAA", [], []),
        (
            "CPSG_8APSG_8AAyACAENGdCgf_gfgAfgfgBgABABAAABAB4AACAC.fHHHA4444ao",
            [*range(1, 7), *range(13, 19)],
            [*range(7, 13), *range(19, 25)],
        ),
    ],
)
def test_what_the_references_wrote_for_canada_is_read(
    text: str, express: list[int], implied: list[int]
) -> None:
    """As they stand in the tests of the reference in Java and in JavaScript."""
    said = sections_of(gpp({5: text}))[5]
    assert (said.express.listed(), said.implied.listed()) == (express, implied)


def test_the_codes_of_the_specification() -> None:
    assert [fibonacci(n) for n in range(1, 8)] == ["11", "011", "0011", "1011", "00011", "10011", "01011"]


@given(st.sets(st.integers(1, 4000), min_size=1, max_size=8))
def test_the_header_names_the_sections(numbers: set[int]) -> None:
    text = gpp(dict.fromkeys(sorted(numbers), "1YNN"))
    assert list(sections_of(text)) == sorted(numbers)


@pytest.mark.parametrize("row", ROWS[:60], ids=lambda row: row["text"][:30])
def test_no_truncation_takes_an_opt_out_back(row: dict[str, Any]) -> None:
    """But for Global Privacy Control at the very end, which is a segment of its own that may be left out."""
    text = row["text"]
    whole = sections_of(text)
    for end in range(len(text)):
        cut = decode_gpp(text[:end])
        if isinstance(cut, Refusal):
            continue
        assert list(cut) == list(whole), "all sections must be there"
        for section, said in cut.items():
            if isinstance(said, UsChoice):
                assert said[:3] == whole[section][:3] and said.known_child == whole[section].known_child
                assert said.gpc == whole[section].gpc or "." in text[end:]


@given(st.text(max_size=40) | st.from_regex(re.compile(r"DB[A-Za-z0-9_~.-]{0,60}"), fullmatch=True))
def test_nonsense_is_refused_and_nothing_else_happens(text: str) -> None:
    found = decode_gpp(text)
    if not isinstance(found, Refusal):
        assert all(isinstance(said, Refusal | UsChoice | CaChoice | TcString) for said in found.values())


HEADER_7 = gpp({7: ""}).split("~")[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the header is not base64url text"),
        (tcf(), "it does not begin with a header of version 1"),
        (HEADER_7, "the header names more sections than there are"),
        (f"{HEADER_7}~{us_national()}~{us_national()}", "the header names 1 sections, and there are 2"),
        (HEADER_7[:3] + "~x", "the header is cut short"),
        (
            base64url(number(3, 6) + number(1, 6) + number(1, 12) + "0" * 60) + "~x",
            "the header has a section id that is too large",
        ),
    ],
)
def test_the_reason_of_a_refusal(text: str, reason: str) -> None:
    assert decode_gpp(text) == Refusal(reason)


@pytest.mark.parametrize(
    ("section", "text", "reason"),
    [
        (6, "1YNX", "the US Privacy string is not four characters such as 1YNN"),
        (6, "2YNN", "the US Privacy string is not four characters such as 1YNN"),
        (7, us_national()[:-2], "section 7 is cut short"),
        (7, base64url(number(9, 6) + "00" * 40), "section 7 has the unknown version 9"),
        (7, us_national(sale=3), "section 7 has an opt-out that is neither yes nor no"),
        (7, us_national() + "." + base64url("0010"), "section 7 has a segment of type 0"),
        (7, us_national(gpc=0) + ".Y", "section 7 has more than two segments"),
        (28, us_national(), "section 28 is not read here"),
        (5, "DPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAA", "section 5 has the unknown version 3"),
        (5, "BPSG_8APSG_8AAAAAAENAACAAAAAA", "section 5 is cut short"),
        (5, "BPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAA.Y.Y.Y", "section 5 has more than three segments"),
        (5, "BPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAA.%", "section 5 is not base64url text"),
    ],
)
def test_a_section_that_cannot_be_read_is_refused_on_its_own(section: int, text: str, reason: str) -> None:
    given = {6: "1NYN", section: text} if section != 6 else {6: text}
    found = sections_of(gpp(dict(sorted(given.items()))))
    assert found[section] == Refusal(reason)
    if section != 6:
        assert found[6] == UsChoice(sale=True)


def test_what_opts_out() -> None:
    assert not sections_of(gpp({7: us_national(2, 2, 2, gpc=0)}))[7].opted_out
    for text in (
        us_national(1),
        us_national(0, 1),
        us_national(2, 2, 1),
        us_national(gpc=1),
        us_national(child=2),
    ):
        assert sections_of(gpp({7: text}))[7].opted_out
