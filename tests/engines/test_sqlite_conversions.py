"""Orders in the log: each counts once, after a click, whatever comes in which order, batches and workers."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.engines.sqlite_conversions import Conversion
from adserver.engines.sqlite_limits import Limit
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.event import Event, Kind, Validity
from tests.engines.logs import event, new_log
from tests.newsroom import rows

IMPRESSION, CLICK, CONVERSION = Kind.IMPRESSION, Kind.CLICK, Kind.CONVERSION
VALID, LATE, OVER_GOAL = Validity.VALID, Validity.LATE, Validity.OVER_GOAL
CLICK_MS, VIEW_MS, PRICE = 300, 60, 20


def order(
    fill: int, order_id: str = "A-1", *, at_ms: int = 1100, validity: int = 0, view_ms: int = 0, **row: Any
) -> Conversion:
    """An order of advertiser 1 for a fill, of a line item that pays PRICE for it."""
    made = event(
        fill, CONVERSION, at_ms=at_ms, validity=validity, revenue_micros=0 if validity else PRICE, **row
    )
    return Conversion(made, 1, order_id, 49_900_000, CLICK_MS, view_ms)


def clicked(*fills: int, at_ms: int = 1000) -> list[Event]:
    """Impressions, and their clicks."""
    return [event(fill, kind, at_ms=at_ms) for fill in fills for kind in (IMPRESSION, CLICK)]


def found(folder: Path) -> list[Any]:
    """Fill, validity, repeats of each conversion in the log, and what it earned."""
    return rows(
        folder / "log.db",
        "SELECT fill, validity, repeat_count, (validity = 0) * revenue_micros FROM event WHERE kind = 5",
    )


def orders(folder: Path) -> list[Any]:
    """Fill, order, and whether it is counted, of each order in the log."""
    return rows(folder / "log.db", "SELECT fill, order_id, counted FROM conversion ORDER BY fill")


def test_an_order_counts_once_for_its_advertiser(tmp_path: Path) -> None:
    with closing(new_log(tmp_path)) as log:
        log.commit(clicked(1, 2, 3), {})
        log.commit([], {}, (), [order(1), order(1), order(2)])
        log.commit([], {}, (), [order(2), order(3), order(1, "B")])
        log.commit([], {}, (), [order(3)._replace(advertiser=2)])
        assert log.rebuild().equal
    assert found(tmp_path) == [
        (1, VALID, 2, PRICE),
        (2, Validity.ORDER_COUNTED, 1, 0),
        (3, VALID, 1, PRICE),
    ]
    assert orders(tmp_path) == [(1, "A-1", 1), (2, "A-1", 0), (3, "A-1", 1)]
    assert rows(tmp_path / "log.db", "SELECT sum(conversion_count), sum(revenue_micros) FROM rollup") == [
        (2, 2 * PRICE)
    ]


@pytest.mark.parametrize("at_once", [False, True])
def test_a_new_order_takes_the_place_of_one_that_was_counted_before(tmp_path: Path, at_once: bool) -> None:
    with closing(new_log(tmp_path)) as log:
        log.commit(clicked(1, 2), {})
        reports = [order(1), order(2), order(2, "B", at_ms=1150)]
        for batch in [reports] if at_once else [[one] for one in reports]:
            log.commit([], {}, (), batch)
        assert log.rebuild().equal
    assert found(tmp_path) == [(1, VALID, 0, PRICE), (2, VALID, 1, PRICE)]
    assert orders(tmp_path) == [(1, "A-1", 1), (2, "B", 1)]
    assert rows(tmp_path / "log.db", "SELECT at_ms FROM event WHERE fill = 2 AND kind = 5") == [(1150,)]


@pytest.mark.parametrize(
    ("events", "report", "validity"),
    [
        (clicked(1), order(1, at_ms=1000 + CLICK_MS - 1), VALID),
        (clicked(1), order(1, at_ms=1000 + CLICK_MS), LATE),
        ([], order(1), Validity.NO_CLICK),
        ([event(1)], order(1), Validity.NO_CLICK),
        ([event(1)], order(1, at_ms=1000 + VIEW_MS - 1, view_ms=VIEW_MS), VALID),
        ([event(1)], order(1, at_ms=1000 + VIEW_MS, view_ms=VIEW_MS), LATE),
        (clicked(1), order(1, at_ms=1000 + VIEW_MS, view_ms=VIEW_MS), VALID),
        ([event(1), event(1, CLICK, validity=20)], order(1), Validity.NO_CLICK),
        ([event(1), event(1, CLICK, validity=OVER_GOAL)], order(1), VALID),
        ([event(1, validity=Validity.BOT), event(1, CLICK)], order(1), Validity.BOT),
        (clicked(1), order(1, validity=Validity.PREFETCH), Validity.PREFETCH),
    ],
)
@pytest.mark.parametrize("at_once", [False, True])
def test_what_led_to_an_order_says_whether_it_counts(
    tmp_path: Path, events: list[Event], report: Conversion, validity: Validity, at_once: bool
) -> None:
    new_log(tmp_path).close()
    with closing(SqliteLog(tmp_path / "log.db", min_click_delay_ms=0)) as log:
        if at_once:
            log.commit(events, {}, (), [report])
        else:
            log.commit(events, {})
            log.commit([], {}, (), [report])
        assert log.rebuild().equal
    assert found(tmp_path) == [(1, validity, 0, 0 if validity else PRICE)]
    assert orders(tmp_path) == [(1, "A-1", int(not validity))]


@pytest.mark.parametrize("at_once", [False, True])
def test_an_order_of_an_impression_beyond_the_goal_is_beyond_it_too(tmp_path: Path, at_once: bool) -> None:
    with closing(new_log(tmp_path)) as log:
        log.limit([Limit(7, IMPRESSION, 1)])
        if at_once:
            log.commit(clicked(1, 2), {}, (), [order(2), order(1, "B")])
        else:
            log.commit(clicked(1, 2), {})
            log.commit([], {}, (), [order(2), order(1, "B")])
        assert log.rebuild().equal
    assert [row[:2] for row in found(tmp_path)] == [(1, VALID), (2, OVER_GOAL)]
    assert orders(tmp_path) == [(1, "B", 1), (2, "A-1", 0)]


def test_an_order_that_a_person_reports_after_a_machine_counts(tmp_path: Path) -> None:
    with closing(new_log(tmp_path)) as log:
        log.commit(clicked(1, 2), {})
        log.commit([], {}, (), [order(1, validity=Validity.BOT), order(2, "B", validity=Validity.BOT)])
        log.commit([], {}, (), [order(1), order(2, "A-1")])
        assert log.rebuild().equal
    assert found(tmp_path) == [(1, VALID, 1, PRICE), (2, Validity.ORDER_COUNTED, 1, 0)]
    assert orders(tmp_path) == [(1, "A-1", 1), (2, "A-1", 0)]


def test_what_a_budget_has_no_room_for_may_count_elsewhere(tmp_path: Path) -> None:
    with closing(new_log(tmp_path)) as log:
        log.limit([Limit(7, budget_micros=2 * PRICE + 1)])
        log.commit(clicked(1, 2, 3, 4), {})
        log.commit([], {}, (), [order(fill, f"order-{fill}") for fill in (1, 2, 3)])
        log.commit([], {}, (), [order(4, "order-3", item=8)])
        assert log.rebuild().equal
    assert [row[1] for row in found(tmp_path)] == [VALID, VALID, OVER_GOAL, VALID]
    assert rows(tmp_path / "log.db", "SELECT item, conversion_count, revenue_micros FROM delivered") == [
        (7, 2, 2 * PRICE),
        (8, 1, PRICE),
    ]


def test_an_order_is_free_again_when_its_conversion_turned_out_invalid(tmp_path: Path) -> None:
    with closing(new_log(tmp_path)) as log:
        log.commit(clicked(1, 2), {})
        log.commit([], {}, (), [order(1)])
        with log._transaction():  # what rules that are asked anew over history would do
            log._db.execute("UPDATE event SET validity = 16, revenue_micros = 0 WHERE kind = 5")
        log.commit([], {}, (), [order(2)])
    assert [row[:2] for row in found(tmp_path)] == [(1, Validity.BOT), (2, VALID)]
    assert orders(tmp_path) == [(1, "A-1", 0), (2, "A-1", 1)]


def test_an_order_of_an_event_that_was_removed_stays_counted(tmp_path: Path) -> None:
    with closing(new_log(tmp_path)) as log:
        log.commit(clicked(1, 2, 2000), {})
        log.commit([], {}, (), [order(1)])
        with log._transaction():  # as `sqlite_retention` does, of the first UTC days
            log._db.execute("INSERT INTO counter VALUES ('kept_from_day', 10)")
            log._db.execute("DELETE FROM event WHERE fill < 100")
        log.commit([], {}, (), [order(1), order(2, "B"), order(2000)])
        assert log.rebuild().equal
    assert [row[:2] for row in found(tmp_path)] == [(1, LATE), (2, LATE), (2000, Validity.ORDER_COUNTED)]
    assert orders(tmp_path) == [(1, "A-1", 1), (2, "B", 0), (2000, "A-1", 0)]


class Plain:
    """What the log must do with clicks and orders, one after the other."""

    def __init__(self) -> None:
        self.clicks: dict[int, Event] = {}
        self.conversions: dict[int, tuple[int, str]] = {}
        self.counted: dict[str, int] = {}

    def click(self, batch: Sequence[Event]) -> None:
        """The first click of a fill stays, unless it was a machine's and the next is not.

        So it is among those that come together, and then beside what is in the log.
        """
        together: dict[int, Event] = {}
        for clicks, come in ((together, batch), (self.clicks, together.values())):
            for one in come:
                before = clicks.get(one.fill)
                if before is None or (before.validity >= 16 and not one.validity):
                    clicks[one.fill] = one

    def report(self, one: Conversion) -> None:
        """The same of orders, each judged when it comes."""
        before = self.conversions.get(one.fill)
        if before is not None and (before[0] < 16 or one.row[9]):
            return
        validity = one.row[9] or self._judge(one)
        self.conversions[one.fill] = validity, one.order_id
        if not validity:
            self.counted[one.order_id] = one.fill

    def _judge(self, one: Conversion) -> int:
        click = self.clicks.get(one.fill)
        if click is None or click.validity not in (VALID, OVER_GOAL):
            return Validity.NO_CLICK
        if one.row[2] >= click.at_ms + CLICK_MS:
            return LATE
        return Validity.ORDER_COUNTED if one.order_id in self.counted else VALID


CLICKS = st.builds(
    lambda fill, at_ms, validity: event(fill, CLICK, at_ms=at_ms, validity=validity),
    fill=st.integers(1, 6),
    at_ms=st.integers(700, 1000),
    validity=st.sampled_from([0, 0, 0, 0, 2, 4, 16]),
)
REPORTS = st.builds(
    lambda fill, order_id, at_ms, validity: order(fill, order_id, at_ms=at_ms, validity=validity),
    fill=st.integers(1, 6),
    order_id=st.sampled_from("ABCD"),
    at_ms=st.integers(1000, 1200),
    validity=st.sampled_from([0, 0, 0, 19]),
)
BATCHES = st.lists(st.tuples(st.lists(CLICKS, max_size=4), st.lists(REPORTS, max_size=6)), max_size=8)


@settings(max_examples=200, deadline=None)
@given(BATCHES)
def test_the_log_does_with_orders_what_a_plain_loop_does(
    batches: list[tuple[list[Event], list[Conversion]]],
) -> None:
    """For any clicks and orders in any batches: repeated, late, unknown, forged, and before their click."""
    with tempfile.TemporaryDirectory() as name, closing(new_log(Path(name))) as log:
        plain = Plain()
        for clicks, reports in batches:
            log.commit(clicks, {}, (), reports)
            plain.click(clicks)
            for report in reports:
                plain.report(report)
        path = Path(name) / "log.db"
        judged = rows(
            path, "SELECT fill, validity, order_id FROM event JOIN conversion USING (fill) WHERE kind = 5"
        )
        assert {fill: (validity, order_id) for fill, validity, order_id in judged} == plain.conversions
        assert dict(rows(path, "SELECT order_id, fill FROM conversion WHERE counted")) == plain.counted
        given_count = sum(len(clicks) + len(reports) for clicks, reports in batches)
        assert rows(path, "SELECT coalesce(sum(1 + repeat_count), 0) FROM event") == [(given_count,)]
        totals = "SELECT coalesce(sum(conversion_count), 0), coalesce(sum(revenue_micros), 0) FROM {}"
        for table in ("rollup", "progress", "delivered"):
            counted = len(plain.counted)
            assert rows(path, totals.format(table)) == [(counted, counted * PRICE)]
        assert log.rebuild().equal


def _report_all(barrier: Barrier, db: Path, node: int, fills: Sequence[int]) -> None:
    """One worker: its own fills, and in another order the same orders that the other reports."""
    log, rng = SqliteLog(db), Random(1)
    reports = [order(fill, f"order-{n}") for n, fill in enumerate(fills)]
    rng.shuffle(reports)
    if node:
        reports.reverse()
    while reports:
        size = rng.randint(1, 7)
        barrier.wait(60)
        log.commit([], {}, (), reports[:size])
        reports = reports[size:]
    log.close()


def test_two_processes_with_the_same_orders_count_each_once(tmp_path: Path) -> None:
    count, db = 300, tmp_path / "log.db"
    with closing(new_log(tmp_path)) as log:
        log.commit(clicked(*range(1, 2 * count + 1)), {})
        spawn = multiprocessing.get_context("spawn")
        barrier = spawn.Barrier(2)
        workers = [
            spawn.Process(target=_report_all, args=(barrier, db, node, range(1 + node, 2 * count + 1, 2)))
            for node in range(2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(120)
        assert [worker.exitcode for worker in workers] == [0, 0]
        assert log.rebuild().equal
    assert rows(db, "SELECT conversion_count, revenue_micros FROM delivered") == [(count, count * PRICE)]
    assert rows(db, "SELECT count(*), count(DISTINCT order_id) FROM conversion WHERE counted") == [
        (count, count)
    ]
    assert rows(db, "SELECT count(*) FROM event WHERE validity = 25") == [(count,)]
    nodes = rows(db, "SELECT fill % 2, count(*) FROM conversion WHERE counted GROUP BY 1")
    assert len(nodes) == 2, "both were first with some"
