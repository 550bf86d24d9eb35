"""`adserver forecast` as ad ops type it: of what is stored, and of a file that is not applied yet."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adserver.catalog.file import dump
from adserver.catalog.model import Catalog
from adserver.clock import system_clock, to_ms
from adserver.decision.context import Context
from adserver.decision.saved import pack
from adserver.decision.steering import Learned
from adserver.decision.traffic import Level
from adserver.decision.week import Sample
from adserver.engines.migrate import migrate
from adserver.engines.sql import sqlite_url
from adserver.engines.sqlite_log import SqliteLog, State
from adserver.loop import STATE
from tests.commands.test_explain_command import Shell
from tests.decision.explaining import TOP, own
from tests.newsroom import apply_catalog, catalog_of, line_item, rows

NOW = system_clock()
DAY = timedelta(days=1)


def booked(*goals: int) -> Catalog:
    """A flight of the next two days for each goal, and a house ad."""
    flight: dict[str, Any] = {"price": {"cpm": "2"}, "start": NOW - DAY, "end": NOW + 2 * DAY}
    items = [
        line_item(f"flight-{n}", "guaranteed", "728x90", goal={"impressions": goal}, **flight)
        for n, goal in enumerate(goals)
    ]
    return catalog_of(*items, own())


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADSERVER_DB", "a.db")
    apply_catalog(tmp_path / "a.db", booked(600))
    return Shell(tmp_path, capsys, monkeypatch, "forecast")


def remember_a_week(db: Path) -> None:
    """As a server leaves it behind: 30 pages an hour."""
    samples = [Sample(NOW - timedelta(minutes=20 * n), Context("daily"), (TOP,)) for n in range(504)]
    learned = Learned(level=Level(30 * 48, 48), samples=samples)
    asyncio.run(migrate(sqlite_url(db), "events"))
    log = SqliteLog(db)
    log.commit([], {}, [State(STATE, to_ms(NOW), pack(learned))])
    log.close()


def test_goals_are_told_with_what_will_be_counted(shell: Shell) -> None:
    remember_a_week(shell.folder / "a.db")
    status, out, err = shell("--days", "2")
    assert (status, err) == (0, "")
    told = next(line.split() for line in out.splitlines() if line.startswith("flight-0"))
    assert told[1] == "guaranteed" and told[-1] == "met"
    assert "1 of 1 goals on their way." in out
    assert rows(shell.folder / "a.db", "SELECT count(*) FROM event") == [(0,)], "nothing is changed"


def test_a_file_is_tried_before_it_is_applied(shell: Shell) -> None:
    remember_a_week(shell.folder / "a.db")
    (shell.folder / "more.toml").write_text(dump(booked(600, 9_000)), encoding="utf-8")
    status, out, _ = shell("more.toml", "--json", "--days", "2")
    told = {one["line_item"]: one for one in json.loads(out)}
    assert status == 0 and set(told) == {"flight-0", "flight-1", "own"}
    assert told["flight-1"]["missed_rate"] > 0.5 and told["flight-1"]["due"] == 9_000
    assert told["flight-0"]["revenue"] and told["own"]["due"] is None
    assert rows(shell.folder / "a.db", "SELECT max(version) FROM catalog_version") == [(1,)]


def test_what_cannot_be_answered_is_said_in_a_line(shell: Shell) -> None:
    assert shell() == (2, "", "0 page requests are known; a forecast needs 20\n")
    status, _, err = shell("--db", "none.db")
    assert (status, err) == (2, "none.db: --db: there is no such file\n")
    (shell.folder / "bad.toml").write_text("[[site]]\n", encoding="utf-8")
    status, _, err = shell("bad.toml")
    assert status == 2 and "bad.toml: site" in err
