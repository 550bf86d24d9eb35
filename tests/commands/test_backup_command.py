"""`adserver backup` beside a real server under load, and `adserver restore` of what it made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx2

from tests.faults.beacons import Tokens
from tests.newsroom import PAID, apply_catalog, rows
from tests.processes import Server, adserver, serving

CLIENTS = 8
EVENTS_PER_BEACON = 5
WARM_EVENTS, WARM_SECONDS = 300, 60


async def visit(
    server: Server, tokens: Tokens, ended: asyncio.Event, acknowledge: Callable[[Iterable[int]], None]
) -> None:
    """Beacons of impressions until the end; fills that were answered 204 are noted at once."""
    async with httpx2.AsyncClient() as client:
        while not ended.is_set():
            fills = [tokens.sign() for _ in range(EVENTS_PER_BEACON)]
            events = [{"fill": token, "type": "impression"} for _, token in fills]
            answer = await client.post(f"{server.base}/v1/events", content=json.dumps({"events": events}))
            assert answer.status_code == 204
            acknowledge(fill for fill, _ in fills)


async def back_up_under_load(server: Server, tokens: Tokens, target: Path) -> tuple[str, set[int], set[int]]:
    """What the command said, and what was acknowledged before it began and when all had ended."""
    warm, ended, acknowledged = asyncio.Event(), asyncio.Event(), set[int]()

    def acknowledge(fills: Iterable[int]) -> None:
        acknowledged.update(fills)
        if len(acknowledged) >= WARM_EVENTS:
            warm.set()

    visitors = [asyncio.create_task(visit(server, tokens, ended, acknowledge)) for _ in range(CLIENTS)]
    async with asyncio.timeout(WARM_SECONDS):
        await warm.wait()
    before = set(acknowledged)
    made = await asyncio.to_thread(adserver, "backup", str(target), "--db", str(server.db))
    assert made.returncode == 0, made.stderr
    ended.set()
    await asyncio.gather(*visitors)
    return made.stdout, before, acknowledged


def test_all_that_was_acknowledged_before_a_backup_is_restored_once(tmp_path: Path) -> None:
    db, target = tmp_path / "a.db", tmp_path / "copy.db"
    stored = apply_catalog(db, PAID)
    with serving(db) as server:
        said, before, after = asyncio.run(back_up_under_load(server, Tokens(db, stored), target))
        refused = adserver("restore", str(target), "--db", str(db))
        assert refused.returncode == 2
        assert refused.stderr == f"{db}: --db: is open in another program; stop the server first\n"
    assert len(before) >= WARM_EVENTS
    assert len(after) > len(before), "the server was to go on while the backup was made"
    assert said.startswith(f"{target}: catalog 1, ")
    assert "rollups equal to them" in said
    done = adserver("restore", str(target), "--db", str(db))
    assert done.returncode == 0, done.stderr
    aside = done.stdout.splitlines()[1].partition(": the database of before")[0]
    restored = [fill for (fill,) in rows(db, "SELECT fill FROM event WHERE kind = 1")]
    assert len(restored) == len(set(restored))
    assert before <= set(restored) <= after
    assert {fill for (fill,) in rows(Path(aside), "SELECT fill FROM event")} == after
    rebuilt = adserver("rebuild", "--db", str(db))
    assert (rebuilt.returncode, rebuilt.stdout.split(":")[0]) == (0, "equal"), rebuilt.stderr
    with serving(db):  # and it serves again
        pass


def test_what_is_refused_is_one_line(tmp_path: Path) -> None:
    db, target = tmp_path / "a.db", tmp_path / "copy.db"
    refused = adserver("backup", str(target), "--db", str(db))
    assert (refused.returncode, refused.stderr) == (2, f"{db}: --db: there is no such file\n")
    refused = adserver("restore", str(target), "--db", str(db))
    assert (refused.returncode, refused.stderr) == (2, f"{target}: there is no such file\n")
