"""What a section is worth: all of them are the site, each form says the same, and no name breaks out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from html import unescape
from random import Random

import pytest
from starlette.testclient import TestClient

from adserver.measurement.cuts import Breakdown, CutLine, Named
from adserver.measurement.report import Totals
from adserver.measurement.section_report import SectionReport
from dashboards.section_pages import section_page
from tests.dashboards.payloads import payloads
from tests.dashboards.test_exports import Tags
from tests.dashboards.test_hours_and_pace import CHOICE, PERIOD
from tests.measurement.test_cuts import play, visitors
from tests.newsroom import NOW, server

COUNTS = ("impression_count", "measurable_count", "viewable_count", "click_count", "revenue_micros")
PATH = "/reports/sections"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Two days of some browsers and bots, part of them summed and part still in the log alone."""
    db, rng = tmp_path_factory.mktemp("sections") / "a.db", Random(4)
    play(db, visitors(12, rng), rng, pages=90, bots=True)
    with server(db, None, clock=lambda: NOW) as opened:
        opened.base_url = "http://127.0.0.1"
        yield opened


@pytest.mark.parametrize("slot", ["", "side"])
def test_sections_are_what_the_breakdown_says_and_together_the_site(client: TestClient, slot: str) -> None:
    query = {"slot": slot}
    lines = client.get("/reports/breakdown.json", params={**query, "by": "section"}).json()["rows"]
    named = [line for line in lines if line["kind"] == "value"]
    assert named
    for line in named:
        body = client.get(f"{PATH}.json", params={**query, "section": line["section"]}).json()
        for name in COUNTS:
            assert body["total"][name] == line[name]
            for part in ("rows", "slots", "campaigns"):
                assert sum(row[name] for row in body[part]) == line[name]
        text = client.get(f"{PATH}.csv", params={**query, "section": line["section"]}).text
        told = list(csv.DictReader(io.StringIO(text, newline="")))
        assert sum(int(row["impression_count"]) for row in told) == line["impression_count"] > 0
    whole = client.get(f"{PATH}.json", params=query).json()["total"]
    site = client.get("/reports/slots.json", params=query).json()["total"]
    assert {name: whole[name] for name in COUNTS} == {name: site[name] for name in COUNTS}


def test_a_section_stands_in_the_address_and_every_link_keeps_it(client: TestClient) -> None:
    page = unescape(client.get("/reports/?by=section").text)
    assert 'href="/reports/sections?site=daily&period=7d&section=culture"' in page
    page = unescape(client.get(PATH, params={"section": "culture"}).text)
    assert "Section culture earned $" in page
    for kept in ("period=28d&section=culture", "period=7d&slot=top&section=culture"):
        assert f"?site=daily&{kept}" in page
    # A section that had no ad, or of which another site alone has pages, is not told apart from none.
    unknown = client.get(f"{PATH}.json", params={"section": "cultre"})
    assert unknown.json()["total"]["impression_count"] == 0
    assert "Section cultre earned $0.00" in unescape(client.get(PATH, params={"section": "cultre"}).text)


def test_no_name_adds_a_tag_or_an_attribute() -> None:
    some = [*dict.fromkeys(payloads()[:24])]
    one = Totals(10, 9, 8, 7, 6, 5, 4)
    pages = []
    for names in (some, [f"section-{n:02}" for n in range(len(some))]):
        lines = tuple(CutLine(Named.VALUE, name, one) for name in names)
        every = Breakdown(CHOICE, "section", None, lines, one)
        slots = tuple((name, one) for name in names)
        campaigns = tuple((name, name, one) for name in names)
        found = SectionReport(CHOICE, None, every, one, ((PERIOD.first, one),), slots, campaigns)
        pages.append(Tags(section_page(found, [])).seen)
    assert pages[0] == pages[1]
