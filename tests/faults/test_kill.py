"""`kill -9` under load: every event that was answered 204 is in the log, exactly once, and rollups are right.

Two runs in CI; `make faults` does a hundred (`ADSERVER_FAULT_RUNS`).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random

import pytest

from tests.faults.beacons import Tokens, load
from tests.newsroom import PAID, apply_catalog, rows
from tests.processes import Server, adserver

RUNS = int(os.environ.get("ADSERVER_FAULT_RUNS", "2"))


@pytest.mark.parametrize("run", range(RUNS))
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, run: int) -> None:
    db = tmp_path / "a.db"
    rng = Random(run)
    stored = apply_catalog(db, PAID)
    Server(db).stop()  # makes the tables and the key
    tokens = Tokens(db, stored)
    acknowledged: set[tuple[int, int]] = set()
    for _ in range(2):  # the second server finds what the first left behind
        server = Server(db)
        more, per_second = asyncio.run(load(server, tokens, rng.uniform(0.5, 1.5), rng))
        acknowledged |= more
        print(f"run {run}: {per_second:,.0f} acknowledged events/s")
    Server(db).stop()
    logged = rows(db, "SELECT fill, kind FROM event")
    assert len(logged) == len(set(logged))
    missing = acknowledged - set(logged)
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged events are not in the log"
    counted = rows(db, "SELECT sum(impression_count + measurable_count + viewable_count) FROM rollup")
    assert counted == [(len(logged),)]
    rebuilt = adserver("rebuild", "--db", str(db))
    assert (rebuilt.returncode, rebuilt.stdout.split(":")[0]) == (0, "equal"), rebuilt.stderr
