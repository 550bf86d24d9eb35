"""A large catalog → each kind of page of the console: how long it takes to answer, and what it weighs.

Pages are found as people find them, by the links of other pages, beginning at home.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

from rich.box import SIMPLE
from rich.table import Table
from starlette.testclient import TestClient

from adserver.app import App
from adserver.catalog.file import parse
from adserver.settings import Settings
from tests.benchmarks.catalogs import catalog_file
from tests.newsroom import apply_catalog

#: What the issue "The console" asks for.
MOST_MS, MOST_BYTES = 100.0, 60_000
_HOME = "http://127.0.0.1"
_LINK = re.compile(r'href="(/console/[^"#]*)')
#: Two addresses that differ in these only are pages of one kind.
_NUMBER = re.compile(r"[0-9]+(x[0-9]+)?|(?<=daily/)[a-z-]+|first=")
#: Downloads, and the question whether all objects of a first version are to be taken back at once.
_NO_PAGE = re.compile(r"\.(csv|toml)|/undo|/static/")


@dataclass(frozen=True)
class Answered:
    """A page; `first_ms`: the first time after a start, `p50_ms`: later; `byte_count`: compressed."""

    path: str
    first_ms: float
    p50_ms: float
    byte_count: int


def look_at_console(item_count: int, folder: Path, *, rounds: int = 5) -> list[Answered]:
    """Ask for one page of each kind so many times, in this process, of so many line items."""
    db = folder / f"console-{item_count}.db"
    apply_catalog(db, parse(catalog_file(item_count), "console.toml"))
    app = App(Settings(db=db), rng=Random(1), ticking=False)
    with TestClient(app, base_url=_HOME) as client:
        return [_ask(client, path, rounds) for path in _pages(client)]


def _pages(client: TestClient) -> Iterator[str]:
    kinds, waiting = set[str](), ["/console/"]
    while waiting:
        path = waiting.pop(0)
        kind = _NUMBER.sub("N", path)
        if kind in kinds or _NO_PAGE.search(path):
            continue
        kinds.add(kind)
        yield path
        waiting += map(unescape, _LINK.findall(client.get(path).text))


def _ask(client: TestClient, path: str, rounds: int) -> Answered:
    times = []
    for _ in range(rounds):
        began = perf_counter()
        answer = client.get(path)
        times.append((perf_counter() - began) * 1000)
        assert answer.status_code == 200, f"{path} was answered {answer.status_code}"
    # As it is sent: small ones are not compressed.
    return Answered(path, times[0], median(times[1:]), int(answer.headers["content-length"]))


def table_of_console(answers: list[Answered], item_count: int) -> Table:
    """One row for each kind of page."""
    bounds = f"at most {MOST_MS:.0f} ms and {MOST_BYTES // 1000} KB"
    table = Table(title=f"Console at {item_count:,} line items ({bounds})", box=SIMPLE)
    table.add_column("page", no_wrap=True)
    for name in ("p50 ms", "first", "KB sent"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in answers:
        late = one.p50_ms > MOST_MS or one.byte_count > MOST_BYTES
        row = f"{one.p50_ms:.0f}", f"{one.first_ms:.0f}", f"{one.byte_count / 1000:.1f}"
        table.add_row(one.path, *row, style="yellow" if late else "")
    return table
