"""The log in SQLite: rollups are the fold of the log for any sequence of events, in any batches."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.engines.sqlite_fold import Rebuilt
from adserver.engines.sqlite_limits import Limit
from adserver.engines.sqlite_log import SqliteLog, State
from adserver.errors import StorageFailed
from adserver.measurement.event import Event
from tests.engines.logs import event, new_log

ROWS = st.builds(
    lambda fill, kind, slot, revenue, validity: Event(
        fill=fill,
        kind=kind,
        at_ms=1000 + fill,
        bucket=fill // 3,
        day=fill // 5,
        slot=slot,
        item=slot % 2,
        creative=slot + 10,
        revenue_micros=revenue,
        validity=validity,
    ),
    fill=st.integers(1, 12),
    kind=st.integers(1, 5),
    slot=st.integers(1, 3),
    revenue=st.integers(0, 10**9),
    validity=st.sampled_from([0, 0, 0, 2, 3]),
)


class Fold:
    """An independent fold: the first of each (fill, kind) counts, everything else is marked."""

    def __init__(self, rows: Sequence[Event]) -> None:
        seen: dict[tuple[int, int], Event] = {}
        self.rollup: dict[object, list[int]] = {}
        self.progress: dict[object, list[int]] = {}
        self.delivered: dict[object, list[int]] = {}
        self.marked: Counter[object] = Counter()
        for row in rows:
            first = seen.setdefault((row.fill, row.kind), row)
            cell = (first.bucket, first.slot, first.creative)
            if first is not row:
                self.marked[(*cell, row.kind, 1)] += 1
            elif row.validity:
                self.marked[(*cell, row.kind, row.validity)] += 1
            else:
                self._add(self.rollup, cell, row)
                self._add(self.progress, (row.day, row.item), row)
                self._add(self.delivered, (row.item,), row)

    @staticmethod
    def _add(table: dict[object, list[int]], key: object, row: Event) -> None:
        sums = table.setdefault(key, [0] * 6)
        sums[row.kind - 1] += 1
        sums[5] += row.revenue_micros


def stored(database: sqlite3.Connection, table: str, keys: int) -> dict[object, list[int]]:
    """A table of sums by its key."""
    rows = database.execute(f"SELECT * FROM {table}")  # noqa: S608  (our own names)
    return {row[:keys]: list(row[keys:]) for row in rows}


def without_measurable(table: dict[object, list[int]]) -> dict[object, list[int]]:
    """Progress has no column for events of kind 2, and yet a row for what had nothing else."""
    return {key: [sums[0], *sums[2:]] for key, sums in table.items()}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(ROWS, max_size=8), max_size=12))
def test_all_sums_are_the_fold_of_the_log(batches: list[list[Event]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = new_log(Path(folder))
        # `is` tells the first of several equal rows from the others: make each one an object of its own.
        fold = Fold([Event(*row) for batch in batches for row in batch])
        told: Counter[object] = Counter()
        for batch in batches:
            for one in log.commit(batch, {}).counted:
                told[one.item, one.day, one.kind] += one.event_count
                told[one.item, "revenue"] += one.revenue_micros
        database = sqlite3.connect(Path(folder) / "log.db")
        assert stored(database, "rollup", 3) == fold.rollup
        assert stored(database, "progress", 2) == without_measurable(fold.progress)
        assert stored(database, "delivered", 1) == without_measurable(fold.delivered)
        assert {row[:5]: row[5] for row in database.execute("SELECT * FROM marked_rollup")} == fold.marked
        assert +told == told_by(fold)
        assert log.rebuild().equal
        database.close()
        log.close()


def told_by(fold: Fold) -> Counter[object]:
    """What the commits must have said, in the sum of all of them."""
    told: Counter[object] = Counter()
    for key, sums in fold.progress.items():
        day, item = cast(tuple[int, int], key)
        told.update({(item, day, kind): count for kind, count in enumerate(sums[:5], start=1)})
        told[item, "revenue"] += sums[5]
    return +told


def test_rebuild_finds_and_mends_every_wrong_row(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.commit([event(n, day=n // 3, revenue_micros=5) for n in range(10)], {})
    log.commit([event(3, at_ms=2000, revenue_micros=5)], {})
    database = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    tables = ("rollup", "progress", "delivered")
    before = [stored(database, table, 1) for table in tables]
    database.execute("UPDATE rollup SET revenue_micros = revenue_micros + 1 WHERE bucket = 4")
    database.execute("DELETE FROM rollup WHERE bucket = 5")
    database.execute("INSERT INTO rollup (bucket, slot, creative) VALUES (99, 1, 2)")
    database.execute("DELETE FROM marked_rollup")
    database.execute("UPDATE progress SET click_count = 1 WHERE day = 2")
    database.execute("DELETE FROM delivered")
    rebuilt = log.rebuild()
    assert rebuilt == Rebuilt(10, 3, 1, wrong_progress_count=2, wrong_breakdown_count=0)
    assert (rebuilt.wrong_count, rebuilt.equal) == (6, False)
    assert [stored(database, table, 1) for table in tables] == before
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
    bad = event(2)._replace(bucket=None)  # type: ignore[arg-type]  # what the table refuses
    with pytest.raises(StorageFailed):
        log.commit([event(1), bad], {(1, 1, "filled"): 1}, [State("pacing", 1, b"x")])
    assert log.load_state("pacing") is None
    database = sqlite3.connect(tmp_path / "log.db")
    for table in ("event", "rollup", "request_rollup", "progress", "delivered"):
        count = f"SELECT count(*) FROM {table}"  # noqa: S608  (our own names)
        assert database.execute(count).fetchone() == (0,)
    database.close()
    assert log.commit([event(1)], {}).count == 1
    log.close()


def test_a_state_is_what_was_last_saved(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    assert log.load_state("pacing") is None
    log.commit([], {}, [State("pacing", 1, b"one"), State("traffic", 1, b"\0\xff")])
    log.commit([event(1)], {}, [State("pacing", 2, b"two")])
    log.close()
    again = SqliteLog(tmp_path / "log.db")
    assert (again.load_state("pacing"), again.load_state("traffic")) == (b"two", b"\0\xff")
    again.close()


def test_the_secret_stays_and_node_numbers_do_not_repeat(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    secret, number = log.secret(), log.node_number()
    log.close()
    again = SqliteLog(tmp_path / "log.db")
    assert again.secret() == secret
    assert len(secret) == 32
    assert again.node_number() == number + 1
    again.close()


def test_a_batch_is_looked_up_by_key_and_nothing_that_grows_is_read_through(tmp_path: Path) -> None:
    """However long the log, a batch looks up its own rows and line items."""
    log = new_log(tmp_path)
    statements: list[str] = []
    log._db.set_trace_callback(statements.append)
    log.limit([Limit(7, 1, 10, 100, 10)])
    log.commit([event(1), event(1, 3)], {})
    log._db.set_trace_callback(None)
    plans = [
        row[3]
        for statement in statements
        if statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "WITH"))
        for row in log._db.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert len(plans) > 20
    assert any("SEARCH e USING PRIMARY KEY" in plan for plan in plans)
    growing = ("event", "e", "shown", "rollup", "progress", "p", "delivered", "d")
    assert not [plan for plan in plans if plan in {f"SCAN {table}" for table in growing}]
    log.close()
