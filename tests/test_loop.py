"""The loop over a real log: a tick takes over the plan of the week, which was made in a thread."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adserver.clock import bucket_of, to_ms
from adserver.decision.context import Ask, Context
from adserver.decision.steering import Expectations, Learned, Steering
from adserver.decision.traffic import Level
from adserver.decision.week import Sample
from adserver.engines.sqlite_audit import AuditEntry
from adserver.engines.sqlite_log import Committed, SqliteLog
from adserver.engines.sqlite_marks import Mark
from adserver.engines.sqlite_progress import SqliteProgress
from adserver.engines.sqlite_refilter import Rules
from adserver.loop import Loop
from adserver.measurement.event import Event
from adserver.measurement.log import EventLog
from adserver.measurement.token import FillIds
from adserver.serving.jobs import Jobs
from adserver.settings import Settings
from tests.decision.deciding import index_of
from tests.engines.logs import new_log
from tests.newsroom import NOW, catalog_of, line_item

MINUTE, WEEK = timedelta(minutes=1), timedelta(days=7)


def booking(name: str, goal: int, start: datetime) -> dict[str, Any]:
    flight: dict[str, Any] = {"start": start, "end": NOW + WEEK, "price": {"cpm": "3"}}
    return line_item(name, "guaranteed", "728x90", goal={"impressions": goal}, **flight)


#: In the middle of the week a competitor comes, so `one` has to hurry before.
CATALOG = catalog_of(booking("one", 2500, NOW), booking("two", 3000, NOW + WEEK / 2))


def steering_of() -> Steering:
    """What serves CATALOG, on a site with seven thousand pages a week of which it knows a tenth."""
    at = [NOW - WEEK + WEEK * (n + 0.5) / 700 for n in range(700)]
    samples = [Sample(one, Context("daily"), (Ask("top"),)) for one in at]
    learned = Learned(level=Level(7000 / 168 * 48, 48), samples=samples)
    return Steering(index_of(CATALOG), learned, Expectations(), NOW, Random(0))


async def tick(engine: SqliteLog, path: Path, steering: Steering) -> None:
    """Begin, and tick a minute later."""
    now, progress = [NOW], SqliteProgress(path)
    log = EventLog(engine, max_waiting=10, flush_seconds=1)
    loop = Loop(Settings(db=path), lambda: now[0], progress, log, steering, [], Jobs(), FillIds(0))
    log.start()
    try:
        await loop.begin()
        now[0] += MINUTE
        await loop.tick()
    finally:
        await log.stop()
        await progress.close()


def test_a_tick_takes_over_a_plan(tmp_path: Path) -> None:
    """The same as one that is made at once."""
    steering, other = steering_of(), steering_of()
    engine = new_log(tmp_path)
    asyncio.run(tick(engine, tmp_path / "log.db", steering))
    engine.close()
    before = other.pacing.x.tolist()
    other.tick(NOW + MINUTE)
    planning = other.planning(NOW + MINUTE)
    assert planning
    other.adopt(planning(), NOW + MINUTE)
    assert steering.pacing.x.tolist() == pytest.approx(other.pacing.x.tolist())
    assert steering.pacing.haste.tolist() == pytest.approx(other.pacing.haste.tolist())
    assert steering.pacing.x.tolist() != before
    assert max(steering.pacing.haste.tolist()) > 1.15
    assert steering.planning(NOW + 2 * MINUTE) is None


def test_a_tick_notices_that_history_was_judged_otherwise(tmp_path: Path) -> None:
    """All that was counted of a line item is excluded, so that its goal has all of its room again."""
    steering, engine = steering_of(), new_log(tmp_path)
    index = steering.pacing.index
    item, path = index.item_ids[0], tmp_path / "log.db"
    fill = to_ms(NOW) << 22
    shown = Event(fill, 1, to_ms(NOW), bucket_of(NOW), 1, 1, item, 2, 5, 0)

    async def run() -> list[int]:
        progress = SqliteProgress(path)
        log = EventLog(engine, max_waiting=10, flush_seconds=1)
        loop = Loop(Settings(db=path), lambda: NOW, progress, log, steering, [], Jobs(), FillIds(0))
        found: list[int] = []
        try:
            for _ in range(2):
                await (loop.tick() if found else loop.begin())
                account = steering.ledger.accounts[0]
                assert account
                found.append(account.counted)
                with closing(SqliteLog(path)) as other:
                    mark = Mark(to_ms(NOW), to_ms(NOW) + 1, None, item, None, "test")
                    other.refilter(
                        Rules([mark], 200, {}), lambda _: AuditEntry(0, "sita", "refilter", "", "{}")
                    )
        finally:
            await progress.close()
        return found

    engine.commit([shown], {})
    assert asyncio.run(run()) == [1, 0]
    engine.close()


class Held:
    """The log's engine, which says that something is on disk a while after it is."""

    def __init__(self, engine: SqliteLog) -> None:
        self._engine = engine
        self.limit = engine.limit
        self.committed, self.released = threading.Event(), threading.Event()

    def commit(self, *batch: Any) -> Committed:
        """Write, and wait before that is told."""
        committed = self._engine.commit(*batch)
        self.committed.set()
        self.released.wait(10)
        return committed


def test_what_is_on_disk_and_not_told_yet_is_not_counted_twice(tmp_path: Path) -> None:
    steering, engine = steering_of(), new_log(tmp_path)
    item, path, fill = steering.pacing.index.item_ids[0], tmp_path / "log.db", to_ms(NOW) << 22
    shown = Event(fill, 1, to_ms(NOW), bucket_of(NOW), 1, 1, item, 2, 5, 0)
    held = Held(engine)

    async def run() -> int:
        progress = SqliteProgress(path)
        log = EventLog(
            held, max_waiting=10, flush_seconds=1, on_counted=lambda counted: loop.counted(counted)
        )
        loop = Loop(Settings(db=path), lambda: NOW, progress, log, steering, [], Jobs(), FillIds(0))
        await loop.begin()
        log.start()
        acknowledged = log.append([shown])
        await asyncio.to_thread(held.committed.wait, 10)
        with closing(SqliteLog(path)) as other, other._transaction():  # something was restated meanwhile
            other._db.execute("INSERT INTO counter VALUES ('restated', 1)")
        ticking = asyncio.create_task(loop.tick())
        await asyncio.wait({ticking}, timeout=0.3)
        held.released.set()
        await asyncio.gather(acknowledged, ticking)
        await log.stop()
        await progress.close()
        account = steering.ledger.accounts[0]
        assert account
        return account.counted

    assert asyncio.run(run()) == 1
    engine.close()
