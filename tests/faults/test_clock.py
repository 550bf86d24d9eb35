"""A clock that is set an hour forward or back, under load: nothing stops, is lost or is counted twice."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from adserver.measurement.event import Validity
from tests.faults.machine import Machine
from tests.faults.readers import Readers, metrics_of, readiness_of
from tests.newsroom import PAID, apply_catalog, rows
from tests.processes import serving

HOUR = 3600
#: Longer than a server needs to see that its clock was set back, and between two ticks.
STEP_SECONDS = 2.0


@pytest.mark.parametrize("first", [HOUR, -HOUR], ids=["forward and back", "back and forward"])
def test_a_clock_that_is_set_and_set_again(tmp_path: Path, first: int) -> None:
    async def steps() -> None:
        await asyncio.sleep(STEP_SECONDS)
        for seconds in (first, 0):
            machine.step_clock(seconds)
            await asyncio.sleep(STEP_SECONDS)
            settled.append(time.monotonic())
            await asyncio.sleep(STEP_SECONDS)

    machine, settled = Machine(tmp_path), [time.monotonic()]
    db = machine.disk / "a.db"
    apply_catalog(db, PAID)
    chosen = {"ADSERVER_MIN_CLICK_DELAY_MS": "0", "ADSERVER_TICK_SECONDS": "0.5"}
    with serving(db, **chosen, **machine.environment) as server:
        readers = Readers(server)
        asyncio.run(readers.read(steps))
        readers.check_answers()
        found = metrics_of(server)
        assert found["adserver_errors_total"] == found["adserver_events_shed_total"] == 0
        assert found["adserver_events_committed_total"] == readers.tried_count
        assert not any(job["failures"] for job in readiness_of(server)["jobs"].values())
    readers.check_log(db)

    validity = {
        (fill, kind): found for fill, kind, found in rows(db, "SELECT fill, kind, validity FROM event")
    }
    now_ms = time.time_ns() // 1_000_000
    for offset, begin in zip((first, 0), settled[1:], strict=True):
        of_then = [
            event for event, at in readers.acknowledged.items() if begin < at < begin + STEP_SECONDS - 0.5
        ]
        assert len(of_then) > 10
        assert {validity[event] for event in of_then} == {Validity.VALID}, f"at {offset} s"
        assert all(abs((fill >> 22) - now_ms - offset * 1000) < 60_000 for fill, _ in of_then), (
            "dated by the clock"
        )
