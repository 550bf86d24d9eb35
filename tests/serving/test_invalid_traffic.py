"""Invalid traffic at the pages' door: marked, not billed, not learned from, and answered as ever."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.event import Validity
from tests.newsroom import BROWSER, NOW, PAID, rows, server
from tests.serving.test_endpoints import ASK, fill, report

BOT = {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
#: Documentation addresses (RFC 5737, RFC 3849): nobody's own network.
READER, CLOUD = "198.51.100.7", "203.0.113.9"
MARKED = "SELECT kind, validity, revenue_micros * (validity = 0) FROM event ORDER BY fill, kind"


def rebuilt(path: Path) -> bool:
    """Whether the sums are the fold of the log."""
    log = SqliteLog(path)
    try:
        return log.rebuild().equal
    finally:
        log.close()


def show_and_click(client: TestClient, **headers: str) -> None:
    """A reader's page is filled; then a request with these headers reports it, and clicks."""
    side = fill(client)[1]
    shown = {"events": [{"fill": side["fill"], "type": "impression"}]}
    assert client.post("/v1/events", json=shown, headers=headers).status_code == 204
    answer = client.get(side["creative"]["click"], headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (
        302,
        "https://advertiser.example/per-click-300x250",
    )


@pytest.mark.parametrize(
    ("headers", "validity"),
    [
        ({}, Validity.VALID),
        (BOT, Validity.BOT),
        ({"user-agent": ""}, Validity.NO_USER_AGENT),
        ({"sec-purpose": "prefetch"}, Validity.PREFETCH),
        ({"sec-purpose": "prefetch;prerender"}, Validity.PREFETCH),
        ({"purpose": "prefetch"}, Validity.PREFETCH),
        ({"x-purpose": "preview"}, Validity.PREFETCH),
        ({"x-moz": "prefetch"}, Validity.PREFETCH),
        ({"purpose": "reading"}, Validity.VALID),
        ({**BOT, "sec-purpose": "prefetch"}, Validity.PREFETCH),
    ],
)
def test_events_and_clicks_are_marked_by_headers(
    tmp_path: Path, headers: dict[str, str], validity: Validity
) -> None:
    path = tmp_path / "a.db"
    with server(path, min_click_delay_ms=0) as client:
        show_and_click(client, **headers)
    earned = 0 if validity else 250_000
    assert rows(path, MARKED) == [(1, validity, 0), (4, validity, earned)]
    assert rows(path, "SELECT count(*) FROM delivered") == [(0 if validity else 1,)]
    assert rebuilt(path)


def test_a_click_by_head_is_marked_and_does_not_use_up_the_readers(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path, min_click_delay_ms=0) as client:
        side = fill(client)[1]
        report(client, (side["fill"], "impression"))
        assert client.head(side["creative"]["click"]).status_code == 302
        client.get("/readyz")
        assert client.get(side["creative"]["click"]).status_code == 302
    assert rows(path, MARKED) == [(1, 0, 0), (4, 0, 250_000)]
    assert rows(path, "SELECT repeat_count FROM event WHERE kind = 4") == [(1,)]
    assert rebuilt(path)


def test_only_a_click_by_head_is_recorded_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path) as client:
        client.head(fill(client)[1]["creative"]["click"])
        assert 'adserver_invalid_requests_total{rule="head"} 1.0' in client.get("/metrics").text
    assert rows(path, MARKED) == [(4, Validity.HEAD, 0)]


@pytest.mark.parametrize(("delay_ms", "validity"), [(0, 23), (199, 23), (200, 0)])
def test_a_click_sooner_than_anybody_can_aim_is_marked(tmp_path: Path, delay_ms: int, validity: int) -> None:
    path, now = tmp_path / "a.db", [NOW]
    with server(path, clock=lambda: now[0], min_click_delay_ms=200) as client:
        side = fill(client)[1]
        report(client, (side["fill"], "impression"))
        now[0] += timedelta(milliseconds=delay_ms)
        assert client.get(side["creative"]["click"]).status_code == 302
    assert rows(path, MARKED) == [(1, 0, 0), (4, validity, 0 if validity else 250_000)]


def test_a_click_before_any_impression_is_marked_until_one_comes_after_it(tmp_path: Path) -> None:
    path, now = tmp_path / "a.db", [NOW]
    with server(path, clock=lambda: now[0]) as client:
        side = fill(client)[1]
        assert client.get(side["creative"]["click"]).status_code == 302
        report(client, (side["fill"], "impression"))
        assert rows(path, MARKED) == [(1, 0, 0), (4, Validity.NO_IMPRESSION, 0)]
        now[0] += timedelta(seconds=5)
        client.get(side["creative"]["click"])
    assert rows(path, MARKED) == [(1, 0, 0), (4, 0, 250_000)]
    assert rebuilt(path)


def test_what_follows_a_marked_impression_is_marked_alike(tmp_path: Path) -> None:
    path, now = tmp_path / "a.db", [NOW]
    with server(path, clock=lambda: now[0]) as client:
        side = fill(client)[1]
        shown = {"events": [{"fill": side["fill"], "type": "impression"}]}
        client.post("/v1/events", json=shown, headers=BOT)
        now[0] += timedelta(seconds=5)
        report(client, (side["fill"], "viewable"))
        client.get(side["creative"]["click"])
    assert rows(path, MARKED) == [(kind, Validity.BOT, 0) for kind in (1, 3, 4)]


def test_data_centres_are_those_of_the_operators_file(tmp_path: Path) -> None:
    ranges = tmp_path / "ranges"
    ranges.write_text("203.0.113.0/24\n")
    for address, validity in ((CLOUD, Validity.DATACENTRE), (READER, Validity.VALID)):
        path = tmp_path / f"{address}.db"
        with server(path, address=address, datacentre_file=ranges, min_click_delay_ms=0) as client:
            show_and_click(client)
        assert [row[1] for row in rows(path, MARKED)] == [validity, validity]
        (outcome,) = rows(path, "SELECT DISTINCT outcome FROM request_rollup")
        assert outcome == ("invalid.datacentre" if validity else "filled",)


@pytest.mark.parametrize(("address", "clicks"), [(READER, [0, 0, 21, 21]), ("127.0.0.1", [0, 0, 0, 0])])
def test_a_burst_of_one_address_is_marked_but_not_of_a_proxy(
    tmp_path: Path, address: str, clicks: list[int]
) -> None:
    path, bounds = tmp_path / "a.db", {"max_clicks_per_burst": 2, "min_click_delay_ms": 0}
    with server(path, PAID, clock=lambda: NOW, address=address, **bounds) as client:
        for _ in clicks:
            show_and_click(client)
    assert rows(path, "SELECT validity FROM event WHERE kind = 4 ORDER BY fill") == [(n,) for n in clicks]
    assert rows(path, "SELECT DISTINCT validity FROM event WHERE kind = 1") == [(0,)]


def test_a_burst_of_events_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path, clock=lambda: NOW, address=READER, max_events_per_burst=1) as client:
        for _ in range(2):
            report(client, (fill(client)[0]["fill"], "impression"))
    assert rows(path, "SELECT validity FROM event ORDER BY fill") == [(0,), (Validity.BURST,)]


def test_a_bot_is_filled_as_a_reader_and_nothing_is_learned_from_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path) as client:
        edge: Any = client.app
        steering = edge._edge.parts.steering
        for _ in range(3):
            answer = client.post("/v1/fill", json=ASK, headers=BOT).json()
            assert ["fill" in entry for entry in answer["fills"]] == [True, True]
        assert (steering._noted_count, steering.decider.asked, steering.learned.samples) == (0, [], [])
        fill(client)
        assert steering._noted_count == 1
        assert len(steering.decider.asked) == 2
    query = "SELECT outcome, sum(request_count) FROM request_rollup GROUP BY 1 ORDER BY 1"
    assert rows(path, query) == [("filled", 2), ("invalid.bot", 6)]


def test_a_page_that_is_fetched_ahead_is_reserved_and_counts_when_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path) as client:
        client.headers["sec-purpose"] = "prefetch;prerender"
        top = fill(client)[0]
        del client.headers["sec-purpose"]
        report(client, (top["fill"], "impression"))
    assert rows(path, MARKED) == [(1, 0, 4500)]
    assert rows(path, "SELECT DISTINCT outcome FROM request_rollup") == [("filled",)]


def test_nothing_of_who_asked_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path, address=READER, max_clicks_per_burst=1) as client:
        show_and_click(client, **BOT)
        show_and_click(client)
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert not any(text.encode() in content for text in (READER, BOT["user-agent"], BROWSER))
