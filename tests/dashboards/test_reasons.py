"""Why line items did not serve, from pages that really asked to the page, its figure and its files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go  # type: ignore[import-untyped]
import pytest
from starlette.testclient import TestClient

from adserver.clock import local_hour, to_day
from adserver.decision.rule_names import KINDS, kind_of
from adserver.decision.verdicts import RULES
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_reasons import Kept, ReasonLog
from adserver.measurement.reasons import ReasonLine, ReasonReport, ReasonTime
from dashboards.reason_pages import reasons_over_time, reasons_page, summary
from tests.dashboards.payloads import payloads
from tests.dashboards.test_exports import Tags
from tests.dashboards.test_hours_and_pace import CHOICE
from tests.newsroom import NOW, catalog_of, line_item, rows, server

CATALOG = catalog_of(
    line_item("everywhere", "price", "728x90", price={"cpm": "3"}),
    line_item("sport", "price", "728x90", price={"cpm": "9"}, target={"section": ["sport"]}),
    line_item("over", "price", "728x90", price={"cpm": "9"}, end=NOW - timedelta(days=1)),
)
PATH = "/reports/reasons"


def ask(client: TestClient, section: str) -> None:
    body = {"site": "daily", "page": {"section": section}, "slots": [{"slot": "top"}]}
    assert client.post("/v1/fill", json=body).status_code == 200


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Path]]:
    """Three pages of sport an hour ago, and one of culture today; nothing yesterday."""
    db, time = tmp_path_factory.mktemp("reasons") / "a.db", [NOW - timedelta(hours=1)]
    with server(db, CATALOG, clock=lambda: time[0]) as client:
        client.base_url = "http://127.0.0.1"
        app: Any = client.app
        assert client.portal
        for section in ("sport", "sport", "sport"):
            ask(client, section)
        time[0] += timedelta(minutes=5)
        client.portal.call(app.tick)
        time[0] = NOW
        ask(client, "culture")
        time[0] += timedelta(minutes=5)
        client.portal.call(app.tick)
        client.portal.call(app.tick)
        yield client, db


def test_pages_that_asked_say_why_line_items_did_not_serve(asked: tuple[TestClient, Path]) -> None:
    client, db = asked
    body = client.get(f"{PATH}.json", params={"period": "today", "line_item": "sport"}).json()
    assert rows(db, "SELECT count(DISTINCT item) FROM reason") == [(2,)]
    whole = {(row["line_item"], row["rule"]): row for row in body["rows"] if not row["start"]}
    counts = {key: row["page_count"] for key, row in whole.items()}
    # Who is not in flight is not looked for.
    assert counts == {
        ("sport", "won"): 3,
        ("sport", "target.section"): 1,
        ("everywhere", "outbid"): 3,
        ("everywhere", "won"): 1,
    }
    assert whole["sport", "won"]["page_share"] == 0.75
    zone = CATALOG.site[0].zone
    starts = [at.astimezone(zone).replace(minute=0, tzinfo=None) for at in (NOW - timedelta(hours=1), NOW)]
    by_hour = [(row["start"], row["rule"], row["page_count"]) for row in body["rows"] if row["start"]]
    assert by_hour == [
        (starts[0].isoformat(), "won", 3),
        (starts[1].isoformat(), "target.section", 1),
    ]
    by_day = client.get(f"{PATH}.json", params={"period": "28d", "line_item": "sport"}).json()["rows"]
    day = NOW.astimezone(zone).date()
    assert {(row["start"], row["rule"]) for row in by_day if row["start"]} == {
        (f"{day}T00:00:00", "won"),
        (f"{day}T00:00:00", "target.section"),
    }
    told = csv.DictReader(io.StringIO(client.get(f"{PATH}.csv", params={"period": "28d"}).text, newline=""))
    assert sum(int(row["page_count"]) for row in told if not row["start"]) == 8
    assert client.get(f"{PATH}.json", params={"period": "yesterday"}).json()["rows"] == []


def test_the_page_answers_and_leads_on(asked: tuple[TestClient, Path]) -> None:
    page = unescape(asked[0].get(PATH, params={"period": "today", "line_item": "sport"}).text)
    assert "Only 4 page requests were looked at in this time" in page
    assert "sport serves on 75% of 4 sampled pages" in page
    assert 'href="/console/why/sport"' in page
    assert "?site=daily&period=today&line_item=everywhere#over-time" in page
    # A filter keeps the line item that is looked at; one that is not known is the first.
    assert "?site=daily&period=28d&line_item=sport" in page
    assert "everywhere: why it does not serve" in asked[0].get(PATH, params={"line_item": "?"}).text
    assert "Reasons are kept from the moment" in asked[0].get(PATH, params={"period": "yesterday"}).text


def test_a_day_of_the_site_is_its_own_and_what_is_old_is_forgotten(tmp_path: Path) -> None:
    zone = CATALOG.site[0].zone
    assert zone.key == "Asia/Kathmandu"
    midnight = datetime.fromisoformat("2026-11-24T00:00:00+05:45")
    assert local_hour(midnight, zone) == 24 * to_day(midnight.date())
    assert local_hour(midnight - timedelta(seconds=1), zone) == 24 * to_day(midnight.date()) - 1
    db = tmp_path / "a.db"
    with server(db, CATALOG):
        pass
    hour = local_hour(midnight, zone)
    with ReasonLog(db) as log:
        log.add([Kept(1, hour - 1, 2, "won", 3), Kept(1, hour, 2, "won", 4)], 0, 0)
        log.add([Kept(1, hour, 2, "won", 5)], hour, hour // 24 - 1)
    kept = rows(db, "SELECT hours, at, page_count FROM reason ORDER BY 1, 2")
    assert kept == [(1, hour, 9), (24, hour // 24 - 1, 3), (24, hour // 24, 9)]


def keep(db: Path, stored: Stored, *names: str) -> None:
    """Two days of reasons of every kind for some line items, on the first site."""
    hour = local_hour(NOW, CATALOG.site[0].zone)
    found = [
        Kept(
            stored.ids["site", "daily"],
            hour - back,
            stored.ids["line_item", name],
            rule,
            3 + number + back % 5,
        )
        for back in range(30)
        for number, name in enumerate(names)
        for rule in RULES[number :: len(names)]
        if rule not in ("site", "ended", "not_started")
    ]
    with ReasonLog(db) as log:
        log.add(found, 0, 0)


def report(*names: str) -> ReasonReport:
    lines = tuple(ReasonLine(name, False, {"outbid": 30 + n, "won": n}) for n, name in enumerate(names))
    times = (ReasonTime(datetime(2026, 11, 20), lines[-1].rules),)  # noqa: DTZ001
    return ReasonReport(CHOICE, lines, lines[-1], False, times)


def test_plotly_accepts_the_figure_and_each_bar_is_whole() -> None:
    figure = reasons_over_time(report("a", "b"))
    go.Figure({"data": figure["data"], "layout": figure["layout"]})
    bars = [trace for trace in figure["data"] if trace["type"] == "bar"]
    assert [bar["name"] for bar in bars] == [KINDS["serves"], KINDS["contest"]]
    assert sum(bar["y"][0] for bar in bars) == pytest.approx(1)


def test_every_rule_has_a_kind_and_a_sentence_says_who_never_serves() -> None:
    assert {kind_of(rule) for rule in RULES} == set(KINDS)
    assert kind_of("not.slot") == kind_of("target.country") == "target"
    assert summary(report("a")) == "1 line item of 1 would serve on no page; its reason: outbid."
    never = ReasonLine("a", False, {"size": 40}), ReasonLine("b", False, {"outbid": 20, "won": 20})
    assert summary(ReasonReport(CHOICE, never, None, False, ())).startswith("1 line item of 2 would serve")
    assert summary(ReasonReport(CHOICE, never[1:], None, False, ())) == (
        "Every line item serves on some pages; b on the fewest, 50% of those looked at."
    )


def test_no_name_adds_a_tag_or_an_attribute() -> None:
    some = [*dict.fromkeys(payloads()[:24])]
    plain = [f"item-{n:02}" for n in range(len(some))]
    assert Tags(reasons_page(report(*some), [])).seen == Tags(reasons_page(report(*plain), [])).seen
