"""A page's JSON in, a typed request out: odd values are left out, wrong types are one sentence."""

from __future__ import annotations

import json

import pytest

from adserver.decision.context import HeaderBid
from adserver.serving.wire import (
    MAX_TALLY_CHARS,
    MAX_URL_CHARS,
    Consent,
    FillRequest,
    Unreadable,
    bids_of,
    read_fill,
)
from adserver.settings import Settings

SETTINGS = Settings()


def read(**keys: object) -> FillRequest:
    """What a body with these keys is read as."""
    return read_fill(json.dumps({"site": "daily", "slots": [], **keys}).encode(), SETTINGS)


def bid(**keys: object) -> dict[str, object]:
    """A header bid as a page sends it."""
    return {"slot": "top", "bid": "hb-1", "cpm": "2.10", "size": "728x90", **keys}


def test_what_a_page_leaves_out() -> None:
    request = read()
    assert (request.tally, request.theme, request.consent, bids_of(request, SETTINGS, "USD")) == (
        None,
        None,
        None,
        [],
    )


def test_all_of_the_contract() -> None:
    consent = {"tcf": "CPX", "gpp": "DBAA", "gpc": False}
    request = read(
        page={"url": "https://news.example/x"}, tally="abc", theme="dark", consent=consent, bids=[bid()]
    )
    assert (request.page.url, request.tally, request.theme) == ("https://news.example/x", "abc", "dark")
    assert request.consent == Consent("CPX", "DBAA", gpc=False)
    assert bids_of(request, SETTINGS, "USD") == [HeaderBid("top", "hb-1", 2_100_000, "728x90")]
    assert read(consent={"gpc": True}).consent == Consent(gpc=True)


@pytest.mark.parametrize(
    ("theme", "read_as"), [("light", "light"), ("dark", "dark"), ("sepia", None), ("", None)]
)
def test_themes(theme: str, read_as: str | None) -> None:
    assert read(theme=theme).theme == read_as


def test_what_is_too_long_is_as_if_it_were_not_there() -> None:
    assert read(tally="a" * MAX_TALLY_CHARS).tally == "a" * MAX_TALLY_CHARS
    assert read(tally="a" * (MAX_TALLY_CHARS + 1)).tally == ""
    assert len(read(page={"url": "u" * MAX_URL_CHARS}).page.url) == MAX_URL_CHARS
    assert read(page={"url": "u" * (MAX_URL_CHARS + 1)}).page.url == ""


@pytest.mark.parametrize(
    "cpm",
    [
        "",
        "0",
        "0.00",
        "-1",
        "NaN",
        "inf",
        "Infinity",
        "1e3",
        "2,10",
        "$2",
        "٢",
        " 1",
        "1_0",
        "1.2345678",
        "1000001",
        "9" * 50,
    ],
)
def test_a_bid_whose_price_cannot_be_believed_is_none(cpm: str) -> None:
    request = read(bids=[bid(cpm=cpm), bid(bid="good")])
    assert [one.bid for one in bids_of(request, SETTINGS, "USD")] == ["good"]


@pytest.mark.parametrize("key", ["slot", "bid", "size"])
def test_a_bid_with_an_endless_name_is_none(key: str) -> None:
    assert bids_of(read(bids=[bid(**{key: "b" * 201})]), SETTINGS, "USD") == []


def test_only_so_many_bids_are_looked_at() -> None:
    request = read(bids=[bid(bid=str(count)) for count in range(100)])
    assert [one.bid for one in bids_of(request, SETTINGS, "USD")] == [str(count) for count in range(20)]


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"tally": 1}, "$.tally"),
        ({"theme": ["dark"]}, "$.theme"),
        ({"consent": "no"}, "$.consent"),
        ({"consent": {"gpc": "yes"}}, "$.consent.gpc"),
        ({"consent": {"tcf": 1}}, "$.consent.tcf"),
        ({"bids": {}}, "$.bids"),
        ({"bids": [bid(cpm=2.1)]}, "$.bids[0].cpm"),
        ({"bids": [{"slot": "top"}]}, "$.bids[0]"),
        ({"page": {"url": 1}}, "$.page.url"),
    ],
)
def test_wrong_types_are_one_sentence(keys: dict[str, object], place: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(**keys)
    sentence = str(caught.value)
    assert sentence.startswith("The body cannot be read: ") and sentence.endswith(".") and place in sentence
