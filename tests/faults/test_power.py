"""A power failure under load: what was answered 204 is in what the disk still holds, what was synced.

Two runs in CI; `make faults` does a hundred (`ADSERVER_FAULT_RUNS`).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random

import pytest

from tests.faults.beacons import Tokens, load
from tests.faults.machine import Machine
from tests.newsroom import PAID, apply_catalog, rows
from tests.processes import Server, adserver, serving

RUNS = int(os.environ.get("ADSERVER_FAULT_RUNS", "2"))


def fail_power_under_load(
    machine: Machine, rng: Random, **chosen: str
) -> tuple[Path, set[tuple[int, int]], set[tuple[int, int]]]:
    """What is left of the file by a power failure; the events that were acknowledged before; those in it."""
    db = machine.disk / "a.db"
    stored = apply_catalog(db, PAID)
    Server(db).stop()  # makes the tables and the key
    tokens = Tokens(db, stored)
    machine.begin_power()
    server = Server(db, **machine.environment, **chosen)
    acknowledged, _ = asyncio.run(load(server, tokens, rng.uniform(1.0, 2.5), rng))
    after = machine.fail_power() / "a.db"
    assert rows(after, "PRAGMA integrity_check") == [("ok",)]
    return after, acknowledged, {*rows(after, "SELECT fill, kind FROM event")}


@pytest.mark.parametrize("run", range(RUNS))
def test_what_was_acknowledged_survives_a_power_failure(tmp_path: Path, run: int) -> None:
    machine = Machine(tmp_path)
    after, acknowledged, logged = fail_power_under_load(machine, Random(run))
    print(f"run {run}: {len(acknowledged):,} events acknowledged, {len(logged):,} on the disk")
    assert len(acknowledged) > 100
    missing = acknowledged - logged
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged events are lost"
    rebuilt = adserver("rebuild", "--db", str(after))
    assert (rebuilt.returncode, rebuilt.stdout.split(":")[0]) == (0, "equal"), rebuilt.stderr
    with serving(after):
        pass


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_a_server_that_does_not_wait_for_the_disk_is_found_out(tmp_path: Path, synchronous: str) -> None:
    careless = {"program": "tests.faults.careless", "SYNCHRONOUS": synchronous}
    _, acknowledged, logged = fail_power_under_load(Machine(tmp_path), Random(1), **careless)
    assert acknowledged - logged, "nothing was lost, so this cannot tell what is durable from what is not"
