"""The stored catalog over a real file: versions, ids that last, history, and nothing half done."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.catalog.file import load
from adserver.catalog.model import Catalog
from adserver.catalog.plan import assemble, flatten
from adserver.engines.catalog_store import CatalogStore, Stored, sqlite_url
from adserver.errors import AdserverError, InvalidInput, StorageFailed
from tests.strategies import catalogs

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SAMPLE = load(Path(__file__).parents[1] / "catalog" / "sample.toml")
Result = TypeVar("Result")


def with_store(url: str, use: Callable[[CatalogStore], Awaitable[Result]]) -> Result:
    async def opened() -> Result:
        store = await CatalogStore.open(url)
        try:
            return await use(store)
        finally:
            await store.close()

    return asyncio.run(opened())


async def put(store: CatalogStore, catalog: Catalog) -> int:
    _, version = await store.apply(catalog, author="test", at=NOW)
    return version


def without(catalog: Catalog, *path: str) -> Catalog:
    """A catalog less one object and what it holds."""
    entries = flatten(catalog)
    gone = {path}
    for inner, entry in entries.items():
        if entry.parent in gone:
            gone.add(inner)
    return assemble({inner: entry for inner, entry in entries.items() if inner not in gone})


def changed(catalog: Catalog, *path: str, **keys: Any) -> Catalog:
    """A catalog in which one object has other keys; None removes a key."""
    entries = flatten(catalog)
    body = entries[path].body
    body.update(keys)
    for key in [key for key, value in keys.items() if value is None]:
        del body[key]
    return assemble(entries)


def test_nothing_is_version_0(url: str) -> None:
    async def use(store: CatalogStore) -> Stored:
        assert await store.version() == 0
        return await store.load()

    stored = with_store(url, use)
    assert (stored.version, stored.catalog, stored.ids, stored.clicks) == (0, Catalog(), {}, {})


def test_what_is_applied_is_loaded_and_outlives_the_process(url: str) -> None:
    assert with_store(url, lambda store: put(store, SAMPLE)) == 1
    stored = with_store(url, lambda store: store.load())
    assert (stored.version, stored.catalog) == (1, SAMPLE)
    assert set(stored.ids) == set(flatten(SAMPLE))
    assert stored.clicks == {stored.ids["creative", "savings-970"]: "https://bank.example/savings"}
    assert stored.archived == {}


def test_applying_the_same_again_is_no_version(url: str) -> None:
    async def use(store: CatalogStore) -> None:
        changes, version = await store.apply(SAMPLE, author="test", at=NOW)
        assert (len(changes), version) == (6, 1)
        assert await store.apply(SAMPLE, author="other", at=NOW) == ((), 1)
        assert await store.version() == 1

    with_store(url, use)


def test_what_is_absent_is_archived_and_comes_back_with_its_id(url: str) -> None:
    async def use(store: CatalogStore) -> None:
        await put(store, SAMPLE)
        first = await store.load()
        assert await put(store, without(SAMPLE, "line_item", "savings-top")) == 2
        archived = await store.load()
        assert archived.ids == first.ids
        assert archived.clicks == first.clicks, "late clicks still find their way"
        assert set(archived.archived) == {("line_item", "savings-top"), ("creative", "savings-970")}
        assert archived.archived["creative", "savings-970"]["size"] == "970x250"
        assert await put(store, SAMPLE) == 3
        again = await store.load()
        assert (again.catalog, again.ids, again.archived) == (SAMPLE, first.ids, {})

    with_store(url, use)


def test_ids_are_never_used_twice(url: str) -> None:
    async def use(store: CatalogStore) -> None:
        await put(store, SAMPLE)
        await put(store, Catalog())
        renamed = changed(without(SAMPLE, "advertiser", "himal-bank"), "site", "daily", name="weekly")
        await put(store, renamed)
        ids = (await store.load()).ids
        assert len(set(ids.values())) == len(ids) == 8
        assert ids["site", "weekly"] > ids["creative", "savings-970"]

    with_store(url, use)


def test_the_last_click_url_is_known_also_when_it_was_changed_or_taken_away(url: str) -> None:
    creative = ("creative", "savings-970")
    html = {"kind": "html", "html": "<b>x</b>", "image": None, "image_dark": None, "alt": None}

    async def use(store: CatalogStore) -> None:
        await put(store, SAMPLE)
        id_ = (await store.load()).ids[creative]
        await put(store, moved := changed(SAMPLE, *creative, click="https://bank.example/new"))
        assert (await store.load()).clicks == {id_: "https://bank.example/new"}
        await put(store, changed(moved, *creative, click=None, **html))
        assert (await store.load()).clicks == {id_: "https://bank.example/new"}
        assert (await store.load(1)).clicks == {id_: "https://bank.example/savings"}

    with_store(url, use)


def test_earlier_versions_are_as_they_were(url: str) -> None:
    steps = [
        SAMPLE,
        changed(SAMPLE, "slot", "daily", "article-top", floor="0.75"),
        without(SAMPLE, "line_item", "savings-top"),
        Catalog(),
        SAMPLE,
    ]

    async def use(store: CatalogStore) -> None:
        assert [await put(store, step) for step in steps] == [1, 2, 3, 4, 5]
        assert [(await store.load(version)).catalog for version in range(1, 6)] == steps
        assert (await store.load(0)).catalog == Catalog()
        for absent in (-1, 6):
            with pytest.raises(InvalidInput, match=f"version: {absent} is not between 0 and 5"):
                await store.load(absent)

    with_store(url, use)


def test_a_new_order_is_a_version(url: str) -> None:
    slots = [{"name": name, "sizes": ["1x1"]} for name in "abc"]
    site = {"name": "daily", "domain": "d.example", "timezone": "UTC", "currency": "USD"}
    orders = [
        Catalog.model_validate({"site": [site | {"slot": order}]})
        for order in (slots, [slots[2], *slots[:2]])
    ]

    async def use(store: CatalogStore) -> None:
        await put(store, orders[0])
        changes, version = await store.apply(orders[1], author="test", at=NOW)
        assert ([change.action for change in changes], version) == (["move"], 2)
        assert (await store.load()).catalog == orders[1]

    with_store(url, use)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(catalogs(), min_size=1, max_size=4))
def test_any_catalogs_after_each_other(new_url: Callable[[], str], steps: list[Catalog]) -> None:
    async def use(store: CatalogStore) -> None:
        versions: list[tuple[int, Catalog]] = []
        before = Catalog()
        ids: dict[tuple[str, ...], int] = {}
        for step in steps:
            version = await put(store, step)
            stored = await store.load()
            assert stored.catalog == step
            assert version == len({n for n, _ in versions}) + (step != before)
            assert ids.items() <= stored.ids.items()
            versions.append((version, step))
            before, ids = step, dict(stored.ids)
        for version, step in versions:
            if version:
                assert (await store.load(version)).catalog == step

    with_store(new_url(), use)


def test_a_catalog_with_faults_is_refused_whole(url: str) -> None:
    twice = SAMPLE.model_copy(update={"site": SAMPLE.site * 2})

    async def use(store: CatalogStore) -> None:
        await put(store, SAMPLE)
        with pytest.raises(InvalidInput, match="is already the name of"):
            await put(store, twice)
        assert (await store.load()).catalog == SAMPLE
        assert await store.version() == 1

    with_store(url, use)


def test_an_error_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    db = tmp_path / "x.db"
    with_store(sqlite_url(db), lambda store: put(store, SAMPLE))
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON catalog_object WHEN new.from_version = 2 "
            "AND new.body LIKE '%last%' BEGIN SELECT raise(ABORT, 'disk full'); END"
        )
    slots = [{"name": name, "sizes": ["1x1"]} for name in ("first", "last")]
    site = {"name": "weekly", "domain": "d.example", "timezone": "UTC", "currency": "USD", "slot": slots}

    async def use(store: CatalogStore) -> None:
        before = await store.load()
        with pytest.raises(StorageFailed, match="disk full"):
            await put(store, Catalog.model_validate({"site": [site]}))
        assert await store.load() == before

    with_store(sqlite_url(db), use)


def test_a_stored_object_that_is_no_longer_allowed_is_named(tmp_path: Path) -> None:
    db = tmp_path / "x.db"
    with_store(sqlite_url(db), lambda store: put(store, SAMPLE))
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("UPDATE catalog_object SET body = replace(body, '\"USD\"', '\"usd\"')")
        connection.commit()
    with pytest.raises(InvalidInput, match=r"stored catalog 1: site\.daily\.currency: 'usd' is not"):
        with_store(sqlite_url(db), lambda store: store.load())


def test_who_and_when_is_in_the_history_and_the_disk_is_waited_for(tmp_path: Path) -> None:
    db = tmp_path / "x.db"

    async def use(store: CatalogStore) -> dict[str, int]:
        await store.apply(SAMPLE, author="mira", at=NOW, note="autumn; '--")
        async with store._engine.connect() as connection:
            names = ("synchronous", "foreign_keys", "busy_timeout")
            found = {name: await connection.exec_driver_sql(f"PRAGMA {name}") for name in names}
            return {name: cursor.scalar_one() for name, cursor in found.items()}

    assert with_store(sqlite_url(db), use) == {"synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT * FROM catalog_version").fetchall() == [
            (1, int(NOW.timestamp()) * 1000, "mira", "autumn; '--")
        ]


def _apply_names(url: str, names: list[str]) -> None:
    async def use(store: CatalogStore) -> None:
        for name in names:
            site = {"name": name, "domain": "d.example", "timezone": "UTC", "currency": "USD"}
            await put(store, Catalog.model_validate({"site": [site]}))

    with_store(url, use)


def test_processes_that_apply_at_once_make_one_history(url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    names = [[f"{writer}-{n}" for n in range(5)] for writer in "ab"]
    writers = [spawn.Process(target=_apply_names, args=(url, mine)) for mine in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0]

    async def use(store: CatalogStore) -> list[str]:
        assert await store.version() == 10
        return [(await store.load(version)).catalog.site[0].name for version in range(1, 11)]

    history = with_store(url, use)
    assert [[name for name in history if name in mine] for mine in names] == names


def test_a_reader_polls_while_another_writes(tmp_path: Path) -> None:
    db = tmp_path / "x.db"

    async def use(store: CatalogStore) -> None:
        await put(store, SAMPLE)
        with closing(sqlite3.connect(db, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("DELETE FROM catalog_object")
            assert await store.version() == 1
            assert (await store.load()).catalog == SAMPLE
            writer.execute("ROLLBACK")

    with_store(sqlite_url(db), use)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(AdserverError, match="unable to open database file"):
        with_store(sqlite_url(tmp_path), lambda store: store.version())
