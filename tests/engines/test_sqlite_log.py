"""The log in SQLite: rollups are the fold of the log for any sequence of events, in any batches."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.engines.catalog_store import sqlite_url
from adserver.engines.migrate import migrate
from adserver.engines.sqlite_log import Row, SqliteLog
from adserver.errors import StorageFailed
from adserver.measurement.event import Event

ROWS = st.builds(
    lambda fill, kind, slot, revenue, validity: (
        (fill, kind, 1000 + fill, fill // 3, slot, slot + 10, 0 if validity else revenue, validity)
    ),
    fill=st.integers(1, 12),
    kind=st.integers(1, 5),
    slot=st.integers(1, 3),
    revenue=st.integers(0, 10**9),
    validity=st.sampled_from([0, 0, 0, 2, 3]),
)


def new_log(folder: Path) -> SqliteLog:
    path = folder / "log.db"
    asyncio.run(migrate(sqlite_url(path), "events"))
    return SqliteLog(path)


def fold(rows: Sequence[Row]) -> tuple[dict[object, list[int]], Counter[object]]:
    """An independent fold: the first of each (fill, kind) counts, everything else is marked."""
    seen: dict[tuple[int, int], Row] = {}
    rollup: dict[object, list[int]] = {}
    marked: Counter[object] = Counter()
    for row in rows:
        fill, kind = row[:2]
        first = seen.setdefault((fill, kind), row)
        _, _, _, bucket, slot, creative, revenue, validity = first
        if first is not row:
            marked[bucket, slot, creative, kind, 1] += 1
        elif validity:
            marked[bucket, slot, creative, kind, validity] += 1
        else:
            sums = rollup.setdefault((bucket, slot, creative), [0] * 6)
            sums[kind - 1] += 1
            sums[5] += revenue
    return rollup, marked


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(ROWS, max_size=8), max_size=12))
def test_rollups_are_the_fold_of_the_log(batches: list[list[Row]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = new_log(Path(folder))
        # `is` tells the first of several equal rows from the others: make each one an object of its own.
        rows = [Event(*row) for batch in batches for row in batch]
        for batch in batches:
            log.commit(batch, {})
        database = sqlite3.connect(Path(folder) / "log.db")
        rollup, marked = fold(rows)
        stored = {row[:3]: list(row[3:]) for row in database.execute("SELECT * FROM rollup")}
        assert stored == rollup
        assert {row[:5]: row[5] for row in database.execute("SELECT * FROM marked_rollup")} == dict(marked)
        assert log.rebuild().equal
        database.close()
        log.close()


def test_rebuild_finds_and_mends_every_wrong_row(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.commit([(n, 1, 1000, n, 1, 2, 5, 0) for n in range(10)], {})
    log.commit([(3, 1, 2000, 3, 1, 2, 5, 0)], {})
    database = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    before = database.execute("SELECT * FROM rollup").fetchall()
    database.execute("UPDATE rollup SET revenue_micros = revenue_micros + 1 WHERE bucket = 4")
    database.execute("DELETE FROM rollup WHERE bucket = 5")
    database.execute("INSERT INTO rollup (bucket, slot, creative) VALUES (99, 1, 2)")
    database.execute("DELETE FROM marked_rollup")
    rebuilt = log.rebuild()
    assert (rebuilt.event_count, rebuilt.wrong_rollup_count, rebuilt.wrong_marked_count) == (10, 3, 1)
    assert database.execute("SELECT * FROM rollup").fetchall() == before
    assert log.rebuild().equal
    database.close()
    log.close()


def test_counts_of_requests_add_up(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.commit([], {(1, 2, "filled"): 3, (1, 2, "no_eligible"): 1})
    log.commit([], {(1, 2, "filled"): 4})
    database = sqlite3.connect(tmp_path / "log.db")
    rows = database.execute("SELECT * FROM request_rollup ORDER BY outcome").fetchall()
    assert rows == [(1, 2, "filled", 7), (1, 2, "no_eligible", 1)]
    database.close()
    log.close()


def test_a_failed_commit_writes_nothing(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    bad = [(1, 1, 1, 1, 1, 1, 1, 0), (2, 1, 1, None, 1, 1, 1, 0)]
    with pytest.raises(StorageFailed):
        log.commit(bad, {(1, 1, "filled"): 1})  # type: ignore[arg-type]
    database = sqlite3.connect(tmp_path / "log.db")
    for table in ("event", "rollup", "request_rollup"):
        count = f"SELECT count(*) FROM {table}"  # noqa: S608  (our own names)
        assert database.execute(count).fetchone() == (0,)
    database.close()
    assert log.commit([(1, 1, 1, 1, 1, 1, 1, 0)], {}) == 1
    log.close()


def test_the_secret_stays_and_node_numbers_do_not_repeat(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    secret, number = log.secret(), log.node_number()
    log.close()
    again = SqliteLog(tmp_path / "log.db")
    assert again.secret() == secret
    assert len(secret) == 32
    assert again.node_number() == number + 1
    again.close()


def test_single_use_finds_repeats_by_the_key_and_not_by_reading_the_log(tmp_path: Path) -> None:
    """However long the log, a batch looks up its own rows: no statement scans `event`."""
    log = new_log(tmp_path)
    statements: list[str] = []
    log._db.set_trace_callback(statements.append)
    log.commit([(1, 1, 1, 1, 1, 1, 1, 0)], {})
    log._db.set_trace_callback(None)
    plans = [
        row[3]
        for statement in statements
        if statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "WITH"))
        for row in log._db.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert any("SEARCH e USING PRIMARY KEY" in plan for plan in plans)
    assert not [plan for plan in plans if plan in ("SCAN event", "SCAN e")]
    log.close()
