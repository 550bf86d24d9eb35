"""A small catalog and the real server over it, in-process, for tests that talk HTTP."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from starlette.testclient import TestClient

from adserver.app import App
from adserver.catalog.model import Catalog
from adserver.clock import Clock, system_clock
from adserver.engines.catalog_store import CatalogStore, Stored, sqlite_url
from adserver.settings import Settings

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
#: What a reader sends; the client of the tests names itself as a program does.
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)


def image(name: str, size: str, **keys: object) -> dict[str, object]:
    """An image creative whose click URL names it."""
    click = f"https://advertiser.example/{name}"
    fixed = {"name": name, "kind": "image", "size": size, "image": f"https://cdn.example/{name}.png"}
    return {**fixed, "alt": name, "click": click, **keys}


def line_item(name: str, tier: str, *sizes: str, **keys: object) -> dict[str, object]:
    """A line item with one creative per size."""
    creatives = [image(f"{name}-{size}", size) for size in sizes]
    return {"name": name, "tier": tier, "creative": creatives, **keys}


def catalog_of(*line_items: dict[str, object], **site: object) -> Catalog:
    """One site `daily` with the slots `top` and `side`, and one advertiser's line items."""
    slots = [{"name": "top", "sizes": ["970x250", "728x90"]}, {"name": "side", "sizes": ["300x250"]}]
    daily = {
        "name": "daily",
        "domain": "news.example",
        "timezone": "Asia/Kathmandu",
        "currency": "USD",
        "slot": slots,
        **site,
    }
    campaign = {"name": "autumn", "line_item": list(line_items)}
    return Catalog.model_validate(
        {"site": [daily], "advertiser": [{"name": "bank", "campaign": [campaign]}] if line_items else []}
    )


PAID = catalog_of(
    line_item("paid", "price", "728x90", "300x250", price={"cpm": "4.50"}),
    line_item("per-click", "price", "300x250", price={"cpc": "0.25"}),
)


def apply_catalog(path: Path, catalog: Catalog) -> Stored:
    """Store a catalog as `adserver apply` does."""

    async def apply() -> Stored:
        store = await CatalogStore.open(sqlite_url(path))
        try:
            await store.apply(catalog, author="test", at=NOW)
            return await store.load()
        finally:
            await store.close()

    return asyncio.run(apply())


@contextmanager
def server(
    path: Path,
    catalog: Catalog | None = PAID,
    *,
    clock: Clock = system_clock,
    address: str = "127.0.0.1",
    **settings: Any,
) -> Iterator[TestClient]:
    """The real application over a real file, in-process. A catalog of None: the one stored.

    Redirects are not followed, errors are not hidden.
    """
    if catalog is not None:
        apply_catalog(path, catalog)
    app = App(Settings(db=path, **settings), clock=clock, rng=Random(1))
    asking: dict[str, Any] = {"headers": {"user-agent": BROWSER}, "client": (address, 50_000)}
    with TestClient(app, follow_redirects=False, **asking) as client:
        yield client


def rows(path: Path, query: str) -> list[Any]:
    """What is in the database file, read beside the server."""
    database = sqlite3.connect(path)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()
