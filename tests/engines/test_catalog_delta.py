"""A catalog that is made of the one before and what changed since is the one that is read whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.catalog.model import Catalog, LineItem
from adserver.catalog.plan import Entry, assemble, flatten
from adserver.catalog.plan import Path as ObjectPath
from adserver.engines.catalog_delta import read_after
from adserver.engines.catalog_store import CatalogStore, Stored
from adserver.engines.sql import reading, sqlite_url
from tests.engines.test_catalog_store import NOW, SAMPLE, changed, put, with_store, without
from tests.strategies import catalogs

ITEM, CREATIVE = ("line_item", "savings-top"), ("creative", "savings-970")


async def after(store: CatalogStore, before: Stored) -> Stored | None:
    """Only the short way."""
    async with reading(store._engine) as connection:
        return await read_after(connection, before, await store.version())


def added(catalog: Catalog, path: ObjectPath, parent: ObjectPath, **body: Any) -> Catalog:
    """A catalog with one more object, behind its siblings."""
    entries = flatten(catalog)
    entries[path] = Entry(parent, 1_000, {"name": path[-1], **body})
    return assemble(entries)


def items_of(stored: Stored) -> dict[str, LineItem]:
    return {item.name: item for _, _, item in stored.catalog.line_items()}


def test_one_change_leaves_all_others_the_same_objects(url: str) -> None:
    campaign, here = ("campaign", "himal-bank", "savings"), {"site": ["daily"]}
    house = added(SAMPLE, ("line_item", "own"), campaign, tier="house", target=here)
    creative = flatten(SAMPLE)[CREATIVE].body
    steps = [
        changed(house, *ITEM, labels=["tea"]),
        changed(house, *CREATIVE, click="https://bank.example/other"),
        changed(house, "slot", "daily", "article-top", floor="9.00"),
        added(house, ("creative", "own-970"), ("line_item", "own"), **{**creative, "name": "own-970"}),
        without(house, "line_item", "own"),
        house,
    ]

    async def use(store: CatalogStore) -> None:
        await put(store, house)
        before = await store.load()
        for step in steps:
            await put(store, step)
            fast, whole = await after(store, before), await store.load()
            assert fast is not None and fast == whole
            assert await store.load_after(before) == whole
            same = [name for name, item in items_of(fast).items() if item is items_of(before).get(name)]
            assert len(same) >= len(items_of(before)) - 1
            before = fast

    with_store(url, use)


def test_what_changes_the_order_or_nearly_everything_is_read_whole(url: str) -> None:
    entries = flatten(SAMPLE)
    first = Entry(None, -1, {"name": "aaa", "sites": ["daily"]})
    moved = assemble({("advertiser", "aaa"): first, **entries})

    async def use(store: CatalogStore) -> None:
        await put(store, SAMPLE)
        before = await store.load()
        await put(store, moved)
        assert await after(store, before) is None
        assert await store.load_after(before) == await store.load()

    with_store(url, use)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(catalogs(), min_size=2, max_size=4), st.integers(0, 2))
def test_any_way_from_one_catalog_to_another_ends_at_the_same(steps: list[Catalog], skipped: int) -> None:
    async def use() -> None:
        store = await CatalogStore.open(sqlite_url(Path(folder) / "a.db"))
        try:
            before = None
            for number, step in enumerate(steps):
                await store.apply(step, author="test", at=NOW)
                if number % (skipped + 1) == 0 or number == len(steps) - 1:
                    whole = await store.load()
                    made = await store.load_after(before) if before else whole
                    assert made == whole
                    before = made
        finally:
            await store.close()

    with TemporaryDirectory() as folder:
        asyncio.run(use())
