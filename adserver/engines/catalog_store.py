"""Catalog ⇄ SQL: the current catalog, every earlier version of it, and ids that outlive its objects.

What is removed from the catalog is archived, never deleted: events and reports go on pointing at its id, late
clicks still find their URL, and an object that comes back under its name is the same object as before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adserver.catalog.check import check
from adserver.catalog.model import Catalog
from adserver.catalog.patch import remade
from adserver.catalog.plan import Change, Entry, Path, assemble, diff_entries, flatten
from adserver.clock import to_ms
from adserver.engines.catalog_delta import read_after
from adserver.engines.catalog_tables import IDENTITY, OBJECT, VERSION, Stored
from adserver.engines.migrate import migrate_engine
from adserver.engines.sql import create_engine, reading, sqlite_url, writing
from adserver.errors import Fault, InvalidInput

__all__ = ["CatalogStore", "Stored", "load_catalog", "sqlite_url"]


@dataclass(frozen=True, slots=True)
class State:
    """All objects of one version of the catalog, and the versions that gave them their present form."""

    version: int
    entries: Mapping[Path, Entry]
    versions: Mapping[Path, int]


class Touched(NamedTuple):
    """An object that a version changed, added or removed; `path` as `kind/name`."""

    version: int
    at_ms: int
    path: str


_MOST_TOUCHED = 500
#: The objects of now → those that shall be. Raises whatever it finds wrong.
Alter = Callable[[State], Mapping[Path, Entry]]


class CatalogStore:
    """The catalog in one database. Safe for any number of processes; writers wait for each other."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    def connect(cls, url: str) -> CatalogStore:
        """The store of a database that is there, or will be; whoever says so migrates it."""
        return cls(create_engine(url))

    @classmethod
    async def open(cls, url: str) -> CatalogStore:
        """Connect and migrate. Raises AdserverError when newer code has migrated it."""
        engine = create_engine(url)
        try:
            await migrate_engine(engine, "catalog")
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def version(self) -> int:
        """The current version; 0 before the first apply. One look-up, cheap enough to poll."""
        async with reading(self._engine) as connection:
            return await _version(connection)

    async def load(self, version: int | None = None) -> Stored:
        """The catalog as it is, or as it was at an earlier version.

        Raises InvalidInput when there is no such version, or when a stored object is no longer allowed.
        """
        async with reading(self._engine) as connection:
            current = await _version(connection)
            wanted = current if version is None else version
            if not 0 <= wanted <= current:
                raise InvalidInput([Fault("", "version", f"{wanted} is not between 0 and {current}")])
            rows = await _rows_at(connection, wanted)
            clicks = await _clicks_at(connection, rows, wanted)
        return _stored(wanted, rows, clicks)

    async def load_after(self, before: Stored) -> Stored:
        """The catalog as it is, made of an earlier one where that is faster; all else as `load`."""
        async with reading(self._engine) as connection:
            version = await _version(connection)
            if version == before.version:
                return before
            found = await read_after(connection, before, version) if version > before.version else None
        return found or await self.load()

    async def state(self) -> State:
        """The objects of now."""
        async with reading(self._engine) as connection:
            version = await _version(connection)
            return _state(version, await _rows_at(connection, version))

    async def touched(self, ids: Sequence[int], since_ms: int, until_ms: int) -> list[Touched]:
        """Which of some objects were changed in a time, half-open, the earliest first; the newest 500."""
        of_version = sa.or_(
            OBJECT.c.from_version == VERSION.c.version, OBJECT.c.to_version == VERSION.c.version
        )
        within = sa.and_(VERSION.c.at_ms >= since_ms, VERSION.c.at_ms < until_ms)
        query = (
            sa.select(VERSION.c.version, VERSION.c.at_ms, IDENTITY.c.path)
            .distinct()
            .select_from(VERSION.join(OBJECT, of_version).join(IDENTITY, IDENTITY.c.id == OBJECT.c.id))
            .where(within, OBJECT.c.id.in_(ids))
            .order_by(VERSION.c.version.desc(), IDENTITY.c.path)
            .limit(_MOST_TOUCHED)
        )
        async with reading(self._engine) as connection:
            found = [Touched(*row) for row in await connection.execute(query)]
        return sorted(found)

    async def apply(
        self, catalog: Catalog, *, author: str, at: datetime, note: str = ""
    ) -> tuple[tuple[Change, ...], int]:
        """Make the given catalog the whole truth → (what changed, version afterwards).

        What is absent from it is archived. When nothing changes there is no new version. Raises InvalidInput
        when the catalog has faults; on any error nothing is changed.
        """
        faults = check(catalog, file="catalog")
        if faults:
            raise InvalidInput(faults)
        new = flatten(catalog)
        async with writing(self._engine) as connection:
            version = await _version(connection)
            rows = await _rows_at(connection, version)
            ids, old = _ids(rows), _state(version, rows).entries
            return await _write(connection, version, ids, old, new, author, at, note)

    async def change(
        self,
        alter: Alter,
        *,
        author: str,
        at: datetime,
        note: str = "",
        dry_run: bool = False,
        before: Stored | None = None,
    ) -> tuple[tuple[Change, ...], int]:
        """Alter some of the catalog → (what changed, version afterwards); with `dry_run`, what would change.

        `before`: an earlier catalog, if one is known: only what changed since is read. `alter` is asked again
        when somebody else was faster. Raises InvalidInput when what it gives has faults, and whatever `alter`
        raises; on any error nothing is changed.
        """
        while True:
            state, ids, known = await self._known(before)
            wanted, old = alter(state), state.entries
            if known is None:
                catalog = assemble(wanted, "")
                new: Mapping[Path, Entry] = flatten(catalog)
            else:
                catalog, new = remade(known, old, wanted)
            faults = check(catalog, file="")
            if faults:
                raise InvalidInput(faults)
            if dry_run:
                return diff_entries(old, new), state.version
            async with writing(self._engine) as connection:
                # What takes time was done without the lock, and what was read then is as it was.
                if await _version(connection) == state.version:
                    return await _write(connection, state.version, ids, old, new, author, at, note)

    async def _known(self, before: Stored | None) -> tuple[State, Mapping[Path, int], Catalog | None]:
        """The objects of now, ids of all there ever were, and the catalog; None: it is not allowed now."""
        try:
            stored = await (self.load_after(before) if before else self.load())
        except InvalidInput:
            async with reading(self._engine) as connection:
                version = await _version(connection)
                rows = await _rows_at(connection, version)
            return _state(version, rows), _ids(rows), None
        state = State(stored.version, flatten(stored.catalog), stored.versions)
        return state, stored.ids, stored.catalog


async def load_catalog(url: str, version: int | None = None, *, before: Stored | None = None) -> Stored:
    """The catalog of now, or of a version, over connections of its own. `before`: an earlier one, if known.

    Raises as `CatalogStore.open` and `load`.
    """
    store = await CatalogStore.open(url)
    try:
        return await (store.load_after(before) if before else store.load(version))
    finally:
        await store.close()


@dataclass(frozen=True, slots=True)
class _Row:
    """The last known state of one object at some version."""

    id: int
    path: Path
    entry: Entry
    current: bool
    from_version: int


async def _write(
    connection: AsyncConnection,
    version: int,
    ids: Mapping[Path, int],
    old: Mapping[Path, Entry],
    new: Mapping[Path, Entry],
    author: str,
    at: datetime,
    note: str,
) -> tuple[tuple[Change, ...], int]:
    """Make these objects the next version, unless nothing changes.

    `ids`: of all that is known at `version`; `old`: the objects of it.
    """
    changes = diff_entries(old, new)
    if not changes:
        return (), version
    version += 1
    await connection.execute(
        sa.insert(VERSION), {"version": version, "at_ms": to_ms(at), "author": author, "note": note}
    )
    ids = {**ids, **await _new_identities(connection, [path for path in new if path not in ids])}
    ended = [path for path, entry in old.items() if new.get(path) != entry]
    await _end(connection, [ids[path] for path in ended], version)
    begun = {path: entry for path, entry in new.items() if old.get(path) != entry}
    await _begin(connection, begun, ids, version)
    return changes, version


def _ids(rows: Sequence[_Row]) -> dict[Path, int]:
    return {row.path: row.id for row in rows}


def _state(version: int, rows: Sequence[_Row]) -> State:
    current = [row for row in rows if row.current]
    return State(
        version, {row.path: row.entry for row in current}, {row.path: row.from_version for row in current}
    )


async def _version(connection: AsyncConnection) -> int:
    found = await connection.scalar(sa.select(sa.func.max(VERSION.c.version)))
    return found or 0


async def _rows_at(connection: AsyncConnection, version: int) -> list[_Row]:
    """Every object known at a version, archived ones too, in the order of their ids."""
    later = OBJECT.alias()
    superseded = (
        sa.select(later.c.id)
        .where(
            later.c.id == OBJECT.c.id,
            later.c.from_version > OBJECT.c.from_version,
            later.c.from_version <= version,
        )
        .exists()
    )
    query = (
        sa.select(OBJECT, IDENTITY.c.path)
        .join(IDENTITY, IDENTITY.c.id == OBJECT.c.id)
        .where(OBJECT.c.from_version <= version, ~superseded)
        .order_by(OBJECT.c.id)
    )
    found = (await connection.execute(query)).all()
    paths: dict[int, Path] = {row.id: tuple(row.path.split("/")) for row in found}
    return [
        _Row(
            row.id,
            paths[row.id],
            Entry(paths[row.parent] if row.parent is not None else None, row.position, json.loads(row.body)),
            row.to_version is None or row.to_version > version,
            row.from_version,
        )
        for row in found
    ]


async def _clicks_at(connection: AsyncConnection, rows: list[_Row], version: int) -> dict[int, str]:
    """Creative id → the last click URL that it had up to a version, also when its body has none any more."""
    creatives = [row for row in rows if row.path[0] == "creative"]
    clicks: dict[int, str] = {
        row.id: row.entry.body["click"] for row in creatives if "click" in row.entry.body
    }
    bare = {row.id for row in creatives} - clicks.keys()
    if not bare:
        return clicks
    earlier = (
        sa.select(OBJECT.c.id, OBJECT.c.body)
        .join(IDENTITY, IDENTITY.c.id == OBJECT.c.id)
        .where(IDENTITY.c.kind == "creative", OBJECT.c.to_version <= version)
        .order_by(OBJECT.c.from_version)
    )
    for row in await connection.execute(earlier):
        body = json.loads(row.body)
        if row.id in bare and "click" in body:
            clicks[row.id] = body["click"]
    return clicks


def _stored(version: int, rows: list[_Row], clicks: dict[int, str]) -> Stored:
    entries = {row.path: row.entry for row in rows if row.current}
    return Stored(
        version=version,
        catalog=assemble(entries, f"stored catalog {version}"),
        ids=MappingProxyType(_ids(rows)),
        clicks=MappingProxyType(clicks),
        versions=MappingProxyType({row.path: row.from_version for row in rows if row.current}),
        archived=MappingProxyType({row.path: row.entry.body for row in rows if not row.current}),
        campaigns=MappingProxyType(_parents(rows, "line_item")),
        line_items=MappingProxyType(_parents(rows, "creative")),
    )


def _parents(rows: list[_Row], kind: str) -> dict[int, Path]:
    """Object of a kind → what it is in, or was."""
    return {row.id: row.entry.parent for row in rows if row.path[0] == kind and row.entry.parent}


async def _new_identities(connection: AsyncConnection, paths: list[Path]) -> dict[Path, int]:
    """Give each path an id, rising in the given order."""
    if not paths:
        return {}
    last = await connection.scalar(sa.select(sa.func.max(IDENTITY.c.id))) or 0
    rows = [{"kind": path[0], "path": "/".join(path)} for path in paths]
    await connection.execute(sa.insert(IDENTITY), rows)
    added = await connection.execute(sa.select(IDENTITY.c.id, IDENTITY.c.path).where(IDENTITY.c.id > last))
    return {tuple(row.path.split("/")): row.id for row in added}


async def _end(connection: AsyncConnection, ids: list[int], version: int) -> None:
    if ids:
        statement = (
            sa.update(OBJECT)
            .where(OBJECT.c.id == sa.bindparam("ended_id"), OBJECT.c.to_version.is_(None))
            .values(to_version=version)
        )
        await connection.execute(statement, [{"ended_id": ended_id} for ended_id in ids])


async def _begin(
    connection: AsyncConnection, entries: Mapping[Path, Entry], ids: Mapping[Path, int], version: int
) -> None:
    if entries:
        await connection.execute(
            sa.insert(OBJECT),
            [
                {
                    "id": ids[path],
                    "from_version": version,
                    "to_version": None,
                    "position": entry.position,
                    "parent": ids[entry.parent] if entry.parent else None,
                    "body": json.dumps(entry.body, ensure_ascii=False),
                }
                for path, entry in entries.items()
            ],
        )
