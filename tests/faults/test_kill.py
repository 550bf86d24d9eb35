"""`kill -9` under load: every event that was answered 204 is in the log, exactly once, and rollups are right.

Two runs in CI; `make faults` does twenty (`ADSERVER_FAULT_RUNS`).
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from random import Random

import httpx2
import pytest

from adserver.catalog.model import PriceModel
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.token import FillIds, FillToken, TokenKey, stem_of
from tests.newsroom import BROWSER, PAID, apply_catalog, rows
from tests.processes import Server, adserver

RUNS = int(os.environ.get("ADSERVER_FAULT_RUNS", "2"))
#: Known as no bot; the clients act faster than any reader.
HEADERS = {"user-agent": BROWSER}
CLIENTS = 16
EVENTS_PER_BEACON = 5
KINDS = {"impression": 1, "measurable": 2, "viewable": 3}


class Tokens:
    """Fill tokens as the server would sign them; its own key is in the file."""

    def __init__(self, db: Path, stored: Stored) -> None:
        log = SqliteLog(db)
        self._key, self._ids = TokenKey(log.secret()), FillIds(log.node_number())
        log.close()
        self._slot = stored.ids["slot", "daily", "side"]
        self._item = stored.ids["line_item", "paid"]
        self._creative = stored.ids["creative", "paid-300x250"]

    def sign(self) -> tuple[int, str]:
        """A new fill of `paid`: its id and its token."""
        fill = self._ids.next(time.time_ns() // 1_000_000)
        token = FillToken(fill, self._slot, self._item, self._creative, PriceModel.CPM, 4500, 1)
        return fill, self._key.sign(stem_of(token), fill, token.facts).decode()


async def load(
    server: Server, tokens: Tokens, seconds: float, rng: Random
) -> tuple[set[tuple[int, int]], float]:
    """Beacons from many clients until the server is killed; what was acknowledged, and events per second."""
    acknowledged: set[tuple[int, int]] = set()
    start = time.monotonic()

    async def visitor(client: httpx2.AsyncClient) -> None:
        while True:
            fills = [tokens.sign() for _ in range(EVENTS_PER_BEACON)]
            kinds = [rng.choice(list(KINDS)) for _ in fills]
            events = [{"fill": token, "type": kind} for (_, token), kind in zip(fills, kinds, strict=True)]
            try:
                answer = await client.post(f"{server.base}/v1/events", content=json.dumps({"events": events}))
            except httpx2.TransportError:
                return
            if answer.status_code == 204:
                acknowledged.update((fill, KINDS[kind]) for (fill, _), kind in zip(fills, kinds, strict=True))

    async def assassin() -> None:
        await asyncio.sleep(seconds)
        server.kill()

    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=CLIENTS), headers=HEADERS) as client:
        await asyncio.gather(assassin(), *(visitor(client) for _ in range(CLIENTS)))
    return acknowledged, len(acknowledged) / (time.monotonic() - start)


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
