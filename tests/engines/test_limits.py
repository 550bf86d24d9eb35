"""Limits of the log against a plain loop over the same events, at their edges, and from two processes."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adserver.engines.sqlite_limits import Limit
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.event import Event, Kind, Validity
from tests.engines.logs import event, new_log
from tests.newsroom import rows

VALID, OVER_GOAL = Validity.VALID, Validity.OVER_GOAL
IMPRESSION, VIEWABLE, CLICK = Kind.IMPRESSION, Kind.VIEWABLE, Kind.CLICK


class PlainLoop:
    """What the log must do, one event after the other."""

    def __init__(self) -> None:
        self.limits: dict[int, Limit] = {}
        self.log: dict[tuple[int, int], Event] = {}
        self.sums: Counter[object] = Counter()

    def commit(self, batch: Sequence[Event]) -> None:
        """Take a batch, in order of the fills, impressions first and then the rest.

        What is refused closes that limit for the others of its turn.
        """
        new: dict[tuple[int, int], Event] = {}
        for row in batch:
            if (row.fill, row.kind) not in self.log:
                new.setdefault((row.fill, row.kind), row)
        closed: set[object] = set()
        for row in sorted(new.values(), key=lambda row: (row.kind > 1, row.fill, row.kind)):
            kept = row
            if row.validity == VALID and (self._follows(row) or self._is_too_much(row, closed)):
                kept = row._replace(validity=OVER_GOAL)
            self.log[kept.fill, kept.kind] = kept
            if kept.validity == VALID:
                self.sums[kept.item, kept.kind] += 1
                self.sums[kept.item] += kept.revenue_micros
                self.sums[kept.item, "day", kept.day] += kept.revenue_micros

    def _follows(self, row: Event) -> bool:
        shown = self.log.get((row.fill, IMPRESSION))
        return row.kind != IMPRESSION and shown is not None and shown.validity == OVER_GOAL

    def _is_too_much(self, row: Event, closed: set[object]) -> bool:
        limit = self.limits.get(row.item, Limit(row.item))
        checks = [
            ((row.item, row.kind), limit.goal if limit.kind == row.kind else None, 1),
            ((row.item, "day", row.day), limit.daily_budget_micros, row.revenue_micros),
            (row.item, limit.budget_micros, row.revenue_micros),
        ]
        for key, bound, more in checks:
            turn = (row.kind > 1, key)
            if bound is not None and more and (turn in closed or self.sums[key] + more > bound):
                closed.add(turn)
                return True
        return False


EVENTS = st.builds(
    lambda fill, kind, paid, validity: event(
        fill,
        kind,
        item=fill % 3,
        day=fill % 2,
        revenue_micros=(3 + fill % 2) * (paid and not validity),
        validity=validity,
    ),
    fill=st.integers(1, 30),
    kind=st.sampled_from([kind for kind in Kind if kind is not Kind.FLAT_DAY]),
    paid=st.booleans(),
    validity=st.sampled_from([0, 0, 0, 0, 2]),
)
COUNTED = st.sampled_from([1, 3, 4, 5])
GOALS = st.tuples(st.integers(0, 2), COUNTED, st.integers(1, 6)).map(lambda goal: Limit(*goal))
BUDGETS = st.tuples(
    st.integers(0, 2), st.just(0), st.none(), st.none() | st.integers(0, 20), st.none() | st.integers(0, 12)
).map(lambda budget: Limit(*budget))
LIMITS = st.lists(GOALS | BUDGETS, max_size=3, unique_by=lambda limit: limit.item)


UNFILLED_BEYOND_ITS_BUDGET = [
    ([Limit(1, budget_micros=3)], [event(1, Kind.UNFILLED, item=1, revenue_micros=4)])
]


@settings(max_examples=200, deadline=None)
@example(UNFILLED_BEYOND_ITS_BUDGET)
@given(st.lists(st.tuples(st.none() | LIMITS, st.lists(EVENTS, max_size=25)), min_size=1, max_size=8))
def test_the_log_does_what_a_plain_loop_does(batches: list[tuple[list[Limit] | None, list[Event]]]) -> None:
    """For any events in any batches, repeats included, while limits are set, changed and taken away."""
    with tempfile.TemporaryDirectory() as folder:
        log, loop = new_log(Path(folder)), PlainLoop()
        for limits, batch in batches:
            if limits is not None:
                log.limit(limits)
                loop.limits = {limit.item: limit for limit in limits}
            log.commit(batch, {})
            loop.commit(batch)
        columns = ", ".join(Event._fields)
        stored = rows(Path(folder) / "log.db", f"SELECT {columns} FROM event")  # noqa: S608
        assert {(row[0], row[1]): Event(*row) for row in stored} == loop.log
        assert log.rebuild().equal
        log.close()


@pytest.mark.parametrize("kind", [IMPRESSION, VIEWABLE, CLICK])
@pytest.mark.parametrize("size", [1, 3, 10, 40])
def test_a_goal_is_met_exactly_whatever_the_batches(tmp_path: Path, kind: Kind, size: int) -> None:
    log = new_log(tmp_path)
    log.limit([Limit(7, kind, 25)])
    told = 0
    for start in range(0, 40, size):
        batch = [event(fill, kind) for fill in range(start, min(start + size, 40))]
        told += sum(one.event_count for one in log.commit(batch, {}).counted)
    valid = rows(tmp_path / "log.db", "SELECT fill FROM event WHERE validity = 0")
    assert valid == [(fill,) for fill in range(25)]
    assert told == 25
    assert rows(tmp_path / "log.db", "SELECT sum(event_count) FROM marked_rollup WHERE validity = 4") == [
        (15,)
    ]
    assert log.rebuild().equal
    log.close()


def test_budgets_are_exact_to_the_micro(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.limit([Limit(7, budget_micros=35_000), Limit(8, budget_micros=34_999), Limit(9, budget_micros=0)])
    batch = [event(100 * item + n, item=item, revenue_micros=3500) for item in (7, 8, 9) for n in range(20)]
    log.commit(batch[::2], {})
    log.commit(batch[1::2], {})
    assert rows(tmp_path / "log.db", "SELECT item, impression_count, revenue_micros FROM delivered") == [
        (7, 10, 35_000),
        (8, 9, 31_500),
    ]
    log.close()


def test_a_daily_budget_holds_for_each_day_and_leaves_the_budget_to_others(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.limit([Limit(7, budget_micros=25, daily_budget_micros=10)])
    log.commit([event(10 * day + n, day=day, revenue_micros=5) for day in (1, 2, 3) for n in range(4)], {})
    days = "SELECT day, revenue_micros FROM progress"
    assert rows(tmp_path / "log.db", days) == [(1, 10), (2, 10), (3, 5)]
    log.commit([event(50, CLICK, day=1), event(60, CLICK, day=4, revenue_micros=1)], {})
    # What earns nothing is no matter of a budget.
    assert rows(tmp_path / "log.db", "SELECT kind, validity FROM event WHERE fill >= 50") == [(4, 0), (4, 4)]
    log.close()


def test_what_follows_an_impression_too_many_counts_neither(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.limit([Limit(7, IMPRESSION, 1)])
    log.commit([event(1), event(2), event(1, VIEWABLE), event(2, VIEWABLE)], {})
    # Also later, and when the goal is no more.
    log.limit([])
    log.commit([event(1, CLICK, revenue_micros=9), event(2, CLICK, revenue_micros=9)], {})
    query = "SELECT fill, kind, revenue_micros, validity FROM event WHERE kind > 1"
    assert rows(tmp_path / "log.db", query) == [(1, 3, 0, 0), (1, 4, 9, 0), (2, 3, 0, 4), (2, 4, 9, 4)]
    assert rows(tmp_path / "log.db", "SELECT * FROM delivered") == [(7, 1, 1, 1, 0, 9)]
    log.close()


def test_limits_look_at_what_others_wrote_and_may_change(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    other = SqliteLog(tmp_path / "log.db")
    for one in (log, other):
        one.limit([Limit(7, IMPRESSION, 3)])
    log.commit([event(1), event(2)], {})
    other.commit([event(3), event(4)], {})
    other.limit([Limit(7, IMPRESSION, 5)])
    other.commit([event(5)], {})
    log.commit([event(6)], {})
    valid = rows(tmp_path / "log.db", "SELECT fill FROM event WHERE validity = 0")
    assert valid == [(1,), (2,), (3,), (5,)]
    other.close()
    log.close()


GOAL, BUDGET, DAILY, PRICE = 1200, 1_000_003, 300_001, 451
TOGETHER = [
    Limit(1, IMPRESSION, GOAL),
    Limit(2, budget_micros=BUDGET),
    Limit(3, daily_budget_micros=DAILY),
    Limit(4, VIEWABLE, GOAL),
]


def _hammer(barrier: Barrier, db: Path, node: int) -> None:
    """One worker: the same line items as the others, in batches of any size, until far beyond every limit."""
    log, rng = SqliteLog(db), Random(node)
    log.limit(TOGETHER)
    events = []
    for n in range(3000):
        for item in (1, 2, 3, 4):
            fill = (n * 4 + item) * 2 + node
            price = PRICE if item in (2, 3) else 0
            events.append(event(fill, item=item, day=n % 2, revenue_micros=price))
            events.append(event(fill, VIEWABLE, item=item, day=n % 2))
    barrier.wait(60)
    while events:
        size = rng.randint(1, 400)
        batch, events = events[:size], events[size:]
        log.commit(batch, {})
    log.close()


def test_two_processes_on_one_line_item_meet_its_goal_exactly(tmp_path: Path) -> None:
    db = tmp_path / "log.db"
    log = new_log(tmp_path)
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(2)
    workers = [spawn.Process(target=_hammer, args=(barrier, db, node)) for node in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    counts = "SELECT item, impression_count, viewable_count, revenue_micros FROM delivered"
    bought = BUDGET // PRICE
    a_day = DAILY // PRICE
    assert rows(db, counts) == [
        (1, GOAL, GOAL, 0),
        (2, bought, bought, bought * PRICE),
        (3, 2 * a_day, 2 * a_day, 2 * a_day * PRICE),
        (4, 6000, GOAL, 0),
    ]
    assert rows(db, "SELECT day, revenue_micros FROM progress WHERE item = 3") == [
        (0, a_day * PRICE),
        (1, a_day * PRICE),
    ]
    assert rows(db, "SELECT count(*) FROM event") == [(48_000,)]
    nodes = rows(db, "SELECT fill % 2, count(*) FROM event WHERE validity = 0 GROUP BY 1")
    assert len(nodes) == 2, "both delivered"
    assert log.rebuild().equal
    log.close()
