"""The event log over a real file: acknowledged means on disk; what fails is kept, or shed and counted."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from adserver.engines.catalog_store import sqlite_url
from adserver.engines.migrate import migrate
from adserver.engines.sqlite_log import SqliteLog
from adserver.errors import Overloaded, StorageFailed
from adserver.measurement.event import Event
from adserver.measurement.log import EventLog
from tests.newsroom import rows


def event(fill: int) -> Event:
    """An impression of a fill."""
    return Event(fill, 1, 1000, bucket=1, day=0, slot=1, item=1, creative=1, revenue_micros=5, validity=0)


@asynccontextmanager
async def log_over(path: Path, *, max_waiting: int = 1000) -> AsyncIterator[EventLog]:
    """A running log; the file's lock is waited for 50 ms only."""
    await migrate(sqlite_url(path), "events")
    with closing(SqliteLog(path, busy_seconds=0.05)) as store:
        log = EventLog(store, max_waiting=max_waiting, flush_seconds=0.05)
        log.start()
        yield log
        await log.stop()


def test_acknowledged_means_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with log_over(path) as log:
            for fill in range(1, 6):
                await log.append([event(fill), event(fill)])
                assert rows(path, "SELECT count(*), sum(repeat_count) FROM event") == [(fill, fill)]

    asyncio.run(run())


def test_many_appends_share_a_commit(tmp_path: Path) -> None:
    async def run() -> None:
        async with log_over(tmp_path / "log.db") as log:
            await asyncio.gather(*(log.append([event(fill)]) for fill in range(500)))
            assert log.counts.committed == 500
            assert log.counts.commits == 1

    asyncio.run(run())


def test_what_waits_is_written_when_the_log_stops(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with log_over(path) as log:
            log.append([event(1)])
            log.count_request(7, 8, "filled")

    asyncio.run(run())
    assert rows(path, "SELECT fill FROM event") == [(1,)]
    assert rows(path, "SELECT * FROM request_rollup") == [(7, 8, "filled", 1)]


def test_counts_of_requests_are_written_without_any_event(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with log_over(path) as log:
            log.count_request(7, 8, "filled")
            # Stopping writes what is left; this was written before, by the clock.
            await asyncio.sleep(0.5)
            assert rows(path, "SELECT request_count FROM request_rollup") == [(1,)]
            assert log.counts.decisions == {"filled": 1}

    asyncio.run(run())


def test_while_the_file_is_locked_nothing_is_acknowledged_and_nothing_lost(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with log_over(path) as log:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                log.count_request(7, 8, "filled")
                with pytest.raises(StorageFailed):
                    await log.append([event(1)])
                assert log.waiting_count == 1
                assert log.counts.failed_commits >= 1
                other.execute("ROLLBACK")
            # The page sends it again; the first attempt is still there and both are one event.
            await log.append([event(1), event(2)])
            assert log.waiting_count == 0

    asyncio.run(run())
    assert rows(path, "SELECT fill, repeat_count FROM event") == [(1, 1), (2, 0)]
    assert rows(path, "SELECT request_count FROM request_rollup") == [(1,)]


def test_a_full_buffer_sheds_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with log_over(path, max_waiting=3) as log:
            accepted = log.append([event(1), event(2)])
            with pytest.raises(Overloaded):
                log.append([event(3), event(4)])
            assert log.counts.shed == 2
            log.append([event(5)])
            await accepted

    asyncio.run(run())
    assert rows(path, "SELECT fill FROM event") == [(1,), (2,), (5,)]
