"""The event log over a real file: acknowledged means on disk; what fails is kept, or shed and counted."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adserver.catalog.model import PriceModel
from adserver.clock import to_ms
from adserver.engines.catalog_store import sqlite_url
from adserver.engines.migrate import migrate
from adserver.engines.sqlite_limits import Counted, Limit
from adserver.engines.sqlite_log import SqliteLog
from adserver.errors import Overloaded, StorageFailed
from adserver.measurement.event import Event, Kind, Windows, event_of
from adserver.measurement.log import EventLog
from adserver.measurement.period import local_days
from adserver.measurement.token import FillIds, FillToken
from tests.newsroom import rows


def event(fill: int) -> Event:
    """An impression of a fill."""
    return Event(fill, 1, 1000, bucket=1, day=0, slot=1, item=1, creative=1, revenue_micros=5, validity=0)


@asynccontextmanager
async def log_over(
    path: Path,
    *,
    max_waiting: int = 1000,
    on_counted: Callable[[Sequence[Counted]], None] | None = None,
    busy_seconds: float = 0.05,
) -> AsyncIterator[EventLog]:
    """A running log; the file's lock is waited for 50 ms only."""
    await migrate(sqlite_url(path), "events")
    with closing(SqliteLog(path, busy_seconds=busy_seconds)) as store:
        log = EventLog(store, max_waiting=max_waiting, flush_seconds=0.05, on_counted=on_counted)
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
                assert log.failing
                other.execute("ROLLBACK")
            # The page sends it again; the first attempt is still there and both are one event.
            await log.append([event(1), event(2)])
            assert log.waiting_count == 0
            assert not log.failing

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


def test_what_counts_is_told_before_it_is_acknowledged(tmp_path: Path) -> None:
    told: list[Counted] = []

    async def run() -> None:
        async with log_over(tmp_path / "log.db", on_counted=told.extend) as log:
            await log.append([event(1), event(2), event(2)])
            assert told == [(1, 0, 1, 0, 2, 10, 0)]
            await log.append([event(2)])
            await log.append([event(3)])
            assert told[1:] == [(1, 0, 1, 0, 1, 5, 0)]

    asyncio.run(run())


def test_what_counts_is_told_by_the_minute_in_which_its_fills_were_decided(tmp_path: Path) -> None:
    told: list[Counted] = []
    minute, ids = 29_750_000, FillIds(7)

    async def run() -> None:
        async with log_over(tmp_path / "log.db", on_counted=told.extend) as log:
            fills = [ids.next(minute * 60_000 + ms) for ms in (0, 59_999, 60_000)]
            await log.append([event(fill) for fill in fills])

    asyncio.run(run())
    assert [(one.minute, one.event_count) for one in told] == [(minute, 2), (minute + 1, 1)]


def test_the_log_goes_on_when_who_is_told_stumbles(tmp_path: Path) -> None:
    def stumble(_counted: Sequence[Counted]) -> None:
        raise ValueError("a fault of ours")

    async def run() -> None:
        async with log_over(tmp_path / "log.db", on_counted=stumble) as log:
            await log.append([event(1)])
            await log.append([event(2)])

    asyncio.run(run())
    assert rows(tmp_path / "log.db", "SELECT fill FROM event") == [(1,), (2,)]


def test_limits_hold_from_the_next_commit_on_also_after_one_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with log_over(path) as log:
            await log.append([event(1), event(2)])
            log.set_limits([Limit(1, 1, 4)])
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(StorageFailed):
                    await log.append([event(3), event(4), event(5)])
                other.execute("ROLLBACK")
            await log.append([event(6)])
            log.set_limits([])
            await log.append([event(7)])

    asyncio.run(run())
    assert rows(path, "SELECT fill FROM event WHERE validity = 4") == [(5,), (6,)]


def test_a_line_item_has_one_limit(tmp_path: Path) -> None:
    async def run() -> None:
        async with log_over(tmp_path / "log.db") as log:
            with pytest.raises(AssertionError, match="one limit"):
                log.set_limits([Limit(1, 1, 4), Limit(1, 1, 5)])

    asyncio.run(run())


def test_states_are_saved_with_the_next_commit_the_last_of_each_name(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def run() -> None:
        async with log_over(path) as log:
            log.save_state("pacing", b"one", 1)
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(StorageFailed):
                    await log.append([event(1)])
                log.save_state("pacing", b"two", 2)
                log.save_state("traffic", b"x", 2)
                other.execute("ROLLBACK")
            await log.append([event(2)])
            log.save_state("traffic", b"y", 3)

    asyncio.run(run())
    saved = rows(path, "SELECT * FROM saved_state")
    assert saved == [("pacing", 2, b"two"), ("traffic", 3, b"y")]


def test_a_daily_budget_is_cut_at_midnight_in_kathmandu(tmp_path: Path) -> None:
    """Through tokens and the log, from two workers: 24 November ends there at 18:15 UTC."""
    path = tmp_path / "log.db"
    midnight = datetime(2026, 11, 24, 18, 15, tzinfo=UTC)
    day_of = local_days({7: ZoneInfo("Asia/Kathmandu")})
    windows = Windows(view_ms=3_600_000, click_ms=3_600_000, skew_ms=0)
    times = [midnight + timedelta(seconds=second) for second in range(-40, 40)]

    def events(node: int) -> list[Event]:
        ids = FillIds(node)
        tokens = [FillToken(ids.next(to_ms(at)), 1, 7, 2, PriceModel.CPM, 4500, 1) for at in times]
        return [event_of(one, Kind.IMPRESSION, to_ms(midnight) + 60_000, windows, day_of) for one in tokens]

    async def run() -> None:
        async with log_over(path, busy_seconds=10) as one, log_over(path, busy_seconds=10) as other:
            for log in (one, other):
                log.set_limits([Limit(7, daily_budget_micros=100_000)])
            for node, log in enumerate((one, other)):
                for single in events(node):
                    log.append([single])
                await asyncio.sleep(0)

    asyncio.run(run())
    first = (date(2026, 11, 24) - date(1970, 1, 1)).days
    affordable = 100_000 // 4500
    assert rows(path, "SELECT day, impression_count, revenue_micros FROM progress") == [
        (first, affordable, affordable * 4500),
        (first + 1, affordable, affordable * 4500),
    ]
    assert rows(path, "SELECT count(*) FROM event") == [(160,)]
