"""Fresh fills of a server → beacons from many clients until it is killed, and what it acknowledged."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from random import Random

import httpx2

from adserver.catalog.model import PriceModel
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.token import FillIds, FillToken, TokenKey, stem_of
from tests.newsroom import BROWSER
from tests.processes import Server

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
    server: Server, tokens: Tokens, seconds: float, rng: Random, *, kill: bool = True
) -> tuple[set[tuple[int, int]], float]:
    """Beacons from many clients for some time; what was acknowledged, and events per second.

    With `kill` the server is killed then, whatever it is at.
    """
    acknowledged: set[tuple[int, int]] = set()
    over = asyncio.Event()
    start = time.monotonic()

    async def visitor(client: httpx2.AsyncClient) -> None:
        while not over.is_set():
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
        over.set()
        if kill:
            server.kill()

    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=CLIENTS), headers=HEADERS) as client:
        await asyncio.gather(assassin(), *(visitor(client) for _ in range(CLIENTS)))
    return acknowledged, len(acknowledged) / (time.monotonic() - start)
