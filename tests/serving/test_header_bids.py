"""Header bids that a page hands over → the slots that they win, and how reports count these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tests.newsroom import PAID, server

LOCAL = {"host": "127.0.0.1"}


def top_of(client: TestClient, *bids: dict[str, str]) -> dict[str, Any]:
    """How the slot `top`, for which a line item pays 4.50, is filled."""
    ask = {"site": "daily", "slots": [{"slot": "top"}], "bids": list(bids)}
    (fill,) = client.post("/v1/fill", json=ask).json()["fills"]
    return dict(fill)


def bid(cpm: str, **keys: str) -> dict[str, str]:
    return {"slot": "top", "bid": "hb-1", "cpm": cpm, "size": "728x90", **keys}


def test_the_dearer_one_of_bid_and_line_item_gets_the_slot(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        won = {"slot": "top", "bid": "hb-1", "cpm": "4.500001", "size": "728x90", "label": "Advertisement"}
        assert top_of(client, bid("4.500001")) == won
        assert top_of(client, bid("4.499999"))["line_item"] == "paid"


def test_a_bid_in_another_currency_than_the_sites_is_none(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        assert top_of(client, bid("600.00", currency="NPR"))["line_item"] == "paid"
        assert top_of(client, bid("600.00", currency="USD"))["bid"] == "hb-1"


def test_a_header_bid_is_a_fill_of_its_own_in_reports_and_not_an_empty_slot(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        for cpm in ("9.00", "8.00", "1.00"):
            top_of(client, bid(cpm))
        client.post("/v1/fill", json={"site": "daily", "slots": [{"slot": "top", "sizes": ["970x250"]}]})
    with server(tmp_path / "a.db", PAID) as client:
        report = client.get("/reports/slots.json", headers=LOCAL).json()
        page = client.get("/reports/", headers=LOCAL).text
    total = report["total"]
    assert (total["request_count"], total["fill_count"], total["header_bid_count"]) == (4, 3, 2)
    assert total["fill_rate"] == 0.75
    assert report["unfilled"] == [{"reason": "no_eligible", "request_count": 1}]
    assert page.count('<th scope="col">Header bids</th>') == 2
    assert "the page’s own header bidding" in page


def test_reports_without_header_bids_have_no_column_for_them(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        top_of(client)
    with server(tmp_path / "a.db", PAID) as client:
        page = client.get("/reports/", headers=LOCAL).text
    assert "Fill rate" in page
    assert "Header bids" not in page
