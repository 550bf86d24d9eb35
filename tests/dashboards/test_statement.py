"""The page of a closed month: locked, corrections shown, and the same in each form as on the command line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from starlette.testclient import TestClient

from adserver.engines.sqlite_closing import SqliteClosing
from adserver.measurement.statement import Statement, statement
from adserver.money import parse_micros
from dashboards import words
from tests.commands.test_closing import BEGIN, CATALOG, DAY, END, MINUTE, close, read_pages
from tests.dashboards.test_browser import chromium, opened
from tests.dashboards.test_screens import violations
from tests.dashboards.world import serving
from tests.newsroom import apply_catalog, server
from tests.npm import npm_file

__all__ = ["chromium"]

NOW = END + 40 * DAY
OCTOBER = {"month": "2025-10"}


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October closed early, corrected by what came after it, and something pending."""
    path = tmp_path_factory.mktemp("statement") / "a.db"
    read_pages(path, [BEGIN, BEGIN + MINUTE])
    stored = apply_catalog(path, CATALOG)
    assert close(path, stored, END + MINUTE, force=True)
    read_pages(path, [END - 2 * MINUTE], None)
    assert close(path, stored, END + 31 * DAY)
    read_pages(path, [END - MINUTE], None)
    return path


@pytest.fixture(scope="module")
def client(db: Path) -> Iterator[TestClient]:
    with server(db, None, clock=lambda: NOW) as found:
        found.base_url = "http://127.0.0.1"
        yield found


@pytest.fixture(scope="module")
def booked(db: Path) -> Statement:
    """What the command line is told."""
    with SqliteClosing(db) as engine:
        found = statement(engine, apply_catalog(db, CATALOG), "daily", "2025-10")
    assert found
    assert len(found.corrections) == 1
    assert found.pending
    return found


def test_a_statement_says_the_same_in_each_form(client: TestClient, booked: Statement) -> None:
    body = client.get("/reports/statement.json", params=OCTOBER).json()
    text = client.get("/reports/statement.csv", params=OCTOBER).text
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert body["revenue_micros"] == booked.revenue_micros
    assert [line["booking"] for line in lines] == [row["booking"] for row in body["rows"]]
    of_closed = [parse_micros(line["revenue"]) for line in lines if line["booking"] == "closed"]
    assert sum(of_closed) == booked.closed.revenue_micros
    corrected = [parse_micros(line["revenue"]) for line in lines if line["booking"] == "correction"]
    assert sum(of_closed) + sum(corrected) == booked.revenue_micros
    page = unescape(client.get("/reports/statement", params=OCTOBER).text)
    assert f"{words.money(booked.revenue_micros, 'USD')} to invoice for October 2025." in page
    assert "was counted since and is not booked yet" in page
    assert "Correction of" in page
    assert re.search(r"Statement of October 2025</h1>.*closed \w{3} 1 Nov 2025 by sita", page, re.DOTALL)


def test_how_it_is_shared_is_told_to_all_but_the_advertiser(tmp_path: Path) -> None:
    db, catalog = tmp_path / "a.db", CATALOG.model_copy(deep=True)
    catalog = catalog.model_copy(
        update={"site": tuple(site.model_copy(update={"revenue_share": 0.7}) for site in catalog.site)}
    )
    read_pages(db, [BEGIN], catalog)
    assert close(db, apply_catalog(db, catalog), END + 31 * DAY)
    with server(db, None, clock=lambda: NOW) as found:
        found.base_url = "http://127.0.0.1"
        pages, bodies = (
            [
                found.get(f"/reports/statement{form}", params=OCTOBER | who)
                for who in ({}, {"advertiser": "bank"})
            ]
            for form in ("", ".json")
        )
    shared, sent = (unescape(page.text) for page in pages)
    assert "How it is shared" in shared
    assert "70.0%" in shared
    assert 'href="?site=daily&period=7d&month=2025-10&advertiser=bank"' in shared
    assert "How it is shared" not in sent
    assert "bank alone" in sent
    whole, alone = (body.json() for body in bodies)
    assert whole["rows"][0]["revenue_share"] == whole["revenue_share"] == 0.7
    assert whole["publisher_micros"] == whole["revenue_micros"] * 7 // 10
    assert (alone["revenue_share"], alone["publisher_micros"]) == (1.0, alone["revenue_micros"])


def test_with_what_is_pending_it_is_what_the_other_reports_say(client: TestClient, booked: Statement) -> None:
    query = {"from": "2025-10-01", "to": "2025-10-31"}
    total = client.get("/reports/revenue.json", params=query).json()["total"]["revenue_micros"]
    assert booked.revenue_micros + sum(line.revenue_micros for line in booked.pending) == total > 0


def test_a_month_that_is_open_says_how_to_close_it(client: TestClient) -> None:
    page = client.get("/reports/statement").text
    assert "November 2025 is not closed" in page
    assert "adserver close 2025-11 --site daily" in page
    body = client.get("/reports/statement.json", params={"month": "2025-09"}).json()
    assert (body["closed_at"], body["rows"], body["revenue_micros"]) == (None, [], None)


@pytest.mark.parametrize("month", ["2025-13", "x", "<b>", "2025-1", "9999-12-01"])
def test_what_is_no_month_is_refused(client: TestClient, month: str) -> None:
    for form in ("", ".json", ".csv"):
        answer = client.get(f"/reports/statement{form}", params={"month": month})
        assert answer.status_code == 400
        assert "is not a month such as 2026-10" in unescape(answer.text)


@pytest.mark.browser
def test_nothing_is_to_be_found_on_the_page(chromium: Browser, base_url: str) -> None:
    axe = npm_file("axe-core/axe.min.js").read_text()
    for look in ("light-390", "dark-1280"):
        with opened(chromium, look, f"{base_url}/reports/statement?month=2025-10") as visit:
            assert visit.width() == visit.viewport
            visit.check()
            assert violations(visit, axe) == []


@pytest.fixture(scope="module")
def base_url(db: Path) -> Iterator[str]:
    """A server of the reports of that month."""
    with serving(db, apply_catalog(db, CATALOG)) as url:
        yield url
