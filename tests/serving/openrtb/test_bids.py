"""What is bid, at which price, by whom and on which slot; and when there is no bid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from adserver.clock import system_clock
from tests.newsroom import PAID, catalog_of, image, line_item, rows, server
from tests.serving.openrtb.auctions import Json, auction, bids, impression

CPM = {"price": {"cpm": "4.50"}}


def won(client: TestClient, body: Json) -> list[str]:
    """Names of the creatives that are bid."""
    return [bid["crid"] for bid in bids(client, body)]


def test_a_bid_has_all_that_an_exchange_needs(tmp_path: Path) -> None:
    item = line_item("paid", "price", "728x90", categories=["IAB13-4"], **CPM)
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        answer = client.post("/openrtb2/auction", content=json.dumps(auction()))
    assert answer.status_code == 200
    assert answer.headers["x-openrtb-version"] == "2.6"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["id"], body["cur"]) == ("auction-1", "USD")
    (seat,) = body["seatbid"]
    (bid,) = seat["bid"]
    assert seat["seat"] == "adserver"
    adm, token = bid.pop("adm"), bid["burl"].rpartition("/")[2]
    assert bid.pop("id")
    assert bid == {
        "impid": "imp-top",
        "price": 4.5,
        "adomain": ["advertiser.example"],
        "cid": "autumn",
        "crid": "paid-728x90",
        "w": 728,
        "h": 90,
        "mtype": 1,
        "exp": 60,
        "cat": ["IAB13-4"],
        "ext": {"prebid": {"type": "banner"}},
        "nurl": f"http://testserver/openrtb2/win/{token}",
        "burl": f"http://testserver/openrtb2/billed/{token}",
    }
    assert f'href="http://testserver/v1/click/{token}"' in adm
    assert f'src="http://testserver/v1/events/impression/{token}"' in adm
    assert 'src="https://cdn.example/paid-728x90.png"' in adm


def test_the_address_in_what_is_bid_is_the_public_one(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", public_url="https://ads.example") as client:
        (bid,) = bids(client, auction(), host='evil.example"><script>')
        assert bid["burl"].startswith("https://ads.example/openrtb2/billed/")
        assert "evil" not in json.dumps(bid)
    with server(tmp_path / "b.db") as client:
        (bid,) = bids(client, auction(), host='evil.example"><script>')
        assert bid["burl"].startswith("http://testserver:80/")
        assert "evil" not in json.dumps(bid)


def test_the_price_is_what_the_line_item_pays_and_not_what_it_takes_to_win(tmp_path: Path) -> None:
    """A booking that is far behind its goal bids much here; it pays its price all the same."""
    now = system_clock()
    flight = {"start": now.replace(year=now.year - 1), "end": now.replace(year=now.year + 1)}
    booked = line_item(
        "booked", "guaranteed", "728x90", price={"cpm": "2.5"}, goal={"impressions": 10**9}, **flight
    )
    with server(
        tmp_path / "a.db", catalog_of(booked, line_item("low", "price", "728x90", price={"cpm": "0.01"}))
    ) as client:
        assert {(bid["crid"], bid["price"]) for bid in bids(client, auction())} == {("booked-728x90", 2.5)}


def test_who_is_paid_by_clicks_bids_what_an_impression_is_expected_to_bring(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", PAID, expected_ctr=0.1) as client:
        (bid,) = bids(client, auction("side"))
        assert (bid["crid"], bid["price"]) == ("per-click-300x250", 25.0)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (line_item("x", "house", "728x90"), "a house ad has no price"),
        (line_item("x", "network", "728x90", **CPM), "a network's ads are for the publisher's own pages"),
        (line_item("x", "sponsorship", "728x90", share=1.0, **CPM), "a turn is lost with the auction"),
        (line_item("x", "price", "728x90", price={"flat": "9"}), "a day is not sold by the impression"),
        (
            line_item("x", "price", "728x90", caps=[{"impressions": 1, "per": "1d"}], **CPM),
            "there is no tally",
        ),
        (line_item("x", "price", "728x90", "300x250", together=True, **CPM), "not all of its slots are sure"),
        (line_item("x", "price", "728x90", paused=True, **CPM), "it is paused"),
        (line_item("x", "price", "728x90", target={"country": ["NP"]}, **CPM), "the country is not known"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_does_not_bid(tmp_path: Path, item: dict[str, object], why: str) -> None:
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        assert bids(client, auction()) == [], why


TOP = impression("top")


@pytest.mark.parametrize(
    ("keys", "made"),
    [
        ({"imp": [{**TOP, "bidfloor": 4.5}]}, True),
        ({"imp": [{**TOP, "bidfloor": 4.5000001}]}, False),
        ({"imp": [{**TOP, "bidfloor": 1e300}]}, False),
        ({"imp": [{**TOP, "bidfloor": 0.01, "bidfloorcur": "EUR"}]}, False),
        ({"imp": [{**TOP, "bidfloor": 0, "bidfloorcur": "EUR"}]}, True),
        ({"cur": ["EUR", "USD"]}, True),
        ({"cur": ["EUR"]}, False),
        ({"badv": ["other.example"]}, True),
        ({"badv": ["ADVERTISER.example"]}, False),
        ({"badv": ["dvertiser.example"]}, True),
        ({"bcat": ["IAB14"]}, True),
        ({"bcat": ["IAB13"]}, False),
        ({"bcat": ["IAB13-4"]}, False),
        ({"bcat": ["IAB13-5"]}, True),
        ({"imp": [{**TOP, "banner": {"w": 728, "h": 90, "battr": [1, 3]}}]}, True),
        ({"imp": [{**TOP, "banner": {"w": 728, "h": 90, "battr": [6]}}]}, False),
        ({"imp": [{**TOP, "banner": {"w": 728, "h": 91}}]}, False),
        ({"imp": [{**TOP, "banner": {"format": [{"wratio": 8, "hratio": 1, "wmin": 300}]}}]}, False),
        ({"imp": [{**TOP, "pmp": {"private_auction": 1, "deals": [{"id": "d"}]}}]}, False),
        ({"imp": [{"id": "1", "tagid": "top", "video": {"mimes": ["video/mp4"]}}]}, False),
        ({"wseat": ["adserver"]}, True),
        ({"wseat": ["somebody"]}, False),
        ({"bseat": ["adserver"]}, False),
        ({"device": {"ua": "Googlebot/2.1 (+http://www.google.com/bot.html)"}}, False),
        ({"imp": [{**TOP, "tagid": "nowhere"}]}, False),
        ({"site": {"domain": "other.example"}}, False),
    ],
)
def test_what_an_exchange_asks_for(tmp_path: Path, keys: Json, made: bool) -> None:
    creative = image("one", "728x90", click="https://www.advertiser.example/x", attributes=[6])
    item: dict[str, object] = {
        "name": "one",
        "tier": "price",
        "creative": [creative],
        "categories": ["IAB13-4"],
        **CPM,
    }
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        assert won(client, auction(**keys)) == (["one"] if made else [])


def test_the_domain_of_an_advertiser_goes_before_that_of_its_clicks(tmp_path: Path) -> None:
    catalog = catalog_of(line_item("one", "price", "728x90", **CPM))
    (bank,) = catalog.advertiser
    named = catalog.model_copy(
        update={"advertiser": (bank.model_copy(update={"domain": "shop.bank.example"}),)}
    )
    with server(tmp_path / "a.db", named) as client:
        assert [bid["adomain"] for bid in bids(client, auction())] == [["shop.bank.example"]]
        assert bids(client, auction(badv=["bank.example"])) == []
        assert bids(client, auction(badv=["advertiser.example"])) != []


@pytest.mark.parametrize(
    "site",
    [
        {"domain": "news.example"},
        {"domain": "www.News.Example"},
        {"domain": "https://news.example:8080/"},
        {"page": "https://www.news.example/2026?x=y#z"},
        {"publisher": {"domain": "news.example"}},
        {"publisher": {"id": "daily"}},
        {"id": "daily", "domain": "elsewhere.example"},
    ],
)
def test_a_site_is_found_by_its_domain_or_name(tmp_path: Path, site: Json) -> None:
    with server(tmp_path / "a.db") as client:
        assert won(client, auction(site=site)) == ["paid-728x90"]


@pytest.mark.parametrize(
    ("imp", "seat"),
    [
        ({"id": "1", "tagid": "top"}, "adserver"),
        ({"id": "1", "tagid": "daily/top"}, "adserver"),
        ({"id": "top"}, "adserver"),
        ({"id": "1", "ext": {"gpid": "/1111/home/top#div-1"}}, "adserver"),
        ({"id": "1", "ext": {"bidder": {"slot": "top", "site": "daily"}}}, "adserver"),
        ({"id": "1", "ext": {"bidder": {"placementId": "top"}}}, "adserver"),
        ({"id": "1", "tagid": "x", "ext": {"prebid": {"bidder": {"ours": {"slot": "top"}}}}}, "ours"),
    ],
)
def test_a_slot_is_found_by_whatever_an_ad_unit_is_called(tmp_path: Path, imp: Json, seat: str) -> None:
    body = auction(imp=[{"banner": {"w": 728, "h": 90}, **imp}])
    with server(tmp_path / "a.db") as client:
        answer = client.post("/openrtb2/auction", content=json.dumps(body))
        assert [one["seat"] for one in answer.json()["seatbid"]] == [seat]


def test_a_tag_id_or_parameter_names_the_site_too(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        elsewhere = {"domain": "elsewhere.example"}
        assert won(client, auction(site=elsewhere, imp=[{**TOP, "tagid": "daily/top"}])) == ["paid-728x90"]
        ext = {"prebid": {"bidder": {"ours": {"site": "daily", "slot": "top"}}}}
        assert won(client, auction(site=elsewhere, imp=[{**TOP, "ext": ext}])) == ["paid-728x90"]


def test_the_pages_facts_are_those_that_its_first_party_data_give(tmp_path: Path) -> None:
    target = {
        "section": ["world"],
        "topic": ["economy"],
        "values": {"author": ["x"]},
        "url": ["news.example/2026/*"],
    }
    where = {"country": ["NP"], "device": ["mobile"]}
    item = line_item("one", "price", "728x90", target=target | where, **CPM)
    site = auction()["site"]
    facts = {"section": "world", "author": ["x", "y"], "topics": ["budget"]}
    device = {"ua": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)", "geo": {"country": "NPL"}}
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        body = auction(site={**site, "keywords": "economy, food", "ext": {"data": facts}}, device=device)
        assert won(client, body) == ["one-728x90"]
        assert won(client, {**body, "device": {**device, "geo": {"country": "IND"}}}) == []
        assert won(client, {**body, "site": {**site, "ext": {"data": facts}}}) == []


def test_line_items_that_keep_apart_do_not_bid_in_one_auction(tmp_path: Path) -> None:
    items = [
        line_item(name, "price", "728x90", "300x250", price={"cpm": cpm}, labels=["bank"])
        for name, cpm in (("one", "3"), ("two", "2"))
    ]
    with server(tmp_path / "a.db", catalog_of(*items)) as client:
        assert won(client, auction("top", "side")) in (["one-728x90"], ["one-300x250"])


def test_a_test_is_answered_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        (bid,) = bids(client, auction(test=1))
        assert (bid["price"], "burl" in bid, "nurl" in bid) == (4.5, False, False)
        assert "/v1/" not in bid["adm"] and 'href="https://advertiser.example/paid-728x90"' in bid["adm"]
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM request_rollup") == [(0,)]


def test_auctions_have_counts_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path) as client:
        bids(client, auction())
        bids(client, auction("top", "side"))
        bids(client, auction(imp=[{**TOP, "bidfloor": 9}]))
        bids(client, auction(device={"ua": "curl/8"}))
    query = "SELECT outcome, sum(request_count) FROM request_rollup GROUP BY outcome ORDER BY outcome"
    assert rows(path, query) == [("auction.bid", 3), ("auction.no_eligible", 1), ("invalid.bot", 1)]
    with server(path, PAID) as client:
        report = client.get("/reports/slots.json", headers={"host": "127.0.0.1"}).json()
        page = client.get("/reports/", headers={"host": "127.0.0.1"}).text
    total = report["total"]
    assert [total[key] for key in ("request_count", "fill_count", "auction_count", "bid_count")] == [
        0,
        0,
        4,
        3,
    ]
    assert report["unfilled"] == []
    assert "asked for these slots 4 times and got 3 bids" in page


def test_prebid_may_send_it_with_credentials_from_any_page(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        headers = {"origin": "https://news.example", "content-type": "text/plain"}
        for body in (auction(), auction("nowhere"), {}):
            answer = client.post("/openrtb2/auction", content=json.dumps(body), headers=headers)
            assert answer.headers["access-control-allow-origin"] == "https://news.example"
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert answer.headers["vary"] == "origin"
        assert client.options("/openrtb2/auction", headers=headers).status_code == 204
        assert client.get("/openrtb2/auction").status_code == 405
        assert "access-control-allow-origin" not in client.post("/openrtb2/auction", content="{").headers


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", max_auction_bytes=2000) as client:
        answer = client.post("/openrtb2/auction", content=json.dumps(auction(badv=["x.example"] * 1000)))
        assert (answer.status_code, answer.text) == (413, "The body is longer than 2000 bytes.")


def test_only_as_many_slots_are_looked_at_as_a_page_may_have(tmp_path: Path) -> None:
    imps = [{**impression("top"), "id": str(n)} for n in range(30)]
    item = line_item("one", "price", "728x90", repeat=True, **CPM)
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        assert len(bids(client, auction(imp=imps))) == 20


def test_a_fault_of_ours_is_no_bid(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        edge: Any = client.app
        edge._edge.parts.steering.decider = None  # the fault: any exception while deciding
        assert bids(client, auction()) == []
        assert "adserver_errors_total 1.0" in client.get("/metrics").text
