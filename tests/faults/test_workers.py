"""Several workers on one file: line items that end under load end exactly, and nothing is served in vain."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
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

WORKERS, CLIENTS, ITEMS, GOAL, PRICE = 3, 12, 20, 12, 2000
SLOTS = ("one", "two", "three", "four")
HEADERS = {"user-agent": BROWSER}
#: The one that was killed was heard of before all others.
HELD_BY_THE_DEAD = """
SELECT item, held FROM lease WHERE node = (SELECT node FROM lease_worker ORDER BY seen_ms LIMIT 1)
"""
#: Made once: it takes longer than a page.
TLS = ssl.create_default_context()


def ending() -> Catalog:
    """Line items with small goals and budgets, and one without an end."""
    now = system_clock()
    flight: dict[str, Any] = {"start": now - timedelta(days=1), "end": now + timedelta(days=2)}
    goal = {"tier": "guaranteed", "goal": {"impressions": GOAL}, **flight}
    budget = {"tier": "price", "budget": f"{(GOAL * PRICE + PRICE // 2) / 1e6:.6f}"}
    items: list[dict[str, object]] = [
        {
            **line_item(f"item-{number}", "price", "728x90", price={"cpm": "2"}),
            **(goal if number % 2 else budget),
        }
        for number in range(ITEMS)
    ]
    house = line_item("rest", "house", "728x90", repeat=True)
    return catalog_of(*items, house, slot=[{"name": name, "sizes": ["728x90"]} for name in SLOTS])


@dataclass
class Readers:
    """Readers on new connections, which the kernel spreads over the workers."""

    base: str
    rng: Random
    shown: Counter[str] = field(default_factory=Counter)

    async def read(self, pages: int) -> None:
        """So many pages each."""
        await asyncio.gather(*(self._reader(pages) for _ in range(CLIENTS)))

    async def _reader(self, pages: int) -> None:
        for _ in range(pages):
            async with httpx2.AsyncClient(headers=HEADERS, verify=TLS) as client:
                with suppress(httpx2.TransportError):  # its worker was killed
                    await self._page(client)

    async def _page(self, client: httpx2.AsyncClient) -> None:
        body = {"site": "daily", "slots": [{"slot": name} for name in SLOTS], "tally": ""}
        answer = await client.post(f"{self.base}/v1/fill", json=body)
        fills = [fill for fill in answer.json()["fills"] if "fill" in fill]
        events = [{"fill": fill["fill"], "type": "impression"} for fill in fills]
        async with httpx2.AsyncClient(headers=HEADERS, verify=TLS) as other:
            reported = await other.post(f"{self.base}/v1/events", json={"events": events})
        assert reported.status_code == 204
        self.shown.update(fill["line_item"] for fill in fills)


def wait_for_workers(db: Path) -> None:
    """Until each has told what it holds."""
    until = time.monotonic() + 60
    while rows(db, "SELECT count(*) FROM lease_worker") != [(WORKERS,)]:
        assert time.monotonic() < until, "a worker did not start"
        time.sleep(0.05)


def workers_of(server: Server) -> list[int]:
    """Process ids of the server's workers."""
    children = Path(f"/proc/{server.running.pid}/task/{server.running.pid}/children").read_text().split()
    told = [(int(child), Path(f"/proc/{child}/cmdline").read_bytes()) for child in children]
    return [child for child, command in told if b"spawn_main" in command]


def limited(seen: Sequence[tuple[int, int]], ids: dict[int, str]) -> dict[str, int]:
    """Counted impressions of each line item that ends."""
    return {ids[item]: count for item, count in seen if ids[item] != "rest"}


@pytest.mark.parametrize("killed", [False, True], ids=["all live", "one is killed"])
def test_goals_and_budgets_end_exactly(tmp_path: Path, killed: bool) -> None:
    db = tmp_path / "a.db"
    stored = apply_catalog(db, ending())
    ids = {number: key[1] for key, number in stored.ids.items() if key[0] == "line_item"}
    server = Server(
        db, ADSERVER_WORKERS=str(WORKERS), ADSERVER_LEASE_SECONDS="0.1", ADSERVER_RESERVATION_SECONDS="60"
    )
    try:
        wait_for_workers(db)
        readers = Readers(server.base, Random(1))
        asyncio.run(readers.read(3))
        if killed:
            os.kill(workers_of(server)[0], signal.SIGKILL)
        until = time.monotonic() + 40
        while time.monotonic() < until:
            # The last ones go from a worker without readers to one that has some, which takes a while.
            asyncio.run(readers.read(3))
            seen = limited(rows(db, "SELECT item, impression_count FROM delivered"), ids)
            held = limited(rows(db, HELD_BY_THE_DEAD), ids) if killed else {}
            if len(seen) == ITEMS and all(n + held.get(name, 0) >= GOAL for name, n in seen.items()):
                break
    finally:
        server.stop()
    seen = limited(rows(db, "SELECT item, impression_count FROM delivered"), ids)
    if killed:
        # What it held when it died is its own for some minutes yet; all else was served.
        held = limited(rows(db, HELD_BY_THE_DEAD), ids)
        assert len(seen) == ITEMS and max(seen.values()) <= GOAL
        assert all(count + held.get(name, 0) >= GOAL for name, count in seen.items())
    else:
        assert set(seen.values()) == {GOAL} and len(seen) == ITEMS
    assert rows(db, "SELECT count(*) FROM event WHERE validity = 4") == [(0,)], "nothing was served in vain"
    assert len(rows(db, "SELECT DISTINCT fill >> 12 & 1023 FROM event")) >= WORKERS
    rebuilt = adserver("rebuild", "--db", str(db))
    assert (rebuilt.returncode, rebuilt.stdout.split(":")[0]) == (0, "equal"), rebuilt.stderr
