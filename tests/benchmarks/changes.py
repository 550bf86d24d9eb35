"""A server with several workers and a change through its API → how long until every worker serves it."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter, sleep

import httpx2 as httpx

from adserver.catalog.file import parse
from tests.benchmarks.catalogs import catalog_file
from tests.newsroom import apply_catalog
from tests.processes import serving

WORKERS = 2
#: What the console tells whoever saves.
MOST_SECONDS = 1.0
#: So many new connections in a row, which the kernel spreads, have met every worker.
_ASKED = 16
_PATIENCE_SECONDS = 60.0
_PAGE = {"page": json.dumps({"site": "daily", "slots": [{"slot": "nowhere"}]})}


def look_at_changes(item_count: int, folder: Path, *, changes: int = 5) -> list[float]:
    """Seconds from a change's answer until all workers serve it, for so many changes of one line item."""
    db = folder / f"changes-{item_count}.db"
    catalog = parse(catalog_file(item_count), "changes.toml")
    apply_catalog(db, catalog)
    name = next(item.name for _, _, item in catalog.line_items())
    with serving(db, ADSERVER_WORKERS=str(WORKERS)) as server:
        return [_change(server.base, name, number) for number in range(changes)]


def _change(base: str, name: str, number: int) -> float:
    body = {"labels": [f"change-{number}"]}
    changed = httpx.patch(f"{base}/api/v1/line_items/{name}", json=body, timeout=_PATIENCE_SECONDS)
    assert changed.status_code == 200, changed.text
    version, began, met = changed.json()["version"], perf_counter(), 0
    seen = began
    while met < _ASKED:
        if _served(base) < version:
            met = 0
            sleep(0.01)
        elif met == 0:
            met, seen = 1, perf_counter()
        else:
            met += 1
        assert perf_counter() - began < _PATIENCE_SECONDS, "a worker does not serve the change"
    return seen - began


def _served(base: str) -> int:
    """The version of the catalog that some worker serves."""
    told: int = httpx.get(f"{base}/api/v1/explain", params=_PAGE).json()["catalog"]
    return told


def sentence_of_changes(item_count: int, seconds: list[float]) -> str:
    """For people: the longest of them, beside what is promised."""
    longest = max(seconds)
    return (
        f"At {item_count:,} line items all {WORKERS} workers serve a change {longest:.2f} s after it was "
        f"made, at the latest (aim: {MOST_SECONDS:.0f} s)"
    )
