"""What a page request tells is what the events of its fills are cut by, whoever reports them."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from adserver.clock import to_day
from adserver.decision import facts
from adserver.decision.facts import Dimension
from adserver.engines.sqlite_cuts import SqliteCuts
from adserver.measurement.sections import code_of
from tests.newsroom import BROWSER, NOW, rows, server
from tests.serving.test_endpoints import ASK
from tests.serving.test_invalid_traffic import BOT, rebuilt

PHONE = "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"
#: 23:45 and 00:00 in Kathmandu, on the 24th and the 25th.
LATE, MIDNIGHT = datetime(2026, 11, 24, 18, 0, tzinfo=UTC), datetime(2026, 11, 24, 18, 15, tzinfo=UTC)
TODAY = to_day(NOW.date())


def read_page(client: TestClient, agent: str, country: str, section: str | None, theme: str | None) -> str:
    """A reader opens a page; the token of the slot at its side."""
    page = {} if section is None else {"section": section}
    request = {**ASK, "page": page, "theme": theme}
    answer = client.post("/v1/fill", json=request, headers={"user-agent": agent, "cf-ipcountry": country})
    token: str = answer.json()["fills"][1]["fill"]
    return token


def impressions(
    db: Path, dimension: Dimension, slot: int, first: int = TODAY - 9, last: int = TODAY + 9
) -> dict[int, int]:
    """Value → impressions of some days, as a report is told."""

    async def read() -> dict[int, int]:
        cuts = SqliteCuts(db)
        found = await cuts.breakdown(dimension, first, last, [slot], None)
        await cuts.close()
        return {cut.value: cut.impression_count for day in found for cut in day.rows}

    return asyncio.run(read())


def test_events_count_under_the_facts_of_their_fill(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    with server(db, clock=lambda: NOW, country_header="CF-IPCountry") as client:
        tokens = [
            read_page(client, BROWSER, "NP", "world", "dark"),
            read_page(client, PHONE, "IN", "world", "light"),
            read_page(client, PHONE, "XX", None, "sepia"),
        ]
        # Another browser, in another country, sends the beacon.
        events = [{"fill": token, "type": "impression"} for token in tokens]
        headers = {"user-agent": BROWSER, "cf-ipcountry": "DE"}
        assert client.post("/v1/events", json={"events": events}, headers=headers).status_code == 204
    ((slot,),) = rows(db, "SELECT DISTINCT slot FROM event")
    phone, chrome, firefox = 2, facts.BROWSERS.index("chrome"), facts.BROWSERS.index("firefox")
    np, india = facts.country_code("NP"), facts.country_code("IN")
    assert impressions(db, Dimension.COUNTRY, slot) == {np: 1, india: 1, 0: 1}
    assert impressions(db, Dimension.DEVICE, slot) == {1: 1, phone: 2}
    assert impressions(db, Dimension.BROWSER, slot) == {chrome: 1, firefox: 2}
    assert impressions(db, Dimension.THEME, slot) == {0: 1, 1: 1, 2: 1}
    assert impressions(db, Dimension.SECTION, slot) == {code_of("world"): 2, facts.NO_SECTION: 1}
    assert impressions(db, Dimension.SIZE, slot) == {facts.size_code("300x250"): 3}
    assert rebuilt(db)


@pytest.mark.parametrize(("at", "day"), [(LATE, "2026-11-24"), (MIDNIGHT, "2026-11-25")])
def test_a_day_is_that_of_the_sites_readers(tmp_path: Path, at: datetime, day: str) -> None:
    db = tmp_path / "a.db"
    with server(db, clock=lambda: at) as client:
        token = read_page(client, BROWSER, "NP", "world", None)
        client.post("/v1/events", json={"events": [{"fill": token, "type": "impression"}]})
    ((slot,),) = rows(db, "SELECT DISTINCT slot FROM event")
    days = (date.fromisoformat(day) - date(1970, 1, 1)).days
    assert impressions(db, Dimension.DEVICE, slot, days, days) == {1: 1}


def test_a_bot_gives_no_section_a_name(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    with server(db, clock=lambda: NOW) as client:
        read_page(client, BOT["user-agent"], "NP", "made-up", None)
        read_page(client, BROWSER, "NP", "world", None)
    assert rows(db, "SELECT value FROM saved_state WHERE name GLOB 'section.*'") == [(b"world",)]
