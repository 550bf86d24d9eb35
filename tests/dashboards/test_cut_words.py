"""Lines of breakdowns, and frequencies, as people read them."""

from __future__ import annotations

import pytest

from adserver.decision.facts import BROWSERS, DEVICES, MORE, MOST_ORDINAL, THEMES
from adserver.measurement.cuts import BY, CutLine, Frequency, Named
from adserver.measurement.report import Totals
from dashboards import cut_words


def titled(by: str, value: str, named: Named = Named.VALUE) -> str:
    """What a line is called."""
    return cut_words.title_of(CutLine(named, value, Totals()), by)


@pytest.mark.parametrize(
    ("value", "title"),
    [
        ("1", "1st in its browser"),
        ("2", "2nd in its browser"),
        ("3", "3rd in its browser"),
        ("11", "11th in its browser"),
        ("23", "23rd in its browser"),
        (f"{MORE}+", "31st or later"),
    ],
)
def test_which_time_it_was(value: str, title: str) -> None:
    assert titled("frequency", value) == title


def test_every_dimension_and_value_has_a_name() -> None:
    assert set(cut_words.TITLES) == set(BY)
    known = {*DEVICES, *THEMES, *BROWSERS} - {None, "other"}
    assert all(titled("browser", str(value)) != value for value in known)


def test_a_section_is_called_as_its_page_calls_it() -> None:
    assert titled("section", "mobile") == "mobile"
    assert titled("device", "mobile") == "Phone"
    assert titled("section", "", Named.NONE) == "No section given"
    assert titled("country", "", Named.UNKNOWN) == "Not known"
    assert titled("browser", "", Named.OTHER) == "Other"


def test_parts_of_all_that_were_reached_add_up() -> None:
    at_least = tuple(max(0, 100 - 9 * times) for times in range(MOST_ORDINAL))
    frequency = Frequency(at_least, 500, 500, 30, 10)
    parts = [cut_words.seen(frequency, least, most) for _, least, most in cut_words.TIMES]
    assert parts == ["9%", "9%", "9%", "9%", "9%", "45%", "10%"]
    assert (cut_words.mean(frequency.average), cut_words.unknown(frequency)) == ("5.0", "50%")


def test_without_anybody_there_is_nothing_to_say() -> None:
    nobody = Frequency((0,) * MOST_ORDINAL, 0, 0, 0, 0)
    assert {cut_words.seen(nobody, 1, 1), cut_words.mean(None), cut_words.unknown(nobody)} == {"–"}
