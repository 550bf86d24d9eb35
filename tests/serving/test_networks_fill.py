"""Network line items: how they fill a slot, what their outcome counts as, and who comes after them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from adserver.measurement.event import Kind
from tests.newsroom import catalog_of, line_item, rows, server

CLIENT, UNIT = "ca-pub-1234567890123456", "9876543210"
NETWORK: dict[str, Any] = {
    "name": "google",
    "tier": "network",
    "trusted": True,
    "price": {"cpm": "2.00"},
    "creative": [
        {"name": "google-728", "kind": "network", "size": "728x90", "client": CLIENT, "unit": UNIT},
    ],
}
CATALOG = catalog_of(
    NETWORK,
    line_item("cheap", "price", "728x90", price={"cpm": "1.00"}, budget="5.00"),
    line_item("own", "house", "728x90"),
    slot=[{"name": "top", "sizes": ["728x90"], "refresh_seconds": 45}],
)
ASK: dict[str, Any] = {"site": "daily", "slots": [{"slot": "top", "sizes": ["728x90"]}]}


def fill(client: TestClient, **more: Any) -> dict[str, Any]:
    (found,) = client.post("/v1/fill", json={**ASK, **more}).json()["fills"]
    answer: dict[str, Any] = found
    return answer


def test_a_network_fills_with_its_unit_at_its_estimate_and_is_never_refreshed(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", CATALOG) as client:
        found = fill(client)
        assert found["creative"] == {"kind": "network", "client": CLIENT, "unit": UNIT}
        assert (found["tier"], found["line_item"]) == ("network", "google")
        assert "refresh_seconds" not in found
        assert fill(client, passback=True)["refresh_seconds"] == 45


def test_a_passback_goes_to_the_next_in_the_chain_and_is_no_new_request(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path, CATALOG) as client:
        first = fill(client)
        second = fill(client, passback=True)
        assert [first["line_item"], second["line_item"]] == ["google", "cheap"]
        events = [
            {"fill": first["fill"], "type": "unfilled"},
            {"fill": second["fill"], "type": "impression"},
        ]
        for _ in range(2):
            assert client.post("/v1/events", json={"events": events}).status_code == 204
    assert rows(path, "SELECT outcome, request_count FROM request_rollup") == [("filled", 1)]
    assert rows(path, "SELECT kind, repeat_count, revenue_micros FROM event ORDER BY fill") == [
        (Kind.UNFILLED, 1, 0),
        (Kind.IMPRESSION, 1, 1000),
    ]
    assert rows(path, "SELECT kind, validity, event_count FROM marked_rollup ORDER BY 1, 2") == [
        (Kind.IMPRESSION, 1, 1),
        (Kind.UNFILLED, 0, 1),
        (Kind.UNFILLED, 1, 1),
    ]


def test_a_passback_that_nobody_can_take_says_so(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", catalog_of(NETWORK)) as client:
        assert fill(client)["line_item"] == "google"
        assert fill(client, passback=True)["reason"] == "no_eligible"


def test_without_consent_no_network_fills(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", CATALOG) as client:
        assert fill(client, consent={"tcf": ""})["line_item"] == "cheap"


def test_trusted_html_is_marked_so(tmp_path: Path) -> None:
    html = {"name": "h", "kind": "html", "size": "728x90", "html": "<b>x</b>"}
    item = {"name": "h", "tier": "house", "creative": [html]}
    for trusted in (True, False):
        with server(tmp_path / f"{trusted}.db", catalog_of({**item, "trusted": trusted})) as client:
            assert fill(client)["creative"].get("trusted", False) is trusted
