"""Clicks on newsletters' links that a mail filter made, or that came again: marked, and no reader's."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from adserver.measurement.event import Validity
from tests.newsroom import NOW, rows, server
from tests.serving.outside.test_pictures import GMAIL, LETTER, led_to, moving, sold
from tests.serving.test_invalid_traffic import rebuilt

READER = "198.51.100.7"
CLICKS = "SELECT validity FROM event WHERE kind = 4 ORDER BY fill"
SCANNER, DUPLICATE = Validity.SCANNER, Validity.DUPLICATE


def validities(path: Path) -> list[int]:
    return [validity for (validity,) in rows(path, CLICKS)]


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Barracuda Sentinel; EE)",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Microsoft Office Existence Discovery",
        "Mozilla/5.0 (compatible; Proofpoint/2.0)",
    ],
)
def test_a_filter_that_says_its_name_is_marked(tmp_path: Path, agent: str) -> None:
    with server(tmp_path / "a.db", sold("one"), address=READER) as client:
        led_to(client, **{"user-agent": agent})
        led_to(client)
    assert validities(tmp_path / "a.db") == [SCANNER, 0]


@pytest.mark.parametrize("agent", ["Mozilla/5.0", GMAIL, "python-requests/2.32"])
def test_what_opens_pictures_or_is_no_browser_does_not_click(tmp_path: Path, agent: str) -> None:
    with server(tmp_path / "a.db", sold("one"), address=READER) as client:
        led_to(client, **{"user-agent": agent})
    assert validities(tmp_path / "a.db") == [Validity.BOT]


def test_a_link_asked_for_by_head_is_marked_and_leads_on(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", sold("one"), address=READER) as client:
        assert client.head(f"{LETTER}/click").headers["location"] == "https://advertiser.example/one-300x250"
    assert validities(tmp_path / "a.db") == [SCANNER]


@pytest.mark.parametrize(
    ("seconds", "found"), [(0.0, [SCANNER] * 3), (1.9, [SCANNER] * 2 + [0]), (2.1, [0] * 3)]
)
def test_several_links_of_an_issue_at_once_are_a_filters(
    tmp_path: Path, seconds: float, found: list[int]
) -> None:
    clock, move = moving()
    with server(tmp_path / "a.db", sold("one", "two", "three"), address=READER, clock=clock) as client:
        for place in (LETTER, f"{LETTER}/2", f"{LETTER}/3"):
            led_to(client, place)
            move(timedelta(seconds=seconds))
    assert validities(tmp_path / "a.db") == found
    assert rebuilt(tmp_path / "a.db")


def test_links_of_two_issues_or_from_two_addresses_are_readers(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    with server(db, sold("one", "two"), address=READER, clock=lambda: NOW) as client:
        led_to(client)
        led_to(client, "/v1/newsletter/daily/side/2026-11-25/2")
        other = TestClient(client.app, follow_redirects=False, client=("203.0.113.9", 1))
        other.headers.update(client.headers)
        led_to(other, f"{LETTER}/2")
    assert validities(db) == [0, 0, 0]


def test_the_same_link_from_one_address_counts_once_an_hour(tmp_path: Path) -> None:
    clock, move = moving()
    with server(tmp_path / "a.db", sold("one"), address=READER, clock=clock) as client:
        for _ in range(3):
            led_to(client)
            move(timedelta(minutes=20))
        move(timedelta(minutes=1))
        led_to(client)
    assert sorted(validities(tmp_path / "a.db")) == [0, 0, DUPLICATE, DUPLICATE]
    assert rebuilt(tmp_path / "a.db")


def test_behind_a_proxy_that_hides_addresses_nobody_is_taken_for_another(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", sold("one", "two"), address="10.0.0.1") as client:
        for place in (LETTER, LETTER, f"{LETTER}/2"):
            led_to(client, place)
    assert validities(tmp_path / "a.db") == [0, 0, 0]


def test_a_click_is_written_once_its_time_is_over(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", sold("one"), address=READER, scan_window_ms=100) as client:
        led_to(client)
        end = time.monotonic() + 10
        while not validities(tmp_path / "a.db"):
            assert time.monotonic() < end, "the click is not written"
            client.get("/healthz")
        assert validities(tmp_path / "a.db") == [0]


def test_no_address_is_in_the_file(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", sold("one"), address=READER) as client:
        led_to(client)
    assert not any(READER.encode() in file.read_bytes() for file in tmp_path.iterdir())
