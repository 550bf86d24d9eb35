"""Lines of ads.txt that crawlers understand, and others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.catalog.seller import ads_txt_line, record_of


@pytest.mark.parametrize(
    "line",
    [
        "google.com, pub-123, DIRECT, f08c47fec0942fa0",
        "google.com,pub-123,reseller",
        "Rubicon-Project.com, 1234, RESELLER # of the network",
        "a.example, 12!ab, DIRECT; extension=1",
        "# only a comment, DIRECT",
        "contact=ads@news.example",
        "subdomain = sport.news.example # of ours",
        "inventorypartnerdomain=partner.example",
    ],
)
def test_what_is_understood_stays_as_it_is(line: str) -> None:
    assert ads_txt_line(f"  {line}\t") == line


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("   ", "is empty"),
        ("google.com", "is not a record"),
        ("google.com pub-1 DIRECT", "is not a record"),
        ("google, pub-1, DIRECT", "is not the domain"),
        ("https://google.com, pub-1, DIRECT", "is not the domain"),
        ("google.com, , DIRECT", "is not an account id"),
        ("google.com, pub 1, DIRECT", "is not an account id"),
        ("google.com, pub-1, BOTH", "is neither DIRECT nor RESELLER"),
        ("google.com, pub-1, DIRECT, ", "is not the id of a certification authority"),
        ("google.com, pub-1, DIRECT, x, y", "is not a record"),
        ("domain=x.example", "is not one of the variables"),
        ("contact=", "has no value"),
        ("<html><body>404</body></html>", "is not a record"),
        ("google.com, pub-1, DIRECT\r\nSet-Cookie: x", "cannot be printed"),
        ("# " + "x" * 500, "is longer than 500 characters"),
    ],
)
def test_what_is_not_understood_is_said(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ads_txt_line(line)


@given(st.text(max_size=60) | st.text(alphabet="ab.,;#= DIRECT\t\r\n", max_size=60))
def test_any_text_is_one_line_or_refused(text: str) -> None:
    try:
        line = ads_txt_line(text)
    except ValueError:
        return
    assert line == ads_txt_line(line)
    assert len(line.splitlines()) == 1
    record_of(line)


def test_records_are_compared_by_what_they_authorise() -> None:
    assert record_of("Google.com , pub-1,direct, x # y") == ("google.com", "pub-1", "DIRECT")
    assert record_of("# google.com, pub-1, DIRECT") is None
    assert record_of("contact=ads@news.example") is None
