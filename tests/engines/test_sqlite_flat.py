"""Flat days in the log: each once for its line item, whole or not at all, from any number of workers."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.engines.sqlite_limits import Limit
from adserver.engines.sqlite_log import SqliteLog
from adserver.errors import StorageFailed
from adserver.measurement.event import Event, Kind, Validity
from tests.engines.logs import event, new_log
from tests.newsroom import rows

PRICE, PARTS = 1000, 3


def flat_day(item: int, day: int, *, fill: int, price: int = PRICE) -> list[Event]:
    """A line item's day in three parts, each with a fill of its own."""
    each, left_over = divmod(price, PARTS)
    return [
        event(fill + n, Kind.FLAT_DAY, item=item, day=day, revenue_micros=each + (n < left_over))._replace(
            slot=1 + n
        )
        for n in range(PARTS)
    ]


def earned(folder: Path) -> list[tuple[int, int, int]]:
    """What each line item earned on each day."""
    return rows(folder / "log.db", "SELECT item, day, revenue_micros FROM progress ORDER BY 1, 2")


def test_a_day_is_written_once_and_a_repeat_of_it_leaves_no_trace(tmp_path: Path) -> None:
    with closing(new_log(tmp_path)) as log:
        told = log.commit([], {}, (), (), [flat_day(7, 1, fill=10), flat_day(7, 1, fill=20)]).counted
        assert [(one.item, one.day, one.kind, one.event_count, one.revenue_micros) for one in told] == [
            (7, 1, Kind.FLAT_DAY, PARTS, PRICE)
        ]
        again = log.commit([], {}, (), (), [flat_day(7, 1, fill=30, price=5000), flat_day(7, 2, fill=40)])
        assert (again.count, again.marked) == (PARTS, {})
        assert log.rebuild().equal
    assert earned(tmp_path) == [(7, 1, PRICE), (7, 2, PRICE)]
    assert rows(tmp_path / "log.db", "SELECT slot, sum(revenue_micros) FROM rollup GROUP BY 1") == [
        (1, 668),
        (2, 666),
        (3, 666),
    ]
    assert rows(tmp_path / "log.db", "SELECT count(*) FROM marked_rollup") == [(0,)]
    assert rows(tmp_path / "log.db", "SELECT * FROM flat_day") == [(7, 1), (7, 2)]


@pytest.mark.parametrize(
    ("limit", "days"),
    [
        (Limit(7, budget_micros=2 * PRICE), [1, 2]),
        (Limit(7, budget_micros=3 * PRICE - 1), [1, 2]),
        (Limit(7, budget_micros=PRICE // 2), []),
        (Limit(7, daily_budget_micros=PRICE), [1, 2, 3]),
        (Limit(7, daily_budget_micros=PRICE - 1), []),
    ],
)
@pytest.mark.parametrize("at_once", [False, True])
def test_a_budget_has_room_for_whole_days_only(
    tmp_path: Path, limit: Limit, days: list[int], at_once: bool
) -> None:
    due = [flat_day(7, day, fill=10 * day) for day in (1, 2, 3)]
    with closing(new_log(tmp_path)) as log:
        log.limit([limit])
        for batch in [due] if at_once else [[one] for one in due]:
            log.commit([], {}, (), (), batch)
        assert log.rebuild().equal
        refused = "SELECT count(*) FROM event WHERE validity = 4"
        assert rows(tmp_path / "log.db", refused) == [(PARTS * (3 - len(days)),)]
        # What was refused is asked for again when there is more to spend.
        log.limit([])
        log.commit([], {}, (), (), [flat_day(7, day, fill=100 * day) for day in (1, 2, 3)])
        assert log.rebuild().equal
    assert earned(tmp_path) == [(7, day, PRICE) for day in (1, 2, 3)]


def test_a_day_that_could_not_be_written_is_not_counted(tmp_path: Path) -> None:
    bad = event(1)._replace(creative=None)  # type: ignore[arg-type]  # the fault: no row of the log
    with closing(new_log(tmp_path)) as log:
        with pytest.raises(StorageFailed):
            log.commit([bad], {}, (), (), [flat_day(7, 1, fill=10)])
        assert rows(tmp_path / "log.db", "SELECT count(*) FROM flat_day") == [(0,)]
        log.commit([], {}, (), (), [flat_day(7, 1, fill=10)])
    assert earned(tmp_path) == [(7, 1, PRICE)]


def test_rebuild_knows_which_days_are_counted(tmp_path: Path) -> None:
    with closing(new_log(tmp_path)) as log:
        log.commit([], {}, (), (), [flat_day(7, 1, fill=10)])
        log._db.execute("UPDATE flat_day SET day = 2")
        assert log.rebuild().wrong_progress_count == 2
        assert log.rebuild().equal
    assert rows(tmp_path / "log.db", "SELECT * FROM flat_day") == [(7, 1)]


EVENTS = st.builds(
    lambda fill, kind, item: event(fill, kind, item=item, day=fill % 3, revenue_micros=7),
    fill=st.integers(1, 9),
    kind=st.integers(1, 5),
    item=st.integers(1, 2),
)
DUE = st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(0, 5000))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.lists(EVENTS, max_size=5), st.lists(DUE, max_size=4)), max_size=8))
def test_all_sums_are_the_fold_of_events_and_days(
    batches: list[tuple[list[Event], list[tuple[int, int, int]]]],
) -> None:
    """In any order, batches and number, at any price: the first of each day is what it earns."""
    with tempfile.TemporaryDirectory() as name, closing(new_log(Path(name))) as log:
        first: dict[tuple[int, int], int] = {}
        fill = 1000
        for events, due in batches:
            days = []
            for item, day, price in due:
                first.setdefault((item, day), price)
                days.append(flat_day(item, day, fill=fill, price=price))
                fill += PARTS
            log.commit(events, {}, (), (), days)
        path = Path(name) / "log.db"
        days_earned = rows(
            path, "SELECT item, day, sum(revenue_micros) FROM event WHERE kind = 6 GROUP BY 1, 2"
        )
        assert {(item, day): micros for item, day, micros in days_earned} == first
        assert log.rebuild().equal
        totals = {
            rows(path, f"SELECT coalesce(sum(revenue_micros), 0) FROM {table}")[0]  # noqa: S608  (our own names)
            for table in ("event", "rollup", "progress", "delivered")
        }
        assert len(totals) == 1


def _fall_due(barrier: Barrier, db: Path, node: int, days: Sequence[int]) -> None:
    """One worker: it finds the same days due as the other, in an order of its own."""
    log, rng = SqliteLog(db), Random(node)
    due = [flat_day(item, day, fill=(1000 * item + 10 * day) * 2 + node) for item in (7, 8) for day in days]
    rng.shuffle(due)
    for one in due:
        barrier.wait(60)
        log.commit([], {}, (), (), [one])
    log.close()


def test_two_processes_find_the_same_days_due_and_each_counts_once(tmp_path: Path) -> None:
    days = range(40)
    with closing(new_log(tmp_path)) as log:
        spawn = multiprocessing.get_context("spawn")
        barrier = spawn.Barrier(2)
        workers = [
            spawn.Process(target=_fall_due, args=(barrier, tmp_path / "log.db", node, days))
            for node in range(2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(120)
        assert [worker.exitcode for worker in workers] == [0, 0]
        assert log.rebuild().equal
    assert earned(tmp_path) == [(item, day, PRICE) for item in (7, 8) for day in days]
    valid = rows(tmp_path / "log.db", "SELECT count(*), min(validity), max(validity) FROM event")
    assert valid == [(2 * len(days) * PARTS, Validity.VALID, Validity.VALID)]
