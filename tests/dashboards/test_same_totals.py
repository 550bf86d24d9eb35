"""Whatever is asked for, every report, file and tile says one total, and it is the fold of the raw log."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from html import unescape
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from adserver.clock import bucket_start, to_day
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_earnings import Earning, SqliteEarnings
from adserver.measurement.report import COMPARED
from adserver.money import format_micros
from dashboards import words
from tests.measurement.test_cuts import play, visitors
from tests.newsroom import NOW, server

ZONE = ZoneInfo("Asia/Kathmandu")
TODAY = NOW.astimezone(ZONE).date()
EARNED = "SELECT day, slot, creative, earned_micros FROM earning"
#: Kinds of events in the log, by the name of their count.
KINDS = {"impression_count": 1, "measurable_count": 2, "viewable_count": 3, "click_count": 4}
METRICS = (*KINDS, "revenue_micros")


def paid(stored: Stored) -> Iterator[Earning]:
    """For two creatives, on a day with events and on one with none, in their slot and in one of others."""
    slots = [stored.ids["slot", "daily", name] for name in ("top", "side")]
    creatives = [number for path, number in stored.ids.items() if path[0] == "creative"][:2]
    amounts = iter((1_234_567, 0, 70_001, 3, 2_000_000, 1, 999, 40_000))
    for back, slot, creative in product((0, 3), slots, creatives):
        yield Earning(to_day(TODAY) - back, slot, creative, 5, 1, next(amounts))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Path, Stored]]:
    """Two days of some browsers and bots, of one of which a network reported, and their server."""
    db, rng = tmp_path_factory.mktemp("totals") / "a.db", Random(3)
    stored = play(db, visitors(10, rng), rng, pages=90, bots=True)
    with SqliteEarnings(db) as kept:
        kept.replace(paid(stored), ())
    with server(db, None, clock=lambda: NOW) as client:
        client.base_url = "http://127.0.0.1"
        yield client, db, stored


def of_log(db: Path, slots: set[int], first: date, last: date) -> dict[str, int]:
    """What counts in the log, event by event, by the local date of its fill's quarter hour.

    What a network reported stands for what it earned by estimate in the same slot on the same day.
    """
    told = "SELECT kind, bucket, slot, creative, revenue_micros FROM event WHERE validity = 0"
    with closing(sqlite3.connect(db)) as connection:
        inside = [
            (kind, (to_day(bucket_start(bucket).astimezone(ZONE).date()), slot, creative), micros)
            for kind, bucket, slot, creative, micros in connection.execute(told)
        ]
        paid = {(*key,): micros for *key, micros in connection.execute(EARNED)}

    def of_these(key: tuple[int, ...]) -> bool:
        return key[1] in slots and to_day(first) <= key[0] <= to_day(last)

    inside = [one for one in inside if of_these(one[1])]
    counts = {name: sum(kind == wanted for kind, *_ in inside) for name, wanted in KINDS.items()}
    estimated = sum(micros for _, key, micros in inside if key not in paid)
    return {
        **counts,
        "revenue_micros": estimated + sum(micros for key, micros in paid.items() if of_these(key)),
    }


def added(rows: list[dict[str, Any]]) -> dict[str, int]:
    """The sum of rows, each metric by its name."""
    return {name: sum(int(row[name]) for row in rows) for name in METRICS}


def in_csv(client: TestClient, name: str, query: dict[str, str]) -> list[dict[str, Any]]:
    """Lines of a CSV with their amounts in micros."""
    lines = csv.DictReader(io.StringIO(client.get(f"/reports/{name}.csv", params=query).text, newline=""))
    return [{**line, "revenue_micros": round(float(line["revenue"]) * 1_000_000)} for line in lines]


filters = st.fixed_dictionaries(
    {"back": st.integers(0, 3), "length": st.integers(1, 5), "slot": st.sampled_from(["", "top", "side"])},
    optional={"compare": st.sampled_from(sorted(COMPARED)), "by": st.sampled_from(["device", "section"])},
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=filters)
def test_every_form_of_every_report_says_the_same(
    world: tuple[TestClient, Path, Stored], chosen: dict[str, Any]
) -> None:
    client, db, stored = world
    last = TODAY - timedelta(days=chosen["back"])
    first = last - timedelta(days=chosen["length"] - 1)
    query = {"site": "daily", "from": first.isoformat(), "to": last.isoformat(), "slot": chosen["slot"]}
    query |= {name: chosen[name] for name in ("compare", "by") if name in chosen}
    slots = {
        number for path, number in stored.ids.items() if path[0] == "slot" and chosen["slot"] in ("", path[2])
    }
    truth = of_log(db, slots, first, last)
    requests = set()
    for name in ("revenue", "slots", "breakdown"):
        body = client.get(f"/reports/{name}.json", params=query).json()
        lines = in_csv(client, name, query)
        assert added(body["rows"]) == added([body["total"]]) == added(lines) == truth
        if name != "breakdown":
            requests |= {sum(int(row["request_count"]) for row in rows) for rows in (body["rows"], lines)}
            requests.add(body["total"]["request_count"])
        if name == "revenue":
            of_tiers = [
                row[f"{tier or 'other'}_revenue_micros"] for row in body["rows"] for tier in words.TIERS
            ]
            assert sum(of_tiers) == truth["revenue_micros"]
    assert len(requests) == 1
    check_page(unescape(client.get("/reports/", params=query).text), truth, requests.pop())
    check_campaigns(client, query)
    check_funnel(client, query, truth)
    check_parts(client, query, truth)


def check_parts(client: TestClient, query: dict[str, str], truth: dict[str, int]) -> None:
    """The days, slots and campaigns of all sections; of the only advertiser, who is not asked by slot."""
    body = client.get("/reports/sections.json", params=query).json()
    for rows in (body["rows"], body["slots"], body["campaigns"], in_csv(client, "sections", query)):
        assert added(rows) == added([body["total"]]) == truth
    if query["slot"]:
        return
    query = {**query, "advertiser": "bank"}
    body = client.get("/reports/advertiser.json", params=query).json()
    lines = in_csv(client, "advertiser", query)
    for rows in (body["rows"], body["slots"], body["device"], body["country"], lines):
        assert added(rows) == added([body["total"]]) == truth


def check_funnel(client: TestClient, query: dict[str, str], truth: dict[str, int]) -> None:
    """Its steps are the totals, and what stayed empty is what was not filled."""
    body = client.get("/reports/funnel.json", params=query).json()
    lines = list(csv.DictReader(io.StringIO(client.get("/reports/funnel.csv", params=query).text)))
    assert [(line["step"], int(line["count"])) for line in lines] == [
        (row["step"], row["count"]) for row in body["rows"]
    ]
    steps = {row["step"]: row["count"] for row in body["rows"] if not row["reason"]}
    names = ("impression_count", "viewable_count", "click_count")
    assert [steps[step] for step in ("rendered", "viewable", "clicked")] == [truth[name] for name in names]
    empty = sum(row["count"] for row in body["rows"] if row["reason"])
    assert empty == steps["requests"] - steps["filled"]


def check_page(page: str, truth: dict[str, int], request_count: int) -> None:
    """Tiles print the same numbers."""
    tiles = dict(re.findall(r'<h2 title="[^"]*">(.*?)</h2>\s*<p class="number">(.*?)</p>', page))
    if not request_count and not truth["revenue_micros"]:
        assert tiles == {}
        return
    assert tiles["Revenue"] == words.money(truth["revenue_micros"], "USD")
    assert tiles["Requests"] == words.count(request_count)
    seen, measured = truth["viewable_count"], truth["measurable_count"]
    assert tiles["Viewability"] == words.percent(seen / measured if measured else None)


def check_campaigns(client: TestClient, query: dict[str, str]) -> None:
    """What campaigns add to the change of revenue is all of it."""
    body = client.get("/reports/campaigns.json", params=query).json()
    lines = csv.DictReader(io.StringIO(client.get("/reports/campaigns.csv", params=query).text))
    assert [row["change"] for row in body["rows"]] == [line["change"] for line in lines]
    compared = body["compared"]
    if compared is None:
        assert body["rows"] == []
        return
    for side, total in (("revenue", "total"), ("earlier_revenue", "earlier_total")):
        assert sum(row[f"{side}_micros"] for row in body["rows"]) == compared[total]["revenue_micros"]
    change = sum(row["change_micros"] for row in body["rows"])
    earned = compared["total"]["revenue_micros"] - compared["earlier_total"]["revenue_micros"]
    assert format_micros(change) == format_micros(earned)
