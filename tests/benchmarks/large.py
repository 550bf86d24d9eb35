"""`python -m tests.benchmarks.large`: many events → what one more costs, and how long each report takes.

The log is filled through the writer that a server has, a month of it evenly, so that all sums beside it are
there; only what comes before it, HTTP and tokens, is left out, which does not know how long the log is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from random import Random
from statistics import mean, median
from tempfile import TemporaryDirectory
from time import perf_counter, thread_time
from zoneinfo import ZoneInfo

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from starlette.testclient import TestClient

from adserver.app import App
from adserver.catalog.file import parse
from adserver.clock import BUCKETS_PER_DAY, bucket_of_ms, system_clock, to_ms
from adserver.decision.facts import (
    CAMPAIGN_ORDINAL,
    FIRST_SECTION,
    ITEM_ORDINAL,
    SECTION,
    day_shift,
    page_facts,
    size_code,
)
from adserver.engines.catalog_store import CatalogStore, Stored, sqlite_url
from adserver.engines.migrate import migrate
from adserver.engines.sqlite_cuts import SECTION_STATE
from adserver.engines.sqlite_log import SqliteLog, State
from adserver.engines.sqlite_marks import Mark
from adserver.engines.sqlite_refilter import Rules
from adserver.measurement.cuts import BY
from adserver.measurement.event import BILLABLE, Event, Kind
from adserver.measurement.period import local_days
from adserver.measurement.token import MODEL_CODES, FillIds
from adserver.settings import Settings
from tests.benchmarks import slow_line
from tests.benchmarks.catalogs import COUNTRIES, SITE, catalog_file

_OUTPUT = Path("var/bench-large.json")
#: The size that others are compared with.
SMALL = 100_000
_ITEM_COUNT, _SECTIONS, _MONTH = 200, 20, timedelta(days=30)
_FILL_AT_ONCE = 5_000
#: What a busy server writes at once, and so many times; as often before, until all sums have followed.
_AT_ONCE, _BATCHES = 50, 400
_ROUNDS = 6
#: So many events come before each question, as they do while a server runs.
_BETWEEN = 20
_DEVICES, _BROWSERS, _THEMES = (
    ("desktop", "mobile", "tablet"),
    ("chrome", "safari", "firefox"),
    ("light", "dark"),
)
_VIEWED, _CLICKED = 0.6, 0.004
_LOCAL = {"host": "127.0.0.1"}
REPORTS = (
    "revenue",
    "slots",
    "campaigns",
    "marked",
    "funnel",
    "creatives",
    "reach",
    "hours",
    "delivery",
    "sections",
)
PAGES = ("", "creatives", "reach", "hours", "delivery", "sections")
#: What the issue of measurement asks for.
MOST_REPORT_MS, MOST_COST_RATIO = 50.0, 1.3


@dataclass(frozen=True)
class Ingest:
    """Rows in the log, and the processor time that one more event takes then, sums and all, in µs."""

    row_count: int
    event_micros: float


@dataclass(frozen=True)
class Answer:
    """A report's path and the time in which it was answered, in this process, in ms.

    `first_ms`: the first time, when days are read that no report before asked for. `p50_ms`: of all later
    times, before each of which events came. `byte_count`: what is sent, compressed.
    """

    path: str
    first_ms: float
    p50_ms: float
    byte_count: int


@dataclass(frozen=True)
class Large:
    """One run. `refilter_seconds`: how long writers wait while history is judged anew.

    `shown`: pages on a slow line; None without a Chromium.
    """

    event_count: int
    ingests: Sequence[Ingest]
    answers: Sequence[Answer]
    refilter_seconds: float
    shown: Sequence[slow_line.Shown] | None

    @property
    def cost_ratio(self) -> float:
        """What an event costs last ÷ first."""
        return self.ingests[-1].event_micros / self.ingests[0].event_micros


def measure_large(sizes: Sequence[int], folder: Path, *, rounds: int = _ROUNDS, load_count: int = 3) -> Large:
    """Fill a log to each of some sizes and measure ingest there; at the last one, all else."""
    db, now = folder / "large.db", system_clock()
    stored = asyncio.run(_apply(db))
    asks = list(_paths())
    events = events_of(stored, now, sizes[-1] + len(sizes) * _AT_ONCE * 2 * _BATCHES)
    more_count = rounds * len(asks) * _BETWEEN
    lately = events_of(stored, now, more_count, timedelta(minutes=5), node=2)
    ingests = []
    with closing(SqliteLog(db, min_click_delay_ms=Settings(db=db).min_click_delay_ms)) as log:
        names = [State(f"{SECTION_STATE}{FIRST_SECTION + n}", 0, b"section-%d" % n) for n in range(_SECTIONS)]
        log.commit([], {}, names)
        written = 0
        for size in sizes:
            while written < size:
                some = list(islice(events, min(_FILL_AT_ONCE, size - written)))
                log.commit(some, {})
                written += len(some)
            costs = [_cost(log, list(islice(events, _AT_ONCE))) for _ in range(2 * _BATCHES)]
            ingests.append(Ingest(written, mean(costs[_BATCHES:])))
            written += _AT_ONCE * 2 * _BATCHES
        began = perf_counter()
        hour = to_ms(now) - 3_600_000
        log.refilter(Rules([Mark(hour, hour + 3_600_000, None, None, None, "benchmark")], 200, {}), None)
        refilter_seconds = perf_counter() - began
        answers = _ask(
            Settings(db=db), now, asks, rounds, lambda: log.commit(list(islice(lately, _BETWEEN)), {})
        )
    pages = [path for path in asks if ".json" not in path]
    shown = slow_line.look_at_pages(_app(Settings(db=db), now), pages, load_count=load_count)
    return Large(written + more_count, ingests, answers, refilter_seconds, shown)


def _cost(log: SqliteLog, events: Sequence[Event]) -> float:
    began = thread_time()
    committed = log.commit(events, {})
    taken = (thread_time() - began) * 1e6 / len(events)
    assert committed.count == len(events), "each event is written once"
    return taken


def _paths() -> Iterator[str]:
    """Every report of the last 28 days, and each breakdown, also of one line item or slot; then the pages."""
    for name in REPORTS:
        yield f"/reports/{name}.json?period=28d"
    yield "/reports/sections.json?period=28d&section=section-3"
    for by in BY:
        for more in ("", "&line_item=item-1", "&slot=sidebar"):
            yield f"/reports/breakdown.json?period=28d&by={by}{more}"
    for name in PAGES:
        yield f"/reports/{name}?period=28d"


def _ask(
    settings: Settings, now: datetime, paths: Sequence[str], rounds: int, happen: Callable[[], object]
) -> list[Answer]:
    """Asks each report some times, before each of which something happens."""
    answers = []
    with TestClient(_app(settings, now)) as client:
        for path in paths:
            times = []
            for _ in range(rounds):
                happen()
                began = perf_counter()
                answer = client.get(path, headers=_LOCAL)
                times.append((perf_counter() - began) * 1000)
                assert answer.status_code == 200, f"{path} was answered {answer.status_code}: {answer.text}"
            sent = int(answer.headers["content-length"])
            answers.append(Answer(path, times[0], median(times[1:]), sent))
    return answers


def _app(settings: Settings, now: datetime) -> App:
    return App(settings, clock=lambda: now, rng=Random(1), ticking=False)


def events_of(
    stored: Stored, now: datetime, count: int, span: timedelta = _MONTH, node: int = 1
) -> Iterator[Event]:
    """So many events of the time before `now`, in order of time."""
    return islice(chain.from_iterable(_fills(stored, now - span, span, count, FillIds(node))), count)


def _fills(
    stored: Stored, begin: datetime, span: timedelta, event_count: int, ids: FillIds
) -> Iterator[list[Event]]:
    """The events of one fill after the other."""
    rng = Random(1)
    zone = stored.catalog.site[0].zone
    places = _places(stored, zone)
    fill_count = event_count / (2 + _VIEWED + _CLICKED)
    step = span / timedelta(milliseconds=1) / fill_count
    day_of = local_days({one.item: zone for one in places})
    for number in range(2 * event_count):
        place, at_ms = places[int(len(places) * rng.random() ** 2)], to_ms(begin) + int(number * step)
        bucket = bucket_of_ms(at_ms)
        day = day_of(place.item, bucket)
        ordinal = min(31, 1 + int(rng.expovariate(0.7)))
        facts = (
            page_facts(
                rng.choice(COUNTRIES), rng.choice(_DEVICES), rng.choice(_BROWSERS), rng.choice(_THEMES)
            )
            | (FIRST_SECTION + rng.randrange(_SECTIONS)) << SECTION.shift
            | ordinal << ITEM_ORDINAL.shift
            | ordinal << CAMPAIGN_ORDINAL.shift
            | day_shift(day, bucket // BUCKETS_PER_DAY)
        )
        kinds = [Kind.IMPRESSION, Kind.MEASURABLE]
        kinds += [Kind.VIEWABLE] * (rng.random() < _VIEWED) + [Kind.CLICK] * (rng.random() < _CLICKED)
        fill, common = ids.next(at_ms), (bucket, day, place.slot, place.item, place.creative)
        yield [
            Event(
                fill,
                +kind,
                at_ms + 300 * kind,
                *common,
                place.earns.get(kind, 0),
                0,
                place.size,
                facts,
                place.model,
            )
            for kind in kinds
        ]


@dataclass(frozen=True, slots=True)
class _Place:
    """A creative in a slot."""

    slot: int
    item: int
    creative: int
    size: int
    model: int
    earns: Mapping[int, int]


def _places(stored: Stored, zone: ZoneInfo) -> list[_Place]:
    found = []
    for _, _, item in stored.catalog.line_items():
        price = item.price
        earns = {+BILLABLE[price.model]: price.per_event_micros} if price and price.model in BILLABLE else {}
        model = MODEL_CODES[price.model if price else None]
        for slot in stored.catalog.site[0].slot:
            for creative in item.creative:
                if creative.size in slot.sizes:
                    ids = stored.ids["slot", SITE, slot.name], stored.ids["line_item", item.name]
                    made = stored.ids["creative", creative.name]
                    found.append(_Place(*ids, made, size_code(creative.size), model, earns))
    return found


async def _apply(db: Path) -> Stored:
    catalog = await CatalogStore.open(sqlite_url(db))
    try:
        await catalog.apply(
            parse(catalog_file(_ITEM_COUNT), "large.toml"), author="benchmark", at=system_clock()
        )
        await migrate(sqlite_url(db), "events")
        return await catalog.load()
    finally:
        await catalog.close()


def tables_of(large: Large) -> list[Table]:
    """What was measured, beside what was promised."""
    ingest = Table(title=f"Ingest: ÷ first {large.cost_ratio:.2f} (at most {MOST_COST_RATIO})", box=SIMPLE)
    reports = Table(
        title=f"Reports at {large.event_count:,} events (at most {MOST_REPORT_MS:.0f} ms)", box=SIMPLE
    )
    for table, names in (
        (ingest, ("rows", "CPU µs per event")),
        (reports, ("report", "p50 ms", "first", "KB sent")),
    ):
        for name in names:
            table.add_column(name, justify="left" if name == "report" else "right", no_wrap=True)
    for one in large.ingests:
        ingest.add_row(f"{one.row_count:,}", f"{one.event_micros:.1f}")
    for answer in large.answers:
        style = "" if answer.p50_ms <= MOST_REPORT_MS else "yellow"
        reports.add_row(
            answer.path,
            f"{answer.p50_ms:.1f}",
            f"{answer.first_ms:.1f}",
            f"{answer.byte_count / 1000:.1f}",
            style=style,
        )
    return [ingest, reports, *([_table_shown(large.shown)] if large.shown else [])]


def _table_shown(shown: Sequence[slow_line.Shown]) -> Table:
    bounds = f"at most {slow_line.MOST_PAINT_MS:,.0f} and {slow_line.MOST_DRAWN_MS:,.0f} ms"
    table = Table(title=f"Pages on slow 4G, the processor 4 times slower ({bounds})", box=SIMPLE)
    table.add_column("page", no_wrap=True)
    for name in ("first paint", "charts"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in shown:
        late = one.paint_ms > slow_line.MOST_PAINT_MS or one.drawn_ms > slow_line.MOST_DRAWN_MS
        row = one.path, f"{one.paint_ms:,.0f}", f"{one.drawn_ms:,.0f}"
        table.add_row(*row, style="yellow" if late else "")
    return table


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.large", description=__doc__)
    count = int(os.environ.get("ADSERVER_BENCH_EVENTS", "10000000"))
    parser.add_argument("--events", type=int, default=count, help="in the log (ADSERVER_BENCH_EVENTS)")
    count = parser.parse_args().events
    if count <= SMALL:
        sys.exit(f"more than {SMALL:,} events are needed to compare with so many")
    console = Console(width=None if sys.stdout.isatty() else 110)
    with TemporaryDirectory() as folder, console.status(f"{count:,} events: some minutes"):
        large = measure_large((SMALL, count), Path(folder))
    for table in tables_of(large):
        console.print(table)
    console.print(
        f"Judging all of it anew holds up writers for {large.refilter_seconds:.1f} s.", highlight=False
    )
    _OUTPUT.parent.mkdir(exist_ok=True)
    _OUTPUT.write_text(json.dumps(asdict(large), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
