"""Which creative is weak: only what is sure is said, in each form alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from starlette.testclient import TestClient

from adserver.measurement.lines import CreativeLine
from adserver.measurement.owners import Owner
from adserver.measurement.report import Report, Totals
from dashboards.creative_pages import creative_rows, creatives_page, groups, sentence
from tests.dashboards.payloads import payloads
from tests.dashboards.test_exports import Tags
from tests.dashboards.test_hours_and_pace import CHOICE
from tests.measurement.test_cuts import play, visitors
from tests.newsroom import NOW, server


def report(*counts: tuple[str, str, int, int]) -> Report:
    """Creatives as (line item, name, impressions, clicks)."""
    lines = tuple(
        CreativeLine(
            Owner(name, item, "autumn", "bank", "price", archived=False),
            Totals(impression_count=seen, click_count=clicks),
        )
        for item, name, seen, clicks in counts
    )
    return Report(CHOICE, Totals(), (), (), (), (), None, creatives=lines)


def test_a_creative_is_weak_when_another_is_surely_better_and_open_otherwise() -> None:
    found = groups(report(("a", "good", 40_000, 400), ("a", "bad", 40_000, 80), ("a", "new", 50, 0)))
    ((line_item, judged),) = [(group.line_item, group.creatives) for group in found]
    assert line_item == "a"
    assert [(one.line.owner.creative, one.verdict) for one in judged] == [
        ("good", ""),
        ("bad", "weak"),
        ("new", ""),
    ]
    assert [one.line.owner.creative for one in found[0].shown] == ["good", "bad"]
    assert sentence(found) == "1 creative surely weaker than another of the line item: bad."
    (two,) = groups(report(("a", "good", 40_000, 400), ("a", "bad", 40_000, 80)))
    assert [one.verdict for one in two.creatives] == ["best", "weak"]


def test_what_is_near_stays_open_and_line_items_are_not_compared() -> None:
    close = groups(report(("a", "x", 4000, 12), ("a", "y", 4000, 9)))
    assert {one.verdict for one in close[0].creatives} == {""}
    assert sentence(close).startswith("In none of 1 line item ")
    apart = groups(report(("a", "x", 40_000, 400), ("b", "y", 40_000, 8)))
    assert {one.verdict for group in apart for one in group.creatives} == {""}
    assert sentence(apart) == "No line item had two creatives to choose from."
    assert sentence(groups(report())) == "No creative had an impression."


def test_more_creatives_need_more_to_be_told_apart() -> None:
    pair = groups(report(("a", "x", 9000, 90), ("a", "y", 9000, 40)))[0].creatives
    many = groups(report(*[("a", f"c{n}", 9000, 90 if n else 40) for n in range(12)]))[0].creatives
    assert many[-1].interval.high > pair[-1].interval.high


def test_no_name_adds_a_tag_or_an_attribute() -> None:
    some = [*dict.fromkeys(payloads()[:24])]
    found, expected = (
        Tags(creatives_page(report(*[(name, name, 900, 9) for name in names]), []))
        for names in (some, [f"creative-{n}" for n in range(len(some))])
    )
    assert found.seen == expected.seen


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Two days of some browsers, and the server that reports on them."""
    db: Path = tmp_path_factory.mktemp("creatives") / "a.db"
    rng = Random(5)
    play(db, visitors(12, rng), rng, pages=80)
    with server(db, None, clock=lambda: NOW) as opened:
        opened.base_url = "http://127.0.0.1"
        yield opened


@pytest.mark.parametrize("slot", ["", "side"])
def test_creatives_add_up_to_the_other_reports_in_each_form(client: TestClient, slot: str) -> None:
    query = {"slot": slot}
    rows = client.get("/reports/creatives.json", params=query).json()["rows"]
    text = client.get("/reports/creatives.csv", params=query).text
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    total = client.get("/reports/slots.json", params=query).json()["total"]
    for name in ("impression_count", "measurable_count", "viewable_count", "click_count"):
        assert sum(row[name] for row in rows) == total[name]
        assert [int(line[name]) for line in lines] == [row[name] for row in rows]
    assert {row["line_item"] for row in rows} <= {"wide", "box", "other"}
    assert all(row["ctr_low"] <= row["ctr"] <= row["ctr_high"] for row in rows)
    assert len(creative_rows(report())) == 0
