"""`kill -9` of a server whose line items near their limits: goals and budgets are met exactly.

Clients ask for fills and report impressions and clicks, some at once, some after the next start, some never.
Two runs in CI; `make faults` does a hundred (`ADSERVER_FAULT_RUNS`).
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest

from adserver.catalog.model import Catalog
from adserver.clock import system_clock
from tests.newsroom import BROWSER, apply_catalog, catalog_of, line_item, rows
from tests.processes import Server, adserver

RUNS = int(os.environ.get("ADSERVER_FAULT_RUNS", "2"))
#: Known as no bot; the clients act faster than any reader.
HEADERS = {"user-agent": BROWSER}
CLIENTS = 12
GOAL, PRICE, CLICK_PRICE = 300, 4500, 250_000
#: A budget of 200 impressions and a half, a daily one of 150, and one of 20 clicks.
BUDGET, DAILY, CLICKS = 200 * PRICE + PRICE // 2, 150 * PRICE, 20 * CLICK_PRICE
SLOTS = ("goal", "budget", "daily", "clicks")


def limited() -> Catalog:
    """One line item with a limit of some kind in each slot."""
    now = system_clock()
    flight: dict[str, Any] = {"start": now - timedelta(days=1), "end": now + timedelta(days=2)}
    limits: dict[str, dict[str, Any]] = {
        "goal": {"tier": "guaranteed", "price": {"cpm": "4.50"}, "goal": {"impressions": GOAL}, **flight},
        "budget": {"tier": "price", "price": {"cpm": "4.50"}, "budget": f"{BUDGET / 1e6:.6f}"},
        "daily": {"tier": "price", "price": {"cpm": "4.50"}, "daily_budget": f"{DAILY / 1e6:.6f}"},
        "clicks": {"tier": "price", "price": {"cpc": "0.25"}, "budget": f"{CLICKS / 1e6:.6f}"},
    }
    items: list[dict[str, object]] = [
        {**line_item(name, "price", "728x90"), **keys, "target": {"slot": [name]}}
        for name, keys in limits.items()
    ]
    return catalog_of(*items, slot=[{"name": name, "sizes": ["728x90"]} for name in SLOTS])


@dataclass
class Readers:
    """Clients of one server after the other, what they were answered, and tokens that they kept."""

    rng: Random
    kept: list[str] = field(default_factory=list)
    acknowledged_count: int = 0
    filled_count: int = 0

    async def until_killed(self, server: Server, most: int) -> None:
        """Read until so many impressions more were acknowledged, and then kill the server, mid-stream."""
        end = self.acknowledged_count + most

        async def reader(client: httpx2.AsyncClient) -> None:
            while True:
                try:
                    await self._page(client, server)
                except httpx2.TransportError:
                    return
                if self.acknowledged_count >= end and server.running.poll() is None:
                    server.kill()

        async with httpx2.AsyncClient(
            limits=httpx2.Limits(max_connections=CLIENTS), headers=HEADERS
        ) as client:
            await asyncio.gather(*(reader(client) for _ in range(CLIENTS)))

    async def to_the_end(self, server: Server) -> None:
        """Report half of what was kept, read until no slot is filled any more, and report the other half."""
        half = len(self.kept) // 2
        early, late, self.kept = self.kept[:half], self.kept[half:], []
        async with httpx2.AsyncClient(
            limits=httpx2.Limits(max_connections=CLIENTS), headers=HEADERS
        ) as client:
            await self._report(client, server, early)

            async def reader() -> None:
                while await self._page(client, server, keep=False):
                    pass

            await asyncio.gather(*(reader() for _ in range(CLIENTS)))
            await self._report(client, server, late)

    async def _page(self, client: httpx2.AsyncClient, server: Server, *, keep: bool = True) -> int:
        """One page; how many of its slots were filled."""
        body = {"site": "daily", "slots": [{"slot": name} for name in SLOTS], "tally": ""}
        answer = await client.post(f"{server.base}/v1/fill", json=body)
        fills = [one for one in answer.json()["fills"] if "fill" in one]
        self.filled_count += len(fills)
        shown = []
        for fill in fills:
            luck = self.rng.random() if keep else 0.0
            if luck < 0.8:
                shown.append(fill["fill"])
            elif luck < 0.9:
                self.kept.append(fill["fill"])
        await self._report(client, server, shown)
        for fill in fills:
            if fill["line_item"] == "clicks" and self.rng.random() < (0.03 if keep else 0.5):
                click = await client.get(server.base + fill["creative"]["click"])
                assert click.status_code == 302
        return len(fills)

    async def _report(self, client: httpx2.AsyncClient, server: Server, tokens: list[str]) -> None:
        for start in range(0, len(tokens), 50):
            some = tokens[start : start + 50]
            events = [{"fill": token, "type": "impression"} for token in some]
            answer = await client.post(f"{server.base}/v1/events", json={"events": events})
            assert answer.status_code == 204
            self.acknowledged_count += len(some)


@pytest.mark.parametrize("run", range(RUNS))
def test_limits_are_met_exactly_by_a_server_that_is_killed(tmp_path: Path, run: int) -> None:
    db, rng = tmp_path / "a.db", Random(run)
    ids = apply_catalog(db, limited()).ids
    readers = Readers(rng)
    for _ in range(2):
        asyncio.run(
            readers.until_killed(Server(db, ADSERVER_MIN_CLICK_DELAY_MS="0"), rng.randrange(100, 250))
        )
    counted = dict(rows(db, "SELECT item, impression_count FROM delivered"))
    assert 0 < counted[ids["line_item", "goal"]] < GOAL, "the kills come before the goal"
    last = Server(db, ADSERVER_MIN_CLICK_DELAY_MS="0")
    try:
        asyncio.run(readers.to_the_end(last))
    finally:
        last.stop()
    (logged,) = rows(db, "SELECT count(*), count(DISTINCT fill) FROM event WHERE kind = 1")
    assert logged[0] == logged[1] >= readers.acknowledged_count
    totals = rows(db, "SELECT item, impression_count, click_count, revenue_micros FROM delivered")
    seen = {item: counts for item, *counts in totals}
    assert seen[ids["line_item", "goal"]] == [GOAL, 0, GOAL * PRICE]
    assert seen[ids["line_item", "budget"]] == [200, 0, 200 * PRICE]
    assert seen[ids["line_item", "clicks"]][1:] == [20, CLICKS]
    days = rows(db, f"SELECT revenue_micros FROM progress WHERE item = {ids['line_item', 'daily']}")  # noqa: S608
    assert days and all(0 < micros <= DAILY for (micros,) in days)
    assert len(days) > 1 or days == [(DAILY,)]
    # What was kept from before the kills came when all was counted: it is in the log, and not billed.
    assert rows(db, "SELECT count(*) FROM event WHERE validity = 4")[0][0] > 0
    billed = rows(db, "SELECT sum(revenue_micros) FROM event WHERE validity = 0")
    assert billed == rows(db, "SELECT sum(revenue_micros) FROM delivered")
    rebuilt = adserver("rebuild", "--db", str(db))
    assert (rebuilt.returncode, rebuilt.stdout.split(":")[0]) == (0, "equal"), rebuilt.stderr
