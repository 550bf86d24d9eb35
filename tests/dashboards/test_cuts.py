"""Breakdowns and reach over HTTP: one report in each form, and a sentence for what cannot be."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from starlette.testclient import TestClient

from adserver.money import parse_micros
from tests.measurement.test_cuts import CATALOG, play, visitors
from tests.newsroom import NOW, apply_catalog, server

BYS = ("country", "device", "browser", "section", "size", "theme", "frequency")
#: Without a password, reports are told to this machine only.
LOOPBACK = "http://127.0.0.1"
COUNTS = ("impression_count", "measurable_count", "viewable_count", "click_count", "conversion_count")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Two days of some browsers, and the server that reports on them."""
    db, rng = tmp_path_factory.mktemp("cuts") / "a.db", Random(1)
    play(db, visitors(12, rng), rng, pages=120)
    with server(db, None, clock=lambda: NOW) as client:
        client.base_url = LOOPBACK
        yield client


def lines_of(answer: Any) -> list[dict[str, str]]:
    """The lines of a CSV."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.mark.parametrize("by", BYS)
def test_a_breakdown_says_the_same_in_each_form(reports: TestClient, by: str) -> None:
    answer = reports.get(f"/reports/breakdown.json?by={by}").json()
    lines = lines_of(reports.get(f"/reports/breakdown.csv?by={by}"))
    assert (answer["by"], answer["site"], answer["slot"], answer["line_item"]) == (by, "daily", None, None)
    assert [(row[by], row["kind"]) for row in answer["rows"]] == [(row[by], row["kind"]) for row in lines]
    for name in COUNTS:
        numbers = [row[name] for row in answer["rows"]]
        assert [int(row[name]) for row in lines] == numbers
        assert sum(numbers) == answer["total"][name]
    earned = [row["revenue_micros"] for row in answer["rows"]]
    assert [parse_micros(row["revenue"]) for row in lines] == earned
    whole = reports.get("/reports/slots.json").json()["total"]
    assert {name: whole[name] for name in answer["total"]} == answer["total"]
    assert sum(earned) == whole["revenue_micros"]


def test_a_breakdown_of_one_slot_and_line_item(reports: TestClient) -> None:
    query = "by=device&slot=side&line_item=box"
    some = reports.get(f"/reports/breakdown.json?{query}").json()
    everything = reports.get("/reports/breakdown.json?by=device&slot=side").json()
    assert 0 < some["total"]["impression_count"] < everything["total"]["impression_count"]
    page = reports.get(f"/reports/?{query}").text
    assert "Only line item <strong>box</strong> in slot <strong>side</strong>" in page
    assert "breakdown.csv?site=daily&amp;period=7d&amp;slot=side&amp;line_item=box&amp;by=device" in page


def test_the_page_shows_the_chosen_breakdown(reports: TestClient) -> None:
    page = reports.get("/reports/?by=section").text
    assert 'aria-current="true">Section</a>' in page
    assert ">world</a></th>" in page or ">culture</a></th>" in page
    assert "No section given" in page
    # The other periods keep it.
    assert "?site=daily&amp;period=28d&amp;by=section" in page
    countries = reports.get("/reports/").text
    assert '<span data-region="NP">NP</span>' in countries
    assert "1st in its browser" in reports.get("/reports/?by=frequency").text


def test_reach_says_the_same_in_each_form(reports: TestClient) -> None:
    answer = reports.get("/reports/reach.json").json()
    lines = lines_of(reports.get("/reports/reach.csv"))
    told = [row for campaign in answer["rows"] for row in (campaign, *campaign["line_items"])]
    assert [row["line_item"] or row["campaign"] for row in lines] == [row["name"] for row in told]
    for line, row in zip(lines, told, strict=True):
        assert int(line["reach"]) == row["reach"] == row["at_least"][0] > 0
        seen = sum(int(line[name]) for name in line if name.startswith("seen_"))
        assert seen == row["reach"]
        assert int(line["seen_1"]) == row["at_least"][0] - row["at_least"][1]
    page = reports.get("/reports/reach")
    assert page.status_code == 200
    assert all(row["name"] in page.text for row in told)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("breakdown.json?by=x", "by: 'x' is none of country"),
        ("breakdown.csv?by=x", "by: 'x' is none of country"),
        ("?by=<script>", "by: &#39;&lt;script&gt;&#39; is none of country"),
        ("breakdown.json?slot=nowhere", "slot: 'nowhere' is not a slot of daily"),
        ("reach.json?period=never", "period: 'never' is none of"),
        ("reach?site=other", "site: &#39;other&#39; is not a site"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(reports: TestClient, path: str, sentence: str) -> None:
    answer = reports.get(f"/reports/{path}")
    assert answer.status_code == 400
    assert sentence in answer.text


def test_without_events_there_is_nothing_and_no_error(tmp_path: Path) -> None:
    apply_catalog(tmp_path / "a.db", CATALOG)
    with server(tmp_path / "a.db", None, clock=lambda: NOW) as client:
        client.base_url = LOOPBACK
        assert client.get("/reports/breakdown.json").json()["rows"] == []
        assert client.get("/reports/reach.json").json()["rows"] == []
        assert "No line item had impressions" in client.get("/reports/reach").text
        assert client.get("/reports/reach.csv").text.count("\r\n") == 1
