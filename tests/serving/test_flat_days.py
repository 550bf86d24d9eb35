"""Flat days through the real application on virtual time: due once a day, in every report, within budgets."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from starlette.testclient import TestClient

from adserver.app import App
from adserver.settings import Settings
from tests.newsroom import BROWSER, apply_catalog, catalog_of, line_item, rows, server
from tests.serving.test_endpoints import fill, report
from tests.serving.test_invalid_traffic import rebuilt

ZONE = ZoneInfo("Asia/Kathmandu")
#: A quarter to ten in the evening.
EVENING = datetime(2026, 11, 23, 21, 45, tzinfo=ZONE).astimezone(UTC)
LOCAL = {"host": "127.0.0.1"}
SPONSOR = line_item("sponsor", "sponsorship", "728x90", "300x250", price={"flat": "100.01"}, share=0.5)
BY_BUDGET = line_item("by-budget", "price", "300x250", price={"flat": "30"}, budget="70.00")
CPM = line_item("cpm", "price", "728x90", price={"cpm": "4.50"})


class Hours:
    """A clock that its owner sets."""

    def __init__(self) -> None:
        self.now = EVENING

    def __call__(self) -> datetime:
        """The time."""
        return self.now


async def pass_time(path: Path, clock: Hours, hours: int) -> None:
    """Run the application for some hours, ticking every half an hour."""
    app = App(Settings(db=path), clock=clock, rng=Random(1), ticking=False)
    async with app.running():
        for _ in range(2 * hours):
            clock.now += timedelta(minutes=30)
            await app.tick()


def read(client: TestClient, name: str) -> dict[str, Any]:
    """A report of the days around."""
    query = {"from": "2026-11-20", "to": "2026-11-26"}
    answer: dict[str, Any] = client.get(f"/reports/{name}.json", params=query, headers=LOCAL).json()
    text = client.get(f"/reports/{name}.csv", params=query, headers=LOCAL).text
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [line["revenue"] for line in lines] == [row["revenue"] for row in answer["rows"]]
    return answer


def test_every_report_has_each_day_once_and_whole(tmp_path: Path) -> None:
    """Over three midnights, with restarts in between, and pages that show something else besides."""
    path, clock = tmp_path / "a.db", Hours()
    apply_catalog(path, catalog_of(SPONSOR, CPM))
    for hours in (1, 3, 20, 2, 40):
        asyncio.run(pass_time(path, clock, hours))
    with server(path, None, clock=clock) as client:
        for _ in range(20):
            events = [(one["fill"], "impression") for one in fill(client) if "fill" in one]
            assert report(client, *events) == 204
        revenue, slots = read(client, "revenue"), read(client, "slots")
        breakdown = read(client, "breakdown")
        page = client.get("/reports/?period=7d", headers=LOCAL).text
    ((cpm_micros,),) = rows(path, "SELECT sum(revenue_micros) FROM event WHERE kind = 1")
    by_day = {row["day"]: row["revenue_micros"] for row in revenue["rows"]}
    today = 100_010_000 + cpm_micros
    days = {
        "2026-11-23": 100_010_000,
        "2026-11-24": 100_010_000,
        "2026-11-25": 100_010_000,
        "2026-11-26": today,
    }
    assert {day: micros for day, micros in by_day.items() if micros} == days
    by_slot = {row["slot"]: row["revenue_micros"] for row in slots["rows"]}
    assert by_slot == {"top": 4 * 50_005_000 + cpm_micros, "side": 4 * 50_005_000}
    assert cpm_micros > 0
    total = 4 * 100_010_000 + cpm_micros
    assert revenue["total"]["revenue_micros"] == slots["total"]["revenue_micros"] == total
    # What a day earns is of no browser: it stands under what is not known, as do these pages' countries.
    (unknown,) = breakdown["rows"]
    assert unknown["kind"] == "unknown"
    assert unknown["revenue_micros"] == breakdown["total"]["revenue_micros"] == total
    assert f"${total / 1e6:,.2f}" in page
    assert rebuilt(path)


def test_days_end_with_the_budget_and_so_does_the_line_item(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.db", Hours()
    apply_catalog(path, catalog_of(BY_BUDGET))
    ask = {"site": "daily", "slots": [{"slot": "side"}]}
    asyncio.run(pass_time(path, clock, 24))
    with server(path, None, clock=clock) as client:
        (paid,) = fill(client, ask)
        assert paid["line_item"] == "by-budget", "the second day is paid for"
    asyncio.run(pass_time(path, clock, 24))
    with server(path, None, clock=clock) as client:
        assert fill(client, ask)[0]["reason"] == "used_up"
        query = {"page": json.dumps(ask), "slot": "side"}
        (slot,) = client.get("/api/v1/explain", params=query, headers=LOCAL).json()["slots"]
        (verdict,) = slot["line_items"]
        assert verdict["rule"] == "used_up.budget"
        assert "Its budget of 70.00 has no room for another day at 30.00: 60.00 earned" in verdict["sentence"]
    assert rows(path, "SELECT day, revenue_micros FROM progress") == [
        (20780, 30_000_000),
        (20781, 30_000_000),
    ]
    assert rows(path, "SELECT count(*) FROM event WHERE validity = 4") == [(0,)]
    assert rebuilt(path)


def test_more_budget_and_the_line_item_goes_on_the_same_day(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.db", Hours()
    apply_catalog(path, catalog_of(BY_BUDGET))
    asyncio.run(pass_time(path, clock, 60))
    apply_catalog(path, catalog_of({**BY_BUDGET, "budget": "90.00"}))
    asyncio.run(pass_time(path, clock, 1))
    assert rows(path, "SELECT count(*), sum(revenue_micros) FROM progress") == [(3, 90_000_000)]
    assert rebuilt(path)


def test_a_line_item_that_is_paused_owes_nothing(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.db", Hours()
    apply_catalog(path, catalog_of({**SPONSOR, "paused": True}))
    asyncio.run(pass_time(path, clock, 30))
    assert rows(path, "SELECT count(*) FROM event") == [(0,)]
    apply_catalog(path, catalog_of(SPONSOR))
    with server(path, None, clock=clock, tick_seconds=0.05) as client:
        client.headers["user-agent"] = BROWSER
        for _ in range(5000):
            if rows(path, "SELECT count(*) FROM flat_day") == [(1,)]:
                break
            client.get("/healthz")
    assert rows(path, "SELECT sum(revenue_micros) FROM progress") == [(100_010_000,)]
