"""A stored catalog, copied to a file and read again, is the same, archived objects and all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.catalog.model import Catalog
from adserver.engines.catalog_copy import copy_of, read_copy, write_copy
from adserver.engines.catalog_store import CatalogStore, Stored, sqlite_url
from adserver.errors import StorageFailed
from tests.strategies import catalogs

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


async def after(db: Path, steps: list[Catalog]) -> Stored:
    """What is stored when these were applied one after the other."""
    store = await CatalogStore.open(sqlite_url(db))
    try:
        for step in steps:
            await store.apply(step, author="test", at=NOW)
        return await store.load()
    finally:
        await store.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(catalogs(), min_size=1, max_size=3))
def test_a_copy_is_what_was_stored(tmp_path_factory: pytest.TempPathFactory, steps: list[Catalog]) -> None:
    db = tmp_path_factory.mktemp("copy") / "ads.db"
    stored = asyncio.run(after(db, steps))
    write_copy(copy_of(db), stored)
    assert read_copy(copy_of(db)) == stored


def test_there_may_be_none(tmp_path: Path) -> None:
    assert read_copy(copy_of(tmp_path / "ads.db")) is None


def test_half_a_copy_is_said_to_be_none(tmp_path: Path) -> None:
    copy = copy_of(tmp_path / "ads.db")
    write_copy(copy, asyncio.run(after(tmp_path / "ads.db", [Catalog()])))
    copy.write_bytes(copy.read_bytes()[:20])
    with pytest.raises(StorageFailed, match="cannot be read"):
        read_copy(copy)
