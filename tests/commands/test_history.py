"""`adserver import` and `adserver rebuild`, run as an operator runs them."""

from __future__ import annotations

import csv
import gzip
import sqlite3
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.newsroom import PAID, apply_catalog, rows, server
from tests.processes import adserver

MATERIAL = Path(__file__).parents[2].parent / "shared" / "material" / "impressions_open_bandit_men.csv.gz"
TOKYO, KATHMANDU = "Asia/Tokyo", "Asia/Kathmandu"

HISTORY = """\
at,slot,creative,type
2026-11-20T23:59:59.999+05:45,top,paid-728x90,impression
2026-11-21T00:00:00+05:45,top,paid-728x90,impression
2026-11-21T00:00:00+05:45,top,paid-728x90,impression
2026-11-21T00:00:01+05:45,side,per-click-300x250,click
"""


def history(tmp_path: Path, text: str = HISTORY) -> Path:
    """A history file."""
    file = tmp_path / "history.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_history_is_imported_once(tmp_path: Path) -> None:
    db, file = tmp_path / "a.db", history(tmp_path)
    apply_catalog(db, PAID)
    done = adserver("import", str(file), "--db", str(db))
    assert (done.returncode, done.stdout) == (0, f"{file}: imported 4 events\n"), done.stderr
    again = adserver("import", str(file), "--db", str(db))
    assert (again.returncode, again.stdout) == (0, f"{file}: was imported before; nothing was changed\n")
    totals = "SELECT sum(impression_count), sum(click_count), sum(revenue_micros) FROM rollup"
    assert rows(db, totals) == [(3, 1, 3 * 4500 + 250_000)]
    days = "day, item, {} impression_count, click_count, revenue_micros"
    by_day = rows(db, f"SELECT {days.format('')} FROM progress ORDER BY 1, 2")  # noqa: S608
    by_model = f"SELECT {days.format('value,')} FROM breakdown WHERE dimension = 9 ORDER BY 1, 2"  # noqa: S608
    ids = dict(rows(db, "SELECT path, id FROM catalog_identity WHERE kind = 'line_item'"))
    models = {ids["line_item/paid"]: 1, ids["line_item/per-click"]: 3}
    assert rows(db, by_model) == [(day, item, models[item], *sums) for day, item, *sums in by_day]
    rebuilt = adserver("rebuild", "--db", str(db))
    assert (rebuilt.returncode, rebuilt.stdout) == (0, "equal: the rollups are the fold of 4 events\n")


def test_rebuild_says_when_a_rollup_was_wrong(tmp_path: Path) -> None:
    db, file = tmp_path / "a.db", history(tmp_path)
    apply_catalog(db, PAID)
    adserver("import", str(file), "--db", str(db))
    database = sqlite3.connect(db)
    with database:
        database.execute("UPDATE rollup SET click_count = click_count + 1")
    database.close()
    wrong = adserver("rebuild", "--db", str(db))
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("not equal: 3 rows")
    assert adserver("rebuild", "--db", str(db)).returncode == 0


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("at,slot,creative\n", ["line 1: has no column type (needs at,slot,creative,type)"]),
        (
            "at,slot,creative,type\nyesterday,top,c,click\n2026-01-01,top,c,click\n2026-01-01T00:00Z,top,c,glance\n",
            [
                "line 2: at: 'yesterday' is not a time such as 2026-11-24T09:00:00+05:45",
                "line 3: at: '2026-01-01' has no offset, such as +05:45",
                "line 4: type: 'glance' is none of impression, measurable, viewable, click, conversion",
            ],
        ),
        (
            "at,slot,creative,type\n2026-01-01T00:00Z,nope,c,click\n2026-01-01T00:00Z,top,d,click\n",
            [
                "slot 'nope': is not in the catalog (--create makes it)",
                "creative 'c': is not in the catalog (--create makes it)",
                "creative 'd': is not in the catalog (--create makes it)",
            ],
        ),
    ],
)
def test_nothing_is_imported_unless_all_is_known(tmp_path: Path, text: str, problems: list[str]) -> None:
    db, file = tmp_path / "a.db", history(tmp_path, text)
    apply_catalog(db, PAID)
    refused = adserver("import", str(file), "--db", str(db))
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [f"{file}: {problem}" for problem in problems]
    with server(db):
        pass
    assert rows(db, "SELECT count(*) FROM event") == [(0,)]


def test_names_that_cannot_be_made_are_all_listed(tmp_path: Path) -> None:
    text = "at,slot,creative,type\n2026-01-01T00:00Z,Top Slot,c,click\n2026-01-01T00:00Z,top,<b>,click\n"
    db, file = tmp_path / "a.db", history(tmp_path, text)
    apply_catalog(db, PAID)
    refused = adserver("import", str(file), "--db", str(db), "--create")
    assert refused.returncode == 2
    assert [line.split(":")[0] for line in refused.stderr.splitlines()] == [
        "slot 'Top Slot'",
        "creative '<b>'",
    ]
    assert rows(db, "SELECT max(version) FROM catalog_version") == [(1,)]


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    for file, content in (("none.csv", None), ("bad.csv.gz", b"no gzip"), ("latin.csv", b"at,slot\xe9\n")):
        if content is not None:
            (tmp_path / file).write_bytes(content)
        refused = adserver("import", str(tmp_path / file), "--db", str(tmp_path / "a.db"))
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 1
        assert file in refused.stderr


def bandit_rows() -> list[tuple[datetime, str, str, bool]]:
    """(at, position, item, clicked) of the Open Bandit Dataset's sample."""
    with gzip.open(MATERIAL, "rt", encoding="utf-8", newline="") as text:
        return [
            (datetime.fromisoformat(row["timestamp"]), row["position"], row["item"], row["click"] == "1")
            for row in csv.DictReader(text)
        ]


@pytest.mark.skipif(not MATERIAL.exists(), reason="../shared/material is not there")
def test_a_real_history_keeps_every_total(tmp_path: Path) -> None:
    """10,000 real impressions and their clicks: totals by item, position and local day equal the file's."""
    real = bandit_rows()
    file = tmp_path / "bandit.csv"
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(("at", "slot", "creative", "type"))
        for at, position, item, clicked in real:
            names = (at.isoformat(), f"position-{position}", f"item-{item}")
            writer.writerow((*names, "impression"))
            if clicked:
                writer.writerow((*names, "click"))
    for zone in ("UTC", TOKYO, KATHMANDU):
        db = tmp_path / f"{zone.replace('/', '-')}.db"
        made = ["--create", "--site", "zozo", "--timezone", zone, "--currency", "JPY"]
        done = adserver("import", str(file), "--db", str(db), *made)
        assert (done.returncode, done.stdout) == (0, f"{file}: imported 10046 events\n"), done.stderr
        _check_totals(db, real)
        _check_days(db, real, ZoneInfo(zone))


def _check_totals(db: Path, real: list[tuple[datetime, str, str, bool]]) -> None:
    sums = "sum(impression_count), sum(click_count) FROM rollup JOIN catalog_identity i"
    assert rows(db, "SELECT sum(impression_count), sum(click_count) FROM rollup") == [(10_000, 46)]
    for column, stem, place in (("creative", "creative/item-", 2), ("slot", "slot/zozo/position-", 1)):
        stored = rows(db, f"SELECT replace(i.path, '{stem}', ''), {sums} ON i.id = {column} GROUP BY 1")
        shown = Counter(str(row[place]) for row in real)
        clicked = Counter(str(row[place]) for row in real if row[3])
        assert {name: (n, c) for name, n, c in stored} == {
            name: (n, clicked[name]) for name, n in shown.items()
        }


def _check_days(db: Path, real: list[tuple[datetime, str, str, bool]], zone: ZoneInfo) -> None:
    """The days of the CSV that a publisher downloads against the file cut by the calendar."""
    shown = Counter(at.astimezone(zone).date() for at, *_ in real)
    clicked = Counter(at.astimezone(zone).date() for at, _, _, click in real if click)
    first, last = min(shown), max(shown)
    # The stored catalog stays as the import made it: no catalog is applied here.
    with server(db, None) as client:
        query = f"?site=zozo&from={first}&to={last}"
        answer = client.get(f"/reports/revenue.csv{query}", headers={"host": "127.0.0.1"})
        assert answer.status_code == 200, answer.text
    days = {
        date.fromisoformat(row["day"]): (int(row["impression_count"]), int(row["click_count"]))
        for row in csv.DictReader(answer.text.splitlines())
        if row["day"] != "total"
    }
    assert days == {day: (count, clicked[day]) for day, count in shown.items()}
