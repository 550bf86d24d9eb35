"""Catalog sizes, seconds → figures of every case, all from one run, so that their ratios mean something."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean

from tests.benchmarks import requests, servers
from tests.benchmarks.load import Load, drive
from tests.benchmarks.mint import Mint, event_count, filled_tokens
from tests.benchmarks.servers import Cores, Server

_NEW_PAGE_COUNT = 40_000
#: So many requests are prepared for a warm-up, and then this factor more than its rate lets expect.
_FIRST_COUNT = 20_000
_SPARE = 1.6


@dataclass(frozen=True)
class Plan:
    """What is measured. Events and clicks are measured on the catalog of `event_size` line items."""

    sizes: tuple[int, ...] = (10, 1_000, 10_000, 100_000)
    new_page_sizes: tuple[int, ...] = (1_000,)
    event_size: int = 1_000
    events_per_beacon: tuple[int, ...] = (1, 5)
    seconds: int = 5
    control_seconds: int = 2
    warm_up_seconds: int = 1
    cores: Cores = field(default_factory=Cores)


@dataclass(frozen=True)
class Case:
    """Something to measure, and the share of its slots that are filled, where slots are asked for."""

    name: str
    run: Callable[[], Load]
    fill_rate: float | None = None


@dataclass(frozen=True)
class Figure:
    """One case beside the control right before and right after it: whatever slows the machine slows both."""

    name: str
    load: Load
    controls: tuple[Load, Load]
    fill_rate: float | None

    @property
    def rate_ratio(self) -> float:
        """Requests per second ÷ the control's; more is better."""
        return self.load.rate / mean(control.rate for control in self.controls)

    @property
    def cpu_ratio(self) -> float:
        """CPU per request ÷ the control's; less is better."""
        return self.load.cpu_micros / mean(control.cpu_micros for control in self.controls)


def measure(plan: Plan, folder: Path, step: Callable[[str], None] = lambda name: None) -> list[Figure]:
    """All cases of a plan, each between two measurements of the control. `step` hears what is next."""
    pages = requests.front_pages()
    figures: list[Figure] = []
    with servers.control(folder, plan.cores) as control:
        drive(control, pages, plan.warm_up_seconds, folder)
        for case in _cases(plan, folder):
            step(case.name)
            before = drive(control, pages, plan.control_seconds, folder)
            load = case.run()
            after = drive(control, pages, plan.control_seconds, folder)
            figures.append(Figure(case.name, load, (before, after), case.fill_rate))
    return figures


def _cases(plan: Plan, folder: Path) -> Iterator[Case]:
    for size in plan.sizes:
        with servers.adserver(size, folder, plan.cores) as server:
            yield from _fills(plan, server, size, folder)
            if size == plan.event_size:
                yield from _events(plan, server, folder)


def _fills(plan: Plan, server: Server, size: int, folder: Path) -> Iterator[Case]:
    name = f"fill, {size:,} items"
    pages = requests.front_pages()
    fill_rate = len(filled_tokens(server, pages)) / len(pages) / requests.SLOTS_PER_PAGE
    yield Case(name, partial(_steady, plan, server, pages, folder), fill_rate)
    if size in plan.new_page_sizes:
        new_pages = requests.new_pages(_NEW_PAGE_COUNT)
        yield Case(f"{name}, new pages", partial(_steady, plan, server, new_pages, folder))


def _events(plan: Plan, server: Server, folder: Path) -> Iterator[Case]:
    mint = Mint(server.db, filled_tokens(server, requests.front_pages()))
    for count in plan.events_per_beacon:
        beacons = partial(_beacons, mint, count)
        yield Case(f"events, {count} a beacon", partial(_logged, plan, server, beacons, count, folder))
    yield Case("click", partial(_once_each, plan, server, partial(_clicks, mint), folder))


def _beacons(mint: Mint, events_per_beacon: int, beacon_count: int) -> list[bytes]:
    return requests.beacons(mint.tokens(beacon_count * events_per_beacon), events_per_beacon)


def _clicks(mint: Mint, count: int) -> list[bytes]:
    return requests.clicks(mint.tokens(count))


def _steady(plan: Plan, server: Server, prepared: Sequence[bytes], folder: Path) -> Load:
    drive(server, prepared, plan.warm_up_seconds, folder)
    return drive(server, prepared, plan.seconds, folder)


def _once_each(plan: Plan, server: Server, prepare: Callable[[int], list[bytes]], folder: Path) -> Load:
    """Like `_steady`, but no request is sent twice while it is measured: repeats cost less than new ones."""
    warm = drive(server, prepare(_FIRST_COUNT), plan.warm_up_seconds, folder)
    count = int(warm.rate * plan.seconds * _SPARE) + _FIRST_COUNT
    load = drive(server, prepare(count), plan.seconds, folder)
    assert load.sent_count <= count, f"only {count} requests were prepared, and {load.sent_count} sent"
    return load


def _logged(
    plan: Plan, server: Server, prepare: Callable[[int], list[bytes]], events_per_beacon: int, folder: Path
) -> Load:
    """`_once_each`, and the proof that what was answered 204 is on disk."""
    before = event_count(server.db)
    load = _once_each(plan, server, prepare, folder)
    written = event_count(server.db) - before
    acknowledged = load.request_count * events_per_beacon
    assert written >= acknowledged, f"{acknowledged} events were answered 204, and only {written} are on disk"
    return load


def control_of(figures: Sequence[Figure]) -> tuple[float, float, float]:
    """The control of a whole run: requests per second, CPU µs per request, and how far that spread."""
    controls = [control for figure in figures for control in figure.controls]
    cpu_micros = [control.cpu_micros for control in controls]
    spread = max(cpu_micros) / min(cpu_micros) - 1
    return mean(control.rate for control in controls), mean(cpu_micros), spread
