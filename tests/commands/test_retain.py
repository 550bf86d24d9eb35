"""`adserver retain`, killed and finished; the server that does the same; and repeats that come much later."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adserver.catalog.model import Catalog
from adserver.clock import bucket_of_ms, to_ms
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.event import Event
from adserver.measurement.retention import retire
from adserver.settings import Settings
from tests.newsroom import NOW, PAID, apply_catalog, catalog_of, line_item, rows, server
from tests.processes import adserver, serving

OLD_DAYS = 3
EVENTS_PER_DAY = 4000
REPEATED = "SELECT sum(event_count) FROM marked_rollup WHERE kind = 4"
COUNTED = "SELECT sum(impression_count), sum(click_count), sum(revenue_micros) FROM rollup"


def old_log(db: Path) -> list[tuple[int, int]]:
    """A database with three days of events of long ago; their fills and kinds."""
    apply_catalog(db, PAID)
    with server(db, None):
        pass  # makes the tables
    log = SqliteLog(db)
    start = to_ms(NOW - timedelta(days=500)) // 86_400_000 * 86_400_000
    made = []
    for n in range(OLD_DAYS * EVENTS_PER_DAY):
        at_ms = start + n * (86_400_000 // EVENTS_PER_DAY)
        bucket = bucket_of_ms(at_ms)
        made.append(Event(at_ms << 22, 1, at_ms, bucket, bucket // 96, 1, 7, 2, 4500, 0))
    log.commit(made, {})
    log.close()
    return [(event.fill, event.kind) for event in made]


def archived(db: Path) -> list[tuple[int, int]]:
    parquet = pytest.importorskip("pyarrow.parquet")
    found: list[tuple[int, int]] = []
    for file in sorted((db.parent / "archive").glob("events-*.parquet")):
        table = parquet.read_table(file, columns=["fill", "kind"]).to_pydict()
        found += zip(table["fill"], table["kind"], strict=True)
    return found


def test_without_pyarrow_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = tmp_path / "a.db"
    known = old_log(db)
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "pyarrow.py").write_text("raise ImportError('not installed')", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path / "absent"), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    refused = adserver("retain", "--db", str(db))
    assert refused.returncode == 2
    assert refused.stderr.startswith("environment: ADSERVER_KEEP_EVENTS_DAYS: needs pyarrow")
    assert "pip install 'adserver[archive]'" in refused.stderr
    assert rows(db, "SELECT fill, kind FROM event") == known
    idle = adserver("retain", "--db", str(db), "--keep-events-days", "0")
    assert idle.returncode == 0
    assert idle.stdout.startswith("nothing to do: raw events are kept for ever\n")
    assert rows(db, "SELECT fill, kind FROM event") == known


def test_a_killed_run_loses_nothing_and_the_next_finishes(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    db = tmp_path / "a.db"
    known = old_log(db)
    counted = rows(db, COUNTED)
    command = [sys.executable, "-m", "adserver", "retain", "--db", str(db)]
    for wait in (0.02, 0.1, 0.25):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 30
        before = len(rows(db, "SELECT 1 FROM event"))
        while len(rows(db, "SELECT 1 FROM event")) == before and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(wait)
        running.kill()
        running.wait()
        left = rows(db, "SELECT fill, kind FROM event")
        assert left, "it was to be killed in the middle"
        assert set(known) == {*left, *archived(db)}
        assert adserver("rebuild", "--db", str(db)).returncode == 0
    done = adserver("retain", "--db", str(db))
    assert done.returncode == 0, done.stderr
    assert rows(db, "SELECT count(*) FROM event") == [(0,)]
    assert archived(db) == known
    assert rows(db, COUNTED) == counted
    rebuilt = adserver("rebuild", "--db", str(db))
    assert rebuilt.stdout.startswith(
        "equal: the rollups are the fold of 0 events of 2025-07-15 (UTC) and after;"
    )


def test_a_running_server_does_it_too_and_goes_on_counting(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    db = tmp_path / "a.db"
    known = old_log(db)
    with serving(db, ADSERVER_RETAIN_SECONDS="1"):
        until = time.monotonic() + 30
        while rows(db, "SELECT count(*) FROM event") != [(0,)] and time.monotonic() < until:
            time.sleep(0.05)
    assert rows(db, "SELECT count(*) FROM event") == [(0,)]
    assert archived(db) == known


def free_of_limits() -> Catalog:
    """One line item that takes every request of `side`."""
    return catalog_of(line_item("paid", "price", "300x250", price={"cpm": "4.50"}))


def test_repeats_of_removed_events_are_late_and_count_for_nothing(tmp_path: Path) -> None:
    """The same beacon again at many a moment, whether its row is still there or not."""
    pytest.importorskip("pyarrow")
    db, now = tmp_path / "a.db", NOW
    keep_days = 31  # the fewest that the click window of 30 days allows
    settings = Settings(db=db, keep_events_days=keep_days)

    def clock() -> datetime:
        return now

    kept: dict[str, Any] = {"keep_events_days": keep_days, "min_click_delay_ms": 0}
    with server(db, free_of_limits(), clock=clock, **kept) as client:
        page = {"site": "daily", "page": {}, "slots": [{"slot": "side"}]}
        (fill,) = client.post("/v1/fill", json=page).json()["fills"]
        beacon = {"events": [{"fill": fill["fill"], "type": kind} for kind in ("impression", "viewable")]}
        assert client.post("/v1/events", json=beacon).status_code == 204
        assert client.get(fill["creative"]["click"]).status_code == 302
        assert client.post("/v1/events", json={"events": []}).status_code in (204, 400)
        counted = _settled(db, clicks=1)
        moments = (24, 29 * 24, 31 * 24, 31 * 24 + 17, 31 * 24 + 18, 32 * 24, 400 * 24)
        for repeat_count, hours in enumerate(moments, start=1):
            now = NOW + timedelta(hours=hours)
            retire(settings, now)
            assert client.post("/v1/events", json=beacon).status_code == 204
            assert client.get(fill["creative"]["click"]).status_code == 302
            _wait_for(db, REPEATED, repeat_count)
            assert rows(db, COUNTED) == counted
    assert rows(db, "SELECT count(*) FROM event WHERE validity = 0") == [(0,)], "all of them were removed"
    assert rows(db, "SELECT DISTINCT validity FROM marked_rollup ORDER BY 1") == [(1,), (2,)]
    assert adserver("rebuild", "--db", str(db)).returncode == 0


def _settled(db: Path, *, clicks: int) -> list[tuple[int, int, int]]:
    """The sums, once a click that nobody waited for is among them."""
    _wait_for(db, "SELECT sum(click_count) FROM rollup", clicks)
    counted = rows(db, COUNTED)
    assert counted == [(1, clicks, 4500)]
    return counted


def _wait_for(db: Path, query: str, expected: int) -> None:
    """Wait for what a click's answer does not wait for."""
    until = time.monotonic() + 30
    while rows(db, query) != [(expected,)] and time.monotonic() < until:
        time.sleep(0.01)
    assert rows(db, query) == [(expected,)]


def test_reports_of_old_days_are_the_same_before_and_after(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    db = tmp_path / "a.db"
    old_log(db)
    slot = apply_catalog(db, PAID).ids["slot", "daily", "side"]
    with closing(sqlite3.connect(db)) as database, database:
        for table in ("event", "rollup"):
            database.execute(f"UPDATE {table} SET slot = ?", (slot,))  # noqa: S608  (our own names)
    names = ("revenue.csv", "slots.csv")
    query = "?site=daily&from=2025-07-01&to=2025-07-31"

    def reports() -> list[str]:
        here = {"host": "127.0.0.1"}
        with server(db, None) as client:
            return [client.get(f"/reports/{name}{query}", headers=here).text for name in names]

    before = reports()
    assert "12000" in before[1]
    done = adserver("retain", "--db", str(db))
    assert "rollups thinned: 8 days of slots to hours, 0 to one row;" in done.stdout, done.stderr
    assert rows(db, "SELECT count(*) FROM rollup") == [(73,)]
    assert reports() == before
    assert adserver("rebuild", "--db", str(db)).returncode == 0
