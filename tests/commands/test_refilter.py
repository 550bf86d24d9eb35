"""`adserver refilter` and `audit`: what is marked by hand counts in no report, until it is marked no more."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adserver.engines.catalog_store import Stored
from adserver.errors import InvalidInput
from adserver.measurement.event import Kind
from adserver.measurement.marks import read_marks
from tests.newsroom import NOW, apply_catalog, catalog_of, line_item, rows, server
from tests.processes import adserver

CATALOG = catalog_of(
    line_item("wide", "price", "728x90", price={"cpm": "4.00"}),
    line_item("box", "price", "300x250", price={"cpc": "0.50"}),
)
HEAD = "from,until,site,slot,line_item,kind,reason\n"
LOCAL = {"host": "127.0.0.1"}


def read_pages(db: Path, count: int) -> None:
    """Pages, a minute after the other from NOW on, of which every second box is clicked."""
    time = [NOW]
    with server(db, CATALOG, clock=lambda: time[0]) as client:
        for n in range(count):
            time[0] = NOW + timedelta(minutes=n)
            ask = {"site": "daily", "slots": [{"slot": "top"}, {"slot": "side"}]}
            fills = client.post("/v1/fill", json=ask).json()["fills"]
            events = [{"fill": one["fill"], "type": "impression"} for one in fills]
            assert client.post("/v1/events", json={"events": events}).status_code == 204
            if n % 2:
                time[0] += timedelta(seconds=2)
                assert client.get(fills[1]["creative"]["click"]).status_code == 302


def total(db: Path) -> dict[str, Any]:
    """What the report of today says of the whole site."""
    with server(db, None, clock=lambda: NOW + timedelta(hours=1)) as client:
        answer = client.get("/reports/slots.json?period=today", headers=LOCAL).json()
        found: dict[str, Any] = answer["total"]
        return found


def run(db: Path, *words: str) -> str:
    """A command that succeeds, and what it prints."""
    done = adserver(*words, "--db", str(db))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_marked_traffic_is_shown_first_then_restated_everywhere_and_can_be_undone(tmp_path: Path) -> None:
    db, marks = tmp_path / "a.db", tmp_path / "marks.csv"
    read_pages(db, 6)
    before = total(db)
    assert (before["impression_count"], before["click_count"], before["revenue"]) == (12, 3, "1.524")
    # 11:45 in Kathmandu is when it began: the pages of the minutes 2 and 3.
    marks.write_text(f"{HEAD}2026-11-24T11:47,2026-11-24T11:49,daily,,,,click farm\n")
    shown = run(db, "refilter", "--marks", str(marks))
    assert "Would change: 5 events of 2 line items, 2026-11-24; revenue -0.508." in shown
    assert "excluded +5, valid -5" in shown
    assert total(db) == before
    restated = run(db, "refilter", "--marks", str(marks), "--apply", "--author", "sita")
    assert "Restated: 5 events" in restated
    after = total(db)
    assert (after["impression_count"], after["click_count"], after["revenue"]) == (8, 2, "1.016")
    assert after["gross_impression_count"] == before["gross_impression_count"] == 12
    run(db, "rebuild")
    assert run(db, "refilter") == "Nothing to change.\n"
    assert "sita  refilter: 5 events of 2 line items, 2026-11-24; revenue -0.508" in run(db, "audit")
    told = json.loads(run(db, "audit", "1"))
    assert ["2026-11-24", "box", "click", "valid", "excluded", 1, -500_000] in told["changes"]
    marks.write_text(HEAD)
    run(db, "refilter", "--marks", str(marks), "--apply")
    assert total(db) == before


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """The catalog as it is stored."""
    return apply_catalog(tmp_path_factory.mktemp("marks") / "a.db", CATALOG)


def test_a_line_names_what_it_marks(tmp_path: Path, stored: Stored) -> None:
    file = tmp_path / "marks.csv"
    lines = (
        "2026-11-24,2026-11-25T00:00Z,,,,,all",
        "2026-11-24T09:00,2026-11-24T10:00,daily,top,box,click,one",
        "2026-11-24T09:00,2026-11-24T10:00,daily,,,,site",
    )
    file.write_text(HEAD + "\n".join(lines))
    first, second, *site = read_marks(file, stored, 3)
    assert first[2:] == (None, None, None, "all")
    assert first.until_ms - first.from_ms == (24 * 60 + 5 * 60 + 45) * 60_000
    top, box = stored.ids["slot", "daily", "top"], stored.ids["line_item", "box"]
    assert second[2:] == (top, box, Kind.CLICK, "one")
    assert {one.slot for one in site} == {top, stored.ids["slot", "daily", "side"]}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("yesterday,2026-11-25,,,,,x", "line 2: from: 'yesterday' is not a time such as"),
        ("2026-11-25,2026-11-25,,,,,x", "line 2: until: is not after from"),
        ("2026-11-24,2199-01-01,,,,,x", "line 2: until: '2199-01-01' is before 1970 or too far ahead"),
        ("2026-11-24,2026-11-25,weekly,,,,x", "line 2: site: 'weekly' was never in the catalog"),
        ("2026-11-24,2026-11-25,,middle,,,x", "line 2: slot: 'middle' was never in the catalog"),
        ("2026-11-24,2026-11-25,,,none,,x", "line 2: line_item: 'none' was never in the catalog"),
        ("2026-11-24,2026-11-25,,,,flat_day,x", "line 2: kind: 'flat_day' is none of impression, "),
        ("2026-11-24,2026-11-25,,,,,", "line 2: reason: is empty"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, stored: Stored, line: str, fault: str) -> None:
    file = tmp_path / "marks.csv"
    file.write_text(f"{HEAD}{line}\n")
    with pytest.raises(InvalidInput) as raised:
        read_marks(file, stored, 10)
    assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("from,until\n", "line 1: has no column reason"),
        ("from,until,reason,slots\n", "line 1: column 'slots' is none of from"),
        (HEAD + "2026-11-24,2026-11-25,,,,,x\n" * 3, "has 3 marks; 2 are the most (ADSERVER_MAX_MARKS)"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, stored: Stored, text: str, fault: str) -> None:
    file = tmp_path / "marks.csv"
    file.write_text(text)
    with pytest.raises(InvalidInput) as raised:
        read_marks(file, stored, 2)
    assert fault in str(raised.value)


def test_what_is_not_there_is_said_and_changes_nothing(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    for words in (("refilter",), ("audit",)):
        done = adserver(*words, "--db", str(db))
        assert (done.returncode, "there is no such file" in done.stderr) == (2, True)
    assert not db.exists()
    read_pages(db, 1)
    before = rows(db, "SELECT * FROM event")
    (tmp_path / "marks.csv").write_text("from\n")
    done = adserver("refilter", "--apply", "--marks", str(tmp_path / "marks.csv"), "--db", str(db))
    assert done.returncode == 2
    assert rows(db, "SELECT * FROM event") == before
