"""A catalog of many line items → how long one decision takes, and how long requests wait for a new catalog.

What cannot be seen from outside: the decision alone, without the server around it, and the loop's pauses.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter, thread_time

from adserver.app import App
from adserver.clock import system_clock
from adserver.decision.context import Ask, Context
from adserver.decision.page import Decider
from adserver.decision.tally import Tally
from adserver.serving.parts import Parts
from adserver.serving.wire import read_fill
from adserver.settings import Settings
from tests.benchmarks.catalogs import COUNTRIES, catalog_file
from tests.benchmarks.requests import front_pages

_PULSE_SECONDS = 0.001
_MOST_PULSES = 60_000


@dataclass(frozen=True)
class Inside:
    """Figures of one catalog. Times of decisions are of the processor, in µs; the others in seconds."""

    item_count: int
    decide_p50_us: float
    decide_p99_us: float
    first_p50_us: float
    """Of pages whose facts were not met before."""
    rebuild_seconds: float
    longest_wait_seconds: float
    """That anything in the loop waited meanwhile."""


def look_inside(item_count: int, folder: Path, rounds: int = 20) -> Inside:
    """Measure one size in this process."""
    return asyncio.run(_look_inside(item_count, folder, rounds))


async def _look_inside(item_count: int, folder: Path, rounds: int) -> Inside:
    db = folder / f"inside-{item_count}.db"
    _apply(catalog_file(item_count), folder, db)
    app = App(Settings(db=db, catalog_poll_seconds=0.05), ticking=False)
    async with app.running() as parts:
        await app.tick()
        first, later = _decide(parts.steering.decider, rounds)
        changed = catalog_file(item_count).replace('alt = "An advertisement"', 'alt = "A new one"')
        before = parts.live.version
        await asyncio.to_thread(_apply, changed, folder, db)
        started = perf_counter()
        waits = await _pulse_until_changed(parts, before)
        rebuilt = perf_counter() - started
    return Inside(item_count, _at(later, 0.5), _at(later, 0.99), _at(first, 0.5), rebuilt, max(waits))


def _decide(decider: Decider, rounds: int) -> tuple[list[float], list[float]]:
    """Processor time of each decision of the front pages: the first round, and the others."""
    rng, now = Random(1), system_clock()
    pages = [_page(raw, rng) for raw in front_pages()]
    taken: list[list[float]] = []
    for _ in range(rounds):
        times = []
        for context, asks in pages:
            start = thread_time()
            decider.decide(context, asks, now, rng, Tally())
            times.append((thread_time() - start) * 1e6)
        taken.append(times)
    return taken[0], [one for times in taken[1:] for one in times]


def _page(raw: bytes, rng: Random) -> tuple[Context, list[Ask]]:
    request = read_fill(raw.partition(b"\r\n\r\n")[2], Settings())
    page = request.page
    country, device = rng.choice(COUNTRIES), rng.choice(["desktop", "mobile"])
    facts = Context(request.site, page.section, page.topics, page.values, country, device, page.url)
    return facts, request.slots


def _apply(text: str, folder: Path, db: Path) -> None:
    catalog = folder / "inside.toml"
    catalog.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "adserver", "apply", str(catalog), "--db", str(db)]
    subprocess.run(command, check=True, capture_output=True)


async def _pulse_until_changed(parts: Parts, version: int) -> list[float]:
    """How long each of many short sleeps overslept, until another catalog version serves."""
    waits = []
    for _ in range(_MOST_PULSES):
        start = perf_counter()
        await asyncio.sleep(_PULSE_SECONDS)
        waits.append(perf_counter() - start - _PULSE_SECONDS)
        if parts.live.version != version:
            return waits
    raise AssertionError("the new catalog does not serve")


def _at(values: list[float], part: float) -> float:
    return sorted(values)[int(part * (len(values) - 1))]
