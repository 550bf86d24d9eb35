"""A running server → readers who ask, report and click whatever happens, and what they were answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from adserver.measurement.event import Kind
from adserver.measurement.token import TokenKey
from tests.newsroom import BROWSER, rows
from tests.processes import Server, adserver

READER_COUNT = 4
#: A reader looks at a page for so long.
_PAUSE_SECONDS = 0.04
#: As `tag.js` does: sent at once, and after a failure twice more.
_TRY_AFTER_SECONDS = (0.0, 1.0, 4.0)
_SLOTS = ("top", "side")
_KINDS = ("impression", "measurable", "viewable")


class Readers:
    """What a server answered, by path and status, and what it acknowledged."""

    def __init__(self, server: Server, seed: int = 1) -> None:
        self._server = server
        self._rng = Random(seed)
        (secret,) = rows(server.db, "SELECT value FROM secret WHERE name = 'fill'")
        self._key = TokenKey(secret[0])
        self.fills: Counter[int] = Counter()
        self.beacons: Counter[int] = Counter()
        self.clicks: Counter[int] = Counter()
        self.reasons: Counter[str] = Counter()
        self.slowest_fill_seconds = 0.0
        self.acknowledged: dict[tuple[int, int], float] = {}
        """(fill, kind) → when its page was asked for, by a clock that is not set."""
        self.tried_count = 0
        """Events in beacons and clicks that were sent, each time that they were."""
        self._reading = False
        self._beacons: set[asyncio.Task[None]] = set()

    async def read(self, happens: Callable[[], Awaitable[None]]) -> None:
        """Read while something happens, and then until every beacon was answered or given up."""
        self._reading = True
        readers = [asyncio.create_task(self._read_on()) for _ in range(READER_COUNT)]
        try:
            await happens()
        finally:
            self._reading = False
            await asyncio.gather(*readers)
            await asyncio.gather(*self._beacons)

    async def _read_on(self) -> None:
        while self._reading:
            await self._page()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _page(self) -> None:
        body = {"site": "daily", "slots": [{"slot": name} for name in _SLOTS], "tally": ""}
        start = time.monotonic()
        status, text = await self._ask("POST", "/v1/fill", body)
        self.slowest_fill_seconds = max(self.slowest_fill_seconds, time.monotonic() - start)
        self.fills[status] += 1
        fills = json.loads(text)["fills"]
        self.reasons.update(one["reason"] for one in fills if "reason" in one)
        filled = [one for one in fills if "fill" in one]
        seen = self._rng.choice(_KINDS)
        events = [(one["fill"], kind) for one in filled for kind in dict.fromkeys(("impression", seen))]
        beacon = asyncio.create_task(self._report(events, start))
        self._beacons.add(beacon)
        beacon.add_done_callback(self._beacons.discard)
        if filled and self._rng.random() < 0.2:
            status, _ = await self._ask("GET", filled[0]["creative"]["click"])
            self.clicks[status] += 1
            self.tried_count += 1

    async def _report(self, events: list[tuple[str, str]], asked_at: float) -> None:
        body = {"events": [{"fill": token, "type": kind} for token, kind in events]}
        for seconds in _TRY_AFTER_SECONDS:
            await asyncio.sleep(seconds)
            status, _ = await self._ask("POST", "/v1/events", body)
            self.beacons[status] += 1
            self.tried_count += len(events)
            if status == 204:
                for text, kind in events:
                    token = self._key.read(text)
                    assert token is not None
                    self.acknowledged[token.fill, int(Kind[kind.upper()])] = asked_at
                return

    async def _ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and body of an answer, over a connection of its own: beacons may wait by the hundred."""
        text = b"" if body is None else json.dumps(body).encode()
        head = {"Host": "ads", "User-Agent": BROWSER, "Connection": "close", "Content-Length": len(text)}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        try:
            writer.write("\r\n".join(lines).encode() + text)
            answer = await reader.read()
        finally:
            writer.close()
        head_text, _, content = answer.partition(b"\r\n\r\n")
        return int(head_text.split()[1]), content

    def check_answers(self) -> None:
        """Every page was answered, every click redirected, and every beacon taken or asked for again."""
        assert set(self.fills) == {200}, self.fills
        assert set(self.clicks) == {302}, self.clicks
        assert set(self.beacons) <= {204, 503}, self.beacons
        assert not self.reasons, "a slot stayed empty"
        assert self.slowest_fill_seconds < 5, f"a page waited {self.slowest_fill_seconds:.1f} s"

    def check_log(self, db: Path) -> None:
        """Nothing that was acknowledged is lost, nothing is counted twice, and all sums are the log's."""
        logged = rows(db, "SELECT fill, kind FROM event")
        assert len(logged) == len(set(logged))
        missing = set(self.acknowledged) - set(logged)
        assert not missing, (
            f"{len(missing)} of {len(self.acknowledged)} acknowledged events are not in the log"
        )
        rebuilt = adserver("rebuild", "--db", str(db))
        assert (rebuilt.returncode, rebuilt.stdout.split(":")[0]) == (0, "equal"), rebuilt.stderr


def metrics_of(server: Server) -> dict[str, float]:
    """Metrics of a server, without labels; those of one name are added up."""
    found: dict[str, float] = {}
    text = httpx2.get(f"{server.base}/metrics").text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def readiness_of(server: Server) -> dict[str, Any]:
    """What `/readyz` says."""
    body: dict[str, Any] = httpx2.get(f"{server.base}/readyz").json()
    return body
