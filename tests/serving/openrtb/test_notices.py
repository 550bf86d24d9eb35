"""What exchanges and the drawn ad report of a bid: billed once, at its own price, whoever tells it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from adserver.decision.facts import (
    BROWSER,
    COUNTRY,
    DAY_SHIFT,
    DEVICE,
    DEVICES,
    FIRST_SECTION,
    SECTION,
    country_of,
    of,
    size_of,
)
from tests.newsroom import NOW, catalog_of, line_item, rows, server
from tests.serving.openrtb.auctions import Json, auction, bids, impression, path_of

BILLED = "SELECT kind, revenue_micros * (validity = 0), validity FROM event ORDER BY kind"
BOT = {"user-agent": "Go-http-client/1.1"}


def token_of(bid: Json) -> str:
    return str(bid["burl"]).rpartition("/")[2]


def test_a_bid_is_billed_once_however_often_its_notice_comes(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        (bid,) = bids(client, auction())
        for query in ("", "?price=999.99", "?price=${AUCTION_PRICE}", "?price=0&cur=EUR"):
            for url in (bid["nurl"], bid["burl"], bid["burl"]):
                answer = client.get(path_of(url) + query)
                assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
                assert answer.headers["cache-control"] == "no-store"
        client.get(f"/v1/events/impression/{token_of(bid)}")
    assert rows(tmp_path / "a.db", BILLED) == [(1, 4500, 0)]
    assert rows(tmp_path / "a.db", "SELECT repeat_count FROM event") == [(8,)]


def test_a_win_alone_bills_nothing(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        (bid,) = bids(client, auction())
        client.get(path_of(bid["nurl"]))
    assert rows(tmp_path / "a.db", BILLED) == []


def test_a_notice_that_a_server_sends_does_not_stand_in_the_way_of_the_readers_browser(
    tmp_path: Path,
) -> None:
    with server(tmp_path / "a.db") as client:
        (bid,) = bids(client, auction())
        client.get(path_of(bid["burl"]), headers=BOT)
        client.get(f"/v1/events/impression/{token_of(bid)}")
        client.get(path_of(bid["burl"]), headers=BOT)
    assert rows(tmp_path / "a.db", BILLED) == [(1, 4500, 0)]


@pytest.mark.parametrize("token", ["x", "A" * 80, "%00", "é" * 80, "..%2f..%2fetc"])
def test_what_we_did_not_sign_counts_nothing(tmp_path: Path, token: str) -> None:
    with server(tmp_path / "a.db") as client:
        for path in ("/openrtb2/win/", "/openrtb2/billed/", "/v1/events/impression/"):
            assert client.get(path + token).status_code in (200, 404)
        assert client.get("/v1/events/click/" + token).status_code == 404
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM event") == [(0,)]


def test_a_look_at_the_address_counts_nothing(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        (bid,) = bids(client, auction())
        assert client.head(path_of(bid["burl"])).status_code == 200
        assert client.post(path_of(bid["burl"])).status_code == 405
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM event") == [(0,)]


def budget_of(count: int) -> Any:
    """A line item whose budget is enough for so many impressions."""
    return catalog_of(line_item("one", "price", "728x90", price={"cpm": "1000.00"}, budget=f"{count}.00"))


def tick(client: TestClient) -> None:
    app: Any = client.app
    assert client.portal
    client.portal.call(app.tick)


def test_lost_bids_hold_what_they_offered_for_as_long_as_the_setting_says(tmp_path: Path) -> None:
    now = [NOW]
    with server(tmp_path / "a.db", budget_of(3), clock=lambda: now[0], bid_seconds=60) as client:
        assert [len(bids(client, auction())) for _ in range(5)] == [1, 1, 1, 0, 0]
        now[0] += timedelta(seconds=61)
        tick(client)
        assert bids(client, auction()) == [], "bids of this minute still stand"
        now[0] += timedelta(seconds=60)
        tick(client)
        assert [len(bids(client, auction())) for _ in range(5)] == [1, 1, 1, 0, 0]


def test_no_budget_is_exceeded_by_bids_that_are_drawn_late(tmp_path: Path) -> None:
    now = [NOW]
    with server(tmp_path / "a.db", budget_of(2), clock=lambda: now[0]) as client:
        made = [bid for _ in range(2) for bid in bids(client, auction())]
        now[0] += timedelta(seconds=121)
        tick(client)
        made += [bid for _ in range(9) for bid in bids(client, auction())]
        assert len(made) == 4
        for bid in made:
            client.get(path_of(bid["burl"]))
        assert bids(client, auction()) == []
    earned = "sum(revenue_micros * (validity = 0))"
    query = f"SELECT validity, count(*), {earned} FROM event GROUP BY validity ORDER BY validity"  # noqa: S608
    assert rows(tmp_path / "a.db", query) == [(0, 2, 2_000_000), (4, 2, 0)]


def test_a_won_bid_frees_its_own_reservation(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", budget_of(10)) as client:
        for _ in range(10):
            (bid,) = bids(client, auction())
            client.get(path_of(bid["burl"]))
        assert bids(client, auction(imp=[impression("top")])) == []
    assert rows(tmp_path / "a.db", "SELECT sum(revenue_micros) FROM rollup") == [(10_000_000,)]


def test_what_is_won_is_cut_in_reports_as_what_pages_show(tmp_path: Path) -> None:
    """By the reader's country, device and browser that a request tells, section, and the site's own day."""
    site = {**auction()["site"], "ext": {"data": {"section": "world"}}}
    device = {**auction()["device"], "geo": {"country": "NPL"}}
    evening = NOW.replace(hour=20)
    with server(tmp_path / "a.db", clock=lambda: evening) as client:
        (bid,) = bids(client, auction(site=site, device=device))
        client.get(path_of(bid["burl"]))
    ((facts, size),) = rows(tmp_path / "a.db", "SELECT facts, size FROM event")
    known = (country_of(of(COUNTRY, facts)), DEVICES[of(DEVICE, facts)], size_of(size))
    assert known == ("NP", "desktop", "728x90")
    assert of(SECTION, facts) >= FIRST_SECTION and of(BROWSER, facts)
    assert of(DAY_SHIFT, facts) == 1, "in Kathmandu the next day has begun"
