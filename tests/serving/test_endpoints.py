"""The pages' door: fill, events, click and the quiet routes, over the real application."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.newsroom import NOW, PAID, apply_catalog, catalog_of, image, line_item, rows, server

ASK = {"site": "daily", "slots": [{"slot": "top"}, {"slot": "side"}]}


def fill(client: TestClient, ask: dict[str, Any] = ASK) -> list[dict[str, Any]]:
    """The answer's fills."""
    answer = client.post("/v1/fill", content=json.dumps(ask), headers={"content-type": "text/plain"})
    assert answer.status_code == 200
    fills: list[dict[str, Any]] = answer.json()["fills"]
    return fills


def report(client: TestClient, *events: tuple[str, str]) -> int:
    """Send a beacon; the status of its answer."""
    body = {"events": [{"fill": token, "type": kind} for token, kind in events]}
    return client.post("/v1/events", content=json.dumps(body)).status_code


def test_a_page_is_filled_as_the_contract_says(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        answer = client.post("/v1/fill", json=ASK)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert set(body) == {"request", "catalog", "tally", "network", "fills"}
        assert body["catalog"] == 1
        top, side = body["fills"]
        assert top["slot"] == "top"
        assert (top["tier"], top["line_item"], top["size"]) == ("price", "paid", "728x90")
        assert top["label"] == "Advertisement"
        assert top["creative"] == {
            "kind": "image",
            "image": "https://cdn.example/paid-728x90.png",
            "alt": "paid-728x90",
            "click": f"/v1/click/{top['fill']}",
        }
        assert side["line_item"] == "per-click"


def test_an_html_creative_without_a_click_url_has_no_click_path(tmp_path: Path) -> None:
    html = '<b title="quote">bold</b></script>'
    creatives = [
        {"name": "plain", "kind": "html", "size": "300x250", "html": html},
    ]
    with server(
        tmp_path / "a.db", catalog_of({"name": "h", "tier": "house", "creative": creatives})
    ) as client:
        _, side = fill(client)
        assert side["creative"] == {"kind": "html", "html": html}
        assert client.get(f"/v1/click/{side['fill']}").status_code == 404


@pytest.mark.parametrize(
    ("ask", "reasons"),
    [
        ({"site": "nowhere", "slots": [{"slot": "top"}]}, ["unknown_site"]),
        ({"site": "daily", "slots": [{"slot": "nope"}]}, ["unknown_slot"]),
        ({"site": "daily", "slots": [{"slot": "top", "sizes": ["1x1"]}]}, ["no_size"]),
        ({"site": "daily", "slots": [{"slot": "top", "sizes": []}]}, ["no_size"]),
        ({"site": "daily", "slots": [{"slot": "top", "width": 320}]}, ["no_size"]),
        ({"site": "daily", "slots": [{"slot": "top", "sizes": ["970x250"]}]}, ["no_eligible"]),
        ({"site": "daily", "slots": [{"slot": "top"}, {"slot": "top"}]}, [None, "repeated"]),
        ({"site": "daily", "slots": []}, []),
    ],
)
def test_an_empty_slot_says_why(tmp_path: Path, ask: dict[str, Any], reasons: list[str | None]) -> None:
    with server(tmp_path / "a.db") as client:
        assert [entry.get("reason") for entry in fill(client, ask)] == reasons


def test_more_slots_than_the_setting_allows_are_answered_and_not_decided(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", max_slots_per_page=2) as client:
        answers = fill(client, {"site": "daily", "slots": [{"slot": "side"}] * 4})
        assert [entry.get("reason") for entry in answers] == [None, None, "too_many_slots", "too_many_slots"]


def test_a_fault_of_ours_leaves_the_slots_empty_and_the_page_whole(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        edge: Any = client.app
        edge._edge.parts.steering.decider = None  # the fault: any exception while deciding
        assert [entry["reason"] for entry in fill(client)] == ["error", "error"]
        assert "adserver_errors_total 1.0" in client.get("/metrics").text
        for kept in ("abc", "", None):
            answer = client.post("/v1/fill", json={**ASK, "tally": kept}).json()
            assert (answer["tally"], answer["network"]) == (kept, "none"), "no cap is forgotten by it"


def test_an_event_counts_once_however_often_it_is_sent(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        top, _ = fill(client)
        for _ in range(50):
            assert report(client, (top["fill"], "impression"), (top["fill"], "viewable")) == 204
    query = "SELECT impression_count, viewable_count, revenue_micros FROM rollup"
    assert rows(tmp_path / "a.db", query) == [(1, 1, 4500)]
    query = "SELECT kind, repeat_count FROM event ORDER BY kind"
    assert rows(tmp_path / "a.db", query) == [(1, 49), (3, 49)]


def test_what_was_answered_204_is_in_the_file_before_the_answer(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        for n in range(5):
            top, _ = fill(client)
            assert report(client, (top["fill"], "impression")) == 204
            assert rows(tmp_path / "a.db", "SELECT count(*) FROM event") == [(n + 1,)]


def test_a_forged_token_is_not_counted_and_does_not_spoil_the_others(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        top, side = fill(client)
        forged = top["fill"][:-1] + ("A" if top["fill"][-1] != "A" else "B")
        assert report(client, (forged, "impression"), ("", "impression"), (side["fill"], "impression")) == 204
    assert rows(tmp_path / "a.db", "SELECT count(*), sum(repeat_count) FROM event") == [(1, 0)]


def test_a_click_lands_on_the_stored_url_and_is_recorded(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", min_click_delay_ms=0) as client:
        _, side = fill(client)
        report(client, (side["fill"], "impression"))
        for query in ("", "?url=https://evil.example/", "?next=//evil.example"):
            answer = client.get(side["creative"]["click"] + query)
            assert answer.status_code == 302
            assert answer.headers["location"] == "https://advertiser.example/per-click-300x250"
        assert client.head(side["creative"]["click"]).status_code == 302
    assert rows(tmp_path / "a.db", "SELECT kind, revenue_micros, repeat_count FROM event") == [
        (1, 0, 0),
        (4, 250_000, 3),
    ]


@pytest.mark.parametrize(
    "token",
    ["", "x", "A" * 64, "https://evil.example/", "%2f%2fevil.example", "..%2f..%2fetc", "%00", "é" * 64],
)
def test_a_click_that_we_did_not_sign_goes_nowhere(tmp_path: Path, token: str) -> None:
    with server(tmp_path / "a.db") as client:
        answer = client.get(f"/v1/click/{token}")
        assert answer.status_code == 404
        assert "location" not in answer.headers


def test_a_click_reaches_its_url_after_its_time_and_after_its_line_item(tmp_path: Path) -> None:
    path, now = tmp_path / "a.db", [NOW]
    with server(path, clock=lambda: now[0]) as client:
        _, side = fill(client)
    now[0] += timedelta(days=400)
    with server(path, catalog_of(), clock=lambda: now[0]) as client:
        answer = client.get(side["creative"]["click"])
        assert answer.headers["location"] == "https://advertiser.example/per-click-300x250"
    assert rows(path, "SELECT validity, revenue_micros * (validity = 0) FROM event") == [(2, 0)]


def test_a_non_ascii_click_url_makes_a_valid_header(tmp_path: Path) -> None:
    creative = image("nepali", "300x250", click="https://नेपाल.example/बचत?q=ब#x")
    item: dict[str, object] = {"name": "n", "tier": "house", "creative": [creative]}
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        location = client.get(fill(client)[1]["creative"]["click"]).headers["location"]
        assert location.isascii()
        assert location.startswith("https://%E0%A4%A8")


def test_late_events_are_recorded_and_not_billed(tmp_path: Path) -> None:
    path, now = tmp_path / "a.db", [NOW]
    with server(path, clock=lambda: now[0], impression_window_seconds=60) as client:
        top, side = fill(client)
        now[0] += timedelta(seconds=59)
        assert report(client, (top["fill"], "impression")) == 204
        now[0] += timedelta(seconds=1)
        assert report(client, (side["fill"], "impression")) == 204
    query = "SELECT validity, revenue_micros * (validity = 0) FROM event ORDER BY fill"
    assert rows(path, query) == [(0, 4500), (2, 0)]
    assert rows(path, "SELECT sum(impression_count) FROM rollup") == [(1,)]


def test_requests_are_counted_by_outcome(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        for _ in range(3):
            fill(client, {"site": "daily", "slots": [{"slot": "top"}, {"slot": "top"}, {"slot": "nope"}]})
    query = "SELECT outcome, request_count FROM request_rollup ORDER BY outcome"
    assert rows(tmp_path / "a.db", query) == [("filled", 3), ("repeated", 3)]


def test_unreadable_bodies_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", max_body_bytes=1000, max_events_per_beacon=2) as client:
        for path in ("/v1/fill", "/v1/events"):
            assert client.get(path).status_code == 405
            assert client.options(path).status_code == 204
            for body in (b"", b"{", b"[]", b"\xff", b'{"site": 1}', b"[" * 900):
                answer = client.post(path, content=body)
                assert answer.status_code == 400
                assert answer.text.startswith("The body cannot be read")
                assert answer.text.endswith(".")
            assert client.post(path, content=b" " * 1001).status_code == 413
        too_many = {"events": [{"fill": "x", "type": "impression"}] * 3}
        assert client.post("/v1/events", json=too_many).status_code == 400
        click = {"events": [{"fill": "x", "type": "click"}]}
        assert client.post("/v1/events", json=click).status_code == 400


def test_a_new_catalog_is_in_service_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path, catalog_poll_seconds=0.05) as client:
        assert ready(client) == ("ready", 1)
        apply_catalog(path, catalog_of(line_item("new", "house", "300x250")))
        for _ in range(1000):
            _, side = fill(client)
            if side["line_item"] == "new":
                break
        assert side["line_item"] == "new"
        assert ready(client) == ("ready", 2)


def ready(client: TestClient) -> tuple[str, int]:
    """Whether a server is ready, and its catalog's version."""
    body = client.get("/readyz").json()
    return body["status"], body["catalog"]


def test_the_tag_is_cacheable_and_has_the_sizes_of_the_catalog(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        answer = client.get("/tag.js")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert "max-age=3600" in answer.headers["cache-control"]
        assert '"top":"970x250,728x90"' in answer.text
        assert client.get("/tag.js?site=daily").text == answer.text
        assert '"top"' not in client.get("/tag.js?site=nobody").text
        again = client.get("/tag.js", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert client.get("/healthz").json() == {"status": "ok"}


def test_country_and_device_come_from_the_request(tmp_path: Path) -> None:
    catalog = catalog_of(
        line_item("nepal", "price", "728x90", price={"cpm": "2.00"}, target={"country": ["NP"]}),
        line_item("phones", "price", "300x250", price={"cpm": "2.00"}, target={"device": ["mobile"]}),
    )
    with server(tmp_path / "a.db", catalog, country_header="X-Country") as client:
        for country, agent, served in (
            ("NP", "Mozilla/5.0 (Linux; Android 15) Mobile", [True, True]),
            ("np", "Mozilla/5.0 (Windows NT 10.0)", [True, False]),
            ("IN", "Mozilla/5.0 (iPhone)", [False, True]),
            ("", "", [False, False]),
            ("ZZ", "curl/8", [False, False]),
        ):
            headers = {"x-country": country, "user-agent": agent}
            answer = client.post("/v1/fill", json=ASK, headers=headers).json()
            assert ["fill" in entry for entry in answer["fills"]] == served, (country, agent)


def test_the_whole_spine_agrees(tmp_path: Path) -> None:
    """What pages were answered, what they reported, and what the publisher reads are the same numbers."""
    with server(tmp_path / "a.db", PAID, min_click_delay_ms=0) as client:
        for n in range(20):
            top, side = fill(client)
            report(client, (top["fill"], "impression"), (top["fill"], "measurable"))
            if n % 2:
                report(client, (top["fill"], "viewable"))
            if n % 5 == 0:
                report(client, (side["fill"], "impression"))
                client.get(side["creative"]["click"])
        client.get("/readyz")
    with server(tmp_path / "a.db", PAID) as client:
        local = {"host": "127.0.0.1"}
        total = client.get("/reports/slots.json", headers=local).json()["total"]
        assert (total["request_count"], total["fill_count"]) == (40, 40)
        assert (total["impression_count"], total["measurable_count"], total["viewable_count"]) == (24, 20, 10)
        assert total["click_count"] == 4
        assert total["revenue_micros"] == 20 * 4500 + 4 * 250_000
