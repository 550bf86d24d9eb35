"""Leases of several workers on one file: no limit is exceeded by what is counted and out; none strands."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.clock import to_ms, to_us
from adserver.decision.lease import Leases
from adserver.decision.ledger import Ledger, terms_of
from adserver.engines.sqlite_leases import SqliteLeases
from adserver.engines.sqlite_limits import Limit
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.token import FillIds
from tests.decision.deciding import index_of
from tests.engines.logs import event, new_log
from tests.newsroom import NOW, catalog_of, line_item, rows

EXPIRY, TRUST = timedelta(minutes=10), timedelta(minutes=5)
FLIGHT: dict[str, Any] = {"start": NOW - timedelta(days=1), "end": NOW + timedelta(days=9)}
PRICE = 2000


@dataclass
class Worker:
    """One worker's ledger, leases and log, and its fills that are neither counted nor expired."""

    path: Path
    log: SqliteLog
    limits: dict[str, Any]
    out: list[tuple[int, datetime]] = field(default_factory=list)
    page_count: int = 0

    def __post_init__(self) -> None:
        item = line_item("one", "guaranteed" if "goal" in self.limits else "price", "728x90", **self.limits)
        index = index_of(catalog_of(item))
        self.item = index.item_ids[0]
        self.ids = FillIds(self.log.node_number())
        self.ledger = Ledger(reservation_seconds=600, leased=True)
        self.ledger.bind(index, terms_of(index))
        self.ledger.tick(NOW)
        self.leases = Leases(self.ledger)
        self.store = SqliteLeases(
            self.path, self.ids.node, expiry_ms=(EXPIRY + TRUST) // timedelta(milliseconds=1)
        )

    def round(self, now: datetime) -> None:
        """As `adserver.leasing` does it."""
        self.renewed_at = now
        self.leases.settle(self.store.settle())
        wants = self.leases.wants(self.page_count)
        self.leases.take(self.store.lease(wants, to_ms(now), self.page_count).grants)

    def serve(self, now: datetime, most: int) -> int:
        """So many fills, as far as there is room; how many."""
        self.page_count += 1
        for served in range(most):
            if self.ledger.closed[0]:
                return served
            self.ledger.take(0, to_us(now))
            self.out.append((self.ids.next(to_ms(now)), now))
        return most

    def write(self, fills: list[int]) -> None:
        """This worker's log gets the impressions of any worker's fills."""
        batch = [event(fill, item=self.item, revenue_micros=PRICE) for fill in fills]
        for one in self.log.commit(batch, {}).counted:
            self.ledger.count(
                one.item,
                "impressions",
                one.event_count,
                one.revenue_micros,
                day=one.day,
                minute=one.minute,
                own=one.node == self.ids.node,
            )

    def close(self) -> None:
        """Its connections."""
        self.store.__exit__(None, None, None)
        self.log.close()


class Office:
    """Workers on one file, some of which died."""

    def __init__(self, folder: Path, count: int, limits: dict[str, Any]) -> None:
        self.path, self.limits, self.now = folder / "log.db", limits, NOW
        new_log(folder).close()
        self.workers = [self.start() for _ in range(count)]
        self.dead: list[Worker] = []
        self.counted = 0

    def start(self) -> Worker:
        """A worker as a server begins: with what is counted, and its first leases."""
        worker = Worker(self.path, SqliteLog(self.path), self.limits)
        worker.log.limit([Limit(worker.item)])
        worker.round(self.now)
        return worker

    def pass_time(self, minutes: int) -> None:
        """Readers who have waited for too long draw nothing any more."""
        self.now += timedelta(minutes=minutes)
        for worker in self.workers:
            worker.ledger.tick(self.now)
            worker.out = [(fill, at) for fill, at in worker.out if self.now - at < EXPIRY]
            if self.now - worker.renewed_at > TRUST:
                worker.leases.drop()

    def count(self, server: Worker, writer: Worker, most: int) -> None:
        """Impressions of one worker's oldest fills are reported to another."""
        fills, server.out = server.out[:most], server.out[most:]
        writer.write([fill for fill, _ in fills])
        self.counted += len(fills)

    def kill(self, number: int) -> None:
        """What it had out is out still, and a new one takes its place."""
        self.dead.append(self.workers[number])
        self.workers[number] = self.start()

    @property
    def out_count(self) -> int:
        """Fills whose impression may still come."""
        return sum(self.now - at < EXPIRY for one in [*self.workers, *self.dead] for _, at in one.out)

    def close(self) -> None:
        """All connections."""
        for worker in [*self.workers, *self.dead]:
            worker.close()


LIMITS: dict[str, dict[str, Any]] = {
    "goal": {"goal": {"impressions": 12}, "price": {"cpm": "2"}, **FLIGHT},
    "budget": {"budget": f"{(12 * PRICE + PRICE // 2) / 1e6:.6f}", "price": {"cpm": "2"}},
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["serve", "serve", "rush", "rush", "count", "count", "round", "minutes", "kill"]),
        st.integers(0, 2),
        st.integers(0, 6),
    ),
    min_size=10,
    max_size=40,
)


@pytest.mark.parametrize("limit", list(LIMITS))
@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_what_is_counted_and_what_is_out_never_exceed_a_limit(
    limit: str, steps: list[tuple[str, int, int]]
) -> None:
    """Whoever serves, whoever counts, and whoever is killed."""
    with tempfile.TemporaryDirectory() as folder:
        office = Office(Path(folder), 3, LIMITS[limit])
        for step, number, amount in steps:
            worker = office.workers[number]
            if step == "serve":
                worker.serve(office.now, amount)
            elif step == "rush":
                for _ in range(amount):
                    worker.round(office.now)
                    worker.serve(office.now, 9)
            elif step == "count":
                office.count(worker, office.workers[amount % 3], 1 + amount // 3)
            elif step == "round":
                worker.round(office.now)
            elif step == "minutes":
                office.pass_time(amount)
            else:
                office.kill(number)
            assert office.counted + office.out_count <= 12
        office.close()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_all_of_a_goal_is_served_although_one_worker_has_no_readers(tmp_path: Path, count: int) -> None:
    """The last fills do not stay where nobody asks for them."""
    office = Office(tmp_path, count + 1, LIMITS["goal"])
    for _ in range(100):
        office.now += timedelta(seconds=1)
        for number, worker in enumerate(office.workers):
            worker.round(office.now)
            if number:
                worker.serve(office.now, 1)
                office.count(worker, office.workers[0], 5)
    assert office.counted == 12
    assert rows(office.path, "SELECT sum(held) FROM lease") == [(None,)]
    office.close()


def test_what_a_worker_that_ends_has_not_served_is_free_at_once(tmp_path: Path) -> None:
    office = Office(tmp_path, 2, {"goal": {"impressions": 10_000}, "price": {"cpm": "2"}, **FLIGHT})
    first, second = office.workers
    first.round(office.now)
    assert first.serve(office.now, 5) == 5
    first.store.release(first.leases.outstanding())
    assert rows(office.path, f"SELECT held FROM lease WHERE node = {first.ids.node}") == [(5,)]  # noqa: S608
    second.round(office.now)
    office.close()


def test_parts_shrink_as_the_goal_comes_near_and_grow_with_demand(tmp_path: Path) -> None:
    office = Office(tmp_path, 2, {"goal": {"impressions": 4_000}, "price": {"cpm": "2"}, **FLIGHT})
    first, _ = office.workers
    rooms = []
    for _ in range(40):
        rooms.append(first.ledger.room(0))
        first.serve(office.now, 10**6)
        office.count(first, first, 10**6)
        first.round(office.now)
    assert rooms[0] < max(rooms) > rooms[-1]
    assert office.counted == 4_000 - sum(held for (held,) in rows(office.path, "SELECT held FROM lease"))
    office.close()


def test_each_worker_hears_its_part_of_the_pages(tmp_path: Path) -> None:
    office = Office(tmp_path, 3, LIMITS["goal"])
    now_ms = to_ms(office.now)
    first = [worker.store.lease([], now_ms, 0.0).page_share for worker in office.workers]
    assert first == [pytest.approx(1 / 3)] * 3
    for worker, pace in zip(office.workers, (700.0, 200.0, 97.0), strict=True):
        worker.store.lease([], now_ms, pace)
    shares = [
        worker.store.lease([], now_ms, pace).page_share
        for worker, pace in zip(office.workers, (700.0, 200.0, 97.0), strict=True)
    ]
    assert shares == [pytest.approx(part, abs=0.001) for part in (0.701, 0.201, 0.098)]
    assert office.workers[0].store.lease([], now_ms + 60_000, 700.0).page_share == 1.0, "the others are gone"
    office.close()
