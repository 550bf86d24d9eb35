"""The page of now: it moves by itself after an event, and says to each no more than is theirs."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from playwright.sync_api import Browser

from adserver.app import App
from adserver.engines.sqlite_minutes import MinuteCounts
from adserver.measurement.pulse import MINUTES, Beat
from adserver.measurement.vitals import Vitals
from adserver.settings import Settings
from dashboards.live_pages import bars, gauges, live_rows, verdict
from tests.browser.servers import serve
from tests.dashboards.test_browser import chromium, opened
from tests.dashboards.test_hours_and_pace import CHOICE
from tests.newsroom import BROWSER, PAID, apply_catalog

__all__ = ["chromium"]

NOTHING = tuple(MinuteCounts(minute, 0, 0, 0) for minute in range(MINUTES))


def vitals(*last: Beat, age: float | None = 1.0) -> Vitals:
    """An hour that ends with some minutes."""
    return Vitals(CHOICE, ((Beat(),) * (MINUTES - len(last)) + last), NOTHING, age)


@pytest.mark.parametrize(
    ("found", "said", "grade"),
    [
        (vitals(Beat(10, 9)), "Serving is healthy: last event 1 s ago.", "good"),
        (vitals(Beat(10, 9, 2)), "2 faults in the last 5 minutes", "bad"),
        (vitals(Beat(10, 9), age=3700.0), "no event came: last event 1 h ago", "bad"),
        (vitals(Beat(10, 9), age=None), "no event came: no event yet", "bad"),
        (vitals(), "No page asked for a slot in the last 5 minutes", "doubtful"),
        (vitals(Beat(10, 9, 2), *[Beat(1, 1)] * 5), "Serving is healthy", "good"),
        (Vitals(CHOICE, None, NOTHING, 2.0), "Serving is healthy", "good"),
        (Vitals(CHOICE, None, NOTHING, None), "Nothing came lately: no event yet.", "doubtful"),
    ],
)
def test_the_verdict_says_what_to_look_at(found: Vitals, said: str, grade: str) -> None:
    assert said in verdict(found)[0]
    assert verdict(found)[1] == grade


def test_who_reads_some_sites_only_is_told_nothing_of_the_server() -> None:
    theirs = Vitals(CHOICE, None, NOTHING, 1.0)
    assert [gauge.label for gauge in gauges(theirs)] == ["Impressions", "Clicks"]
    assert {row["request_count"] for row in live_rows(theirs)} == {None}
    assert len(gauges(vitals(Beat(1, 1)))) == 6


def test_bars_stand_on_the_ground_and_the_highest_reaches_the_top() -> None:
    assert bars([0, 1, 2, 4]) == (
        ("60.0", "33.0", "11.0"),
        ("120.0", "22.0", "22.0"),
        ("180.0", "0.0", "44.0"),
    )
    assert bars([0, 0]) == ()


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A whole server, with its clock of now."""
    db: Path = tmp_path_factory.mktemp("live") / "a.db"
    apply_catalog(db, PAID)
    with serve(App(Settings(db=db, min_click_delay_ms=0))) as url:
        yield url


def read_page(base_url: str) -> int:
    """A reader opens a page and sees its ads → how many."""
    with httpx.Client(base_url=base_url, headers={"user-agent": BROWSER}) as reader:
        ask = {"site": "daily", "slots": [{"slot": "top"}, {"slot": "side"}]}
        fills = [one["fill"] for one in reader.post("/v1/fill", json=ask).json()["fills"] if "fill" in one]
        events = [{"fill": fill, "type": "impression"} for fill in fills]
        assert reader.post("/v1/events", json={"events": events}).status_code == 204
    return len(fills)


def test_each_form_says_the_same_and_catches_up_with_the_server(base_url: str) -> None:
    seen = read_page(base_url)
    end = time.monotonic() + 30
    while True:
        body = httpx.get(f"{base_url}/reports/live.json").json()
        if sum(row["request_count"] for row in body["rows"]) >= 2:
            break
        assert time.monotonic() < end, "what was asked for never showed"
        time.sleep(0.05)
    assert sum(row["impression_count"] for row in body["rows"]) >= seen > 0
    assert len(body["rows"]) == MINUTES
    assert body["last_event_age_seconds"] >= 0
    assert max(row["p95_ms"] or 0 for row in body["rows"]) > 0
    lines = list(csv.DictReader(io.StringIO(httpx.get(f"{base_url}/reports/live.csv").text, newline="")))
    told = [row["impression_count"] for row in body["rows"]]
    # A minute may have begun in between.
    assert [int(line["impression_count"]) for line in lines] in (told, [*told[1:], 0])


@pytest.mark.browser
def test_the_page_moves_after_an_event_without_being_asked(chromium: Browser, base_url: str) -> None:
    with opened(chromium, "dark-390", f"{base_url}/reports/live") as visit:
        number = visit.page.locator(".gauge", has_text="Impressions").locator(".number")
        before = int(re.sub(r"\D", "", number.text_content() or ""))
        seen = read_page(base_url)
        visit.page.wait_for_function(
            "text => [...document.querySelectorAll('.gauge .number')].some(one => one.textContent == text)",
            arg=f"{before + seen:,}",
        )
        assert visit.width() == visit.viewport
        visit.check()
