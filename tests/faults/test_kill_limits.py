"""`kill -9` of workers that hammer the same line items: goals and budgets are met exactly, rebuild agrees.

Two runs in CI; `make faults` does a hundred (`ADSERVER_FAULT_RUNS`).
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from adserver.engines.catalog_store import sqlite_url
from adserver.engines.migrate import migrate
from adserver.engines.sqlite_limits import Limit
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.event import Event, Kind
from adserver.measurement.log import EventLog
from adserver.measurement.token import FillIds
from tests.newsroom import rows
from tests.processes import adserver

RUNS = int(os.environ.get("ADSERVER_FAULT_RUNS", "2"))
WORKERS = 2
CLIENTS = 16
PRICE = 4501
ASKED_BEFORE_KILL = 200
#: Above what the workers that are killed can count, so that the last ones meet it.
GOAL = 1600
LIMITS = [
    Limit(1, Kind.IMPRESSION, GOAL),
    Limit(2, Kind.VIEWABLE, GOAL),
    Limit(3, budget_micros=GOAL * PRICE + 1),
    Limit(4, daily_budget_micros=GOAL // 2 * PRICE + PRICE - 1),
]
SPAWN = multiprocessing.get_context("spawn")


def _worker(db: Path, acknowledged: Path, most: int, stay: bool) -> None:
    """Count impressions and viewables of all four line items, so many times; `stay` to be killed even so."""
    asyncio.run(_count(db, acknowledged, most))
    while stay:
        time.sleep(60)


async def _count(db: Path, acknowledged: Path, most: int) -> None:
    engine = SqliteLog(db)
    log = EventLog(engine, max_waiting=100_000, flush_seconds=0.05)
    log.set_limits(LIMITS)
    ids, bucket = FillIds(engine.node_number()), int(time.time()) // 900
    log.start()
    asked = 0

    async def client(number: int) -> None:
        nonlocal asked
        while asked < most:
            asked += 1
            fills = [ids.next(time.time_ns() // 1_000_000) for _ in LIMITS]
            events = []
            for fill, limit in zip(fills, LIMITS, strict=True):
                price = 0 if limit.kind else PRICE
                event = Event(fill, Kind.IMPRESSION, 0, bucket, asked % 2, 1, limit.item, 2, price, 0)
                events += [event, event._replace(kind=Kind.VIEWABLE, revenue_micros=0)]
            log.save_state(f"client-{number}", str(asked).encode(), asked)
            await log.append(events)
            # What was written to a file outlives its writer.
            os.write(out, struct.pack(f"{len(fills)}Q", *fills))

    out = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    finally:
        os.close(out)
    await log.stop()
    engine.close()


def _run(db: Path, acknowledged: Path, most: int, kill_after_seconds: Sequence[float] = ()) -> None:
    """Some workers at once: killed one after the other, as many seconds after the last, or left to end."""
    before = acknowledged.stat().st_size if acknowledged.exists() else 0
    stay = bool(kill_after_seconds)
    workers = [SPAWN.Process(target=_worker, args=(db, acknowledged, most, stay)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    if stay:
        until = time.monotonic() + 60
        while not acknowledged.exists() or acknowledged.stat().st_size == before:
            assert time.monotonic() < until, "no worker began to count"
            time.sleep(0.005)
    for worker, seconds in zip(workers, kill_after_seconds, strict=False):
        time.sleep(seconds)
        worker.kill()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL if stay else 0] * WORKERS


@pytest.mark.parametrize("run", range(RUNS))
def test_limits_are_met_exactly_across_kills(tmp_path: Path, run: int) -> None:
    db, rng = tmp_path / "a.db", Random(run)
    asyncio.run(migrate(sqlite_url(db), "events"))
    file = tmp_path / "acknowledged"
    for _ in range(3):
        _run(db, file, ASKED_BEFORE_KILL, [rng.uniform(0.02, 0.3) for _ in range(WORKERS)])
    (counted,) = rows(db, "SELECT impression_count FROM delivered WHERE item = 1")
    assert 0 < counted[0] < GOAL, "the kills come before the goal"
    _run(db, file, GOAL * 3 // 4)
    acknowledged = {fill for (fill,) in struct.iter_unpack("Q", file.read_bytes())}
    missing = acknowledged - {fill for (fill,) in rows(db, "SELECT fill FROM event")}
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged fills are not in the log"
    totals = rows(db, "SELECT item, impression_count, viewable_count, revenue_micros FROM delivered")
    seen = {item: (shown, viewed, earned) for item, shown, viewed, earned in totals}
    assert seen[1] == (GOAL, GOAL, 0)
    assert seen[2][1] == GOAL
    assert seen[3] == (GOAL, GOAL, GOAL * PRICE)
    assert rows(db, "SELECT revenue_micros FROM progress WHERE item = 4") == [(GOAL // 2 * PRICE,)] * 2
    rebuilt = adserver("rebuild", "--db", str(db))
    assert (rebuilt.returncode, rebuilt.stdout.split(":")[0]) == (0, "equal"), rebuilt.stderr
