"""Who is behind an ad: told with every fill and bid, by the nearest that says so, in the words of a site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from adserver.catalog.model import Catalog
from tests.newsroom import catalog_of, line_item, server
from tests.serving.openrtb.auctions import Json, auction, bids

BANK = {"sponsor": "Himal Bank", "payer": "Himal Holding"}
PARTY = {
    "sponsor": "Green List",
    "political": True,
    "controller": "Green Foundation",
    "vote": "European Parliament 2029",
    "notice": "https://party.example/notice?a=1&b=2",
}
CPM = {"price": {"cpm": "4.50"}}


def catalog(item: Any = None, campaign: Any = None, advertiser: Any = None, **site: Any) -> Catalog:
    """One line item, and what it, its campaign and its advertiser say of who is behind it."""
    tables = catalog_of(**site).model_dump(mode="json", exclude_defaults=True)
    items = [line_item("one", "price", "728x90", disclosure=item, **CPM)]
    campaigns = [{"name": "autumn", "disclosure": campaign, "line_item": items}]
    buyers = [{"name": "bank", "disclosure": advertiser, "campaign": campaigns}]
    return Catalog.model_validate({**tables, "advertiser": buyers})


def top_of(client: TestClient) -> Json:
    (fill,) = client.post("/v1/fill", json={"site": "daily", "slots": [{"slot": "top"}]}).json()["fills"]
    return dict(fill)


@pytest.mark.parametrize(
    ("said", "sponsor"),
    [
        ({"item": {"sponsor": "i"}, "campaign": {"sponsor": "c"}, "advertiser": {"sponsor": "a"}}, "i"),
        ({"campaign": {"sponsor": "c"}, "advertiser": BANK}, "c"),
        ({"advertiser": {"sponsor": "a"}}, "a"),
    ],
)
def test_the_nearest_is_told_and_whole(tmp_path: Path, said: Json, sponsor: str) -> None:
    with server(tmp_path / "a.db", catalog(**said)) as client:
        assert top_of(client)["disclosure"] == [["On behalf of", sponsor]]


def test_where_nothing_is_said_nothing_is_told(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", catalog()) as client:
        fill = top_of(client)
        assert "disclosure" not in fill
        assert fill["label"] == "Advertisement"
        assert "dsa" not in bids(client, auction())[0]["ext"]


def test_all_that_a_political_advertisement_must_say(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", catalog(item=PARTY)) as client:
        fill = top_of(client)
    assert fill["label"] == "Political advertisement"
    assert fill["disclosure"] == [
        ["On behalf of", "Green List"],
        ["Controlled by", "Green Foundation"],
        ["In connection with", "European Parliament 2029"],
        ["Transparency notice", "party.example", "https://party.example/notice?a=1&b=2"],
    ]


def test_it_is_told_in_the_words_of_the_site(tmp_path: Path) -> None:
    words = {"sponsor": "Im Auftrag von", "payer": "Bezahlt von", "political": "Politische Anzeige"}
    with server(tmp_path / "a.db", catalog(advertiser=BANK, disclosure_words=words)) as client:
        assert top_of(client)["disclosure"] == [
            ["Im Auftrag von", "Himal Bank"],
            ["Bezahlt von", "Himal Holding"],
        ]


def test_auctions_are_told_as_the_digital_services_act_asks(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", catalog(item=PARTY), public_url="https://ads.example") as client:
        (bid,) = bids(client, auction(regs={"ext": {"dsa": {"dsarequired": 3, "pubrender": 0}}}))
        assert bid["ext"]["dsa"] == {
            "behalf": "Green List",
            "paid": "Green List",
            "transparency": [{"domain": "ads.example", "dsaparams": [2]}],
            "adrender": 1,
        }
        assert "Political advertisement" in bid["adm"]
        assert "On behalf of: <b>Green List</b>" in bid["adm"]
        assert 'href="https://party.example/notice?a=1&amp;b=2"' in bid["adm"]


@pytest.mark.parametrize(("required", "made"), [(0, 1), (1, 1), (2, 0), (3, 0)])
@pytest.mark.parametrize("place", ["regs", "ext"])
def test_where_it_is_required_who_says_nothing_does_not_bid(
    tmp_path: Path, required: int, made: int, place: str
) -> None:
    dsa = {"dsa": {"dsarequired": required}}
    with server(tmp_path / "a.db", catalog()) as client:
        assert len(bids(client, auction(regs=dsa if place == "regs" else {"ext": dsa}))) == made


def test_what_is_said_is_kept_with_the_catalog(tmp_path: Path) -> None:
    whole = catalog(item=PARTY, campaign=BANK, advertiser=BANK, disclosure_words={"payer": "Bezahlt von"})
    with server(tmp_path / "a.db", whole):
        pass
    with server(tmp_path / "a.db", None) as client:
        assert json.dumps(top_of(client)["disclosure"][0]) == '["On behalf of", "Green List"]'
