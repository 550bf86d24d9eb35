"""Who may sell a site's space: ads.txt, sellers.json and the supply chain, as others read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adserver.catalog.model import Catalog
from tests.newsroom import catalog_of, server

SELLER = {"name": "The Terai Ledger", "domain": "ledger.example"}
LINES = ["google.com, pub-1, DIRECT, f08c47fec0942fa0", "# partners", "OWNERDOMAIN=ledger.example"]


def two_sites(**second: Any) -> Catalog:
    """`daily` at news.example with a seller, and `weekly` at weekly.example."""
    first = catalog_of(seller={**SELLER, "id": "ledger-1"}, ads_txt=LINES).site[0]
    other = catalog_of(name="weekly", domain="weekly.example", **second).site[0]
    return Catalog(site=(first, other))


def test_ads_txt_is_what_the_catalog_says_and_the_record_of_this_server(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", two_sites(), public_url="https://ads.example") as client:
        answer = client.get("/ads.txt?site=daily")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.text == "\n".join([*LINES, "ads.example, ledger-1, DIRECT"]) + "\n"
        by_host = client.get("/ads.txt", headers={"host": "www.news.example:8080"})
        assert by_host.text == answer.text


def test_a_record_of_this_server_that_is_there_is_not_added_again(tmp_path: Path) -> None:
    own = "Ads.Example , daily,direct #us"
    with server(
        tmp_path / "a.db", catalog_of(seller=SELLER, ads_txt=[own]), public_url="https://ads.example"
    ) as client:
        assert client.get("/ads.txt").text == f"{own}\n"


@pytest.mark.parametrize("url", ["/ads.txt", "/ads.txt?site=nowhere", "/ads.txt?site=weekly"])
def test_where_nothing_is_said_there_is_no_file(tmp_path: Path, url: str) -> None:
    """An empty one would say that nobody may sell."""
    with server(tmp_path / "a.db", two_sites()) as client:
        assert client.get(url).status_code == 404


def test_sellers_json_has_every_seller_once(tmp_path: Path) -> None:
    catalog = two_sites(seller={**SELLER, "id": "ledger-1"})
    hidden = catalog_of(name="quiet", domain="quiet.example", seller={"confidential": True}).site[0]
    catalog = catalog.model_copy(update={"site": (*catalog.site, hidden)})
    with server(tmp_path / "a.db", catalog, contact_email="ads@ledger.example") as client:
        assert client.get("/sellers.json").json() == {
            "contact_email": "ads@ledger.example",
            "version": "1.0",
            "sellers": [
                {"seller_id": "ledger-1", "seller_type": "PUBLISHER", **SELLER},
                {"seller_id": "quiet", "seller_type": "PUBLISHER", "is_confidential": 1},
            ],
        }
    with server(tmp_path / "b.db", catalog_of()) as client:
        assert client.get("/sellers.json").json() == {"version": "1.0", "sellers": []}


def test_the_supply_chain_begins_with_the_seller(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", two_sites(), public_url="https://ads.example") as client:
        answer = client.get("/schain.json?site=daily")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.json() == {
            "ver": "1.0",
            "complete": 1,
            "nodes": [{"asi": "ads.example", "sid": "ledger-1", "hp": 1, **SELLER}],
        }
        assert client.get("/schain.json?site=weekly").status_code == 404
        assert client.get("/schain.json").status_code == 404
