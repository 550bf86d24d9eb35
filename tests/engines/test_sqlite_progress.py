"""What workers read of each other: totals, days, requests and creatives, while the log goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from adserver.engines.sqlite_progress import SqliteProgress
from adserver.errors import StorageFailed
from tests.engines.logs import event, new_log

Answer = TypeVar("Answer")


def ask(path: Path, question: Callable[[SqliteProgress], Awaitable[Answer]]) -> Answer:
    async def asked() -> Answer:
        progress = SqliteProgress(path)
        try:
            return await question(progress)
        finally:
            await progress.close()

    return asyncio.run(asked())


def test_every_worker_sees_what_all_counted(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.commit([event(n, item=n % 2, day=n, revenue_micros=10 + n) for n in range(4)], {})
    log.commit([event(1, 3), event(1, 4), event(1, 5), event(1, 2), event(9, validity=2)], {})
    path = tmp_path / "log.db"
    totals = ask(path, lambda progress: progress.read_progress())
    assert totals == [(0, 2, 0, 0, 0, 22), (1, 2, 0, 0, 0, 24), (7, 0, 1, 1, 1, 0)]
    assert totals[0].impression_count == 2
    days = ask(path, lambda progress: progress.read_days(2))
    assert days == [(0, 2, 12), (1, 3, 13)]
    log.close()


def test_requests_are_counted_whatever_their_outcome(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.commit([], {(4, 1, "filled"): 9, (5, 1, "filled"): 3, (5, 1, "no_eligible"): 2, (6, 2, "filled"): 1})
    counts = ask(tmp_path / "log.db", lambda progress: progress.request_counts(5))
    assert counts == [(5, 1, 5), (6, 2, 1)]
    log.close()


def test_creatives_are_summed_over_time(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.commit([event(fill, kind) for fill in (1, 2) for kind in (1, 2)], {})
    log.commit([event(1, 3), event(2, 4)], {})
    path = tmp_path / "log.db"
    assert ask(path, lambda progress: progress.read_creatives()) == [(1, 2, 2, 2, 1, 1, 0)]
    assert ask(path, lambda progress: progress.read_creatives(since_bucket=2)) == [(1, 2, 1, 1, 0, 1, 0)]
    log.close()


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match=r"none\.db: there is no such database"):
        ask(tmp_path / "none.db", lambda progress: progress.read_progress())
