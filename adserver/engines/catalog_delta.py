"""The catalog in service, and what the database says has changed since → the catalog of now.

Only changes that leave the order of all else as it is are read so: bodies, what was added last, and what was
archived. Of anything else the catalog is read whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from adserver.catalog.patch import patched
from adserver.catalog.plan import PARENTS, WITHIN, Entry, Path
from adserver.engines.catalog_tables import IDENTITY, OBJECT, Stored

#: Beyond so many rows it is hardly faster than to read all.
_MOST_ROWS = 2_000


async def read_after(connection: AsyncConnection, before: Stored, version: int) -> Stored | None:
    """The catalog of a version, made of an earlier one; None: it has to be read whole."""
    parent = IDENTITY.alias()
    query = (
        sa.select(OBJECT, IDENTITY.c.path, parent.c.path.label("above"))
        .join(IDENTITY, IDENTITY.c.id == OBJECT.c.id)
        .outerjoin(parent, parent.c.id == OBJECT.c.parent)
        .where(sa.or_(OBJECT.c.from_version > before.version, OBJECT.c.to_version > before.version))
        .order_by(OBJECT.c.from_version)
        .limit(_MOST_ROWS + 1)
    )
    rows = (await connection.execute(query)).all()
    if len(rows) > _MOST_ROWS:
        return None
    delta = _Delta(before)
    for row in rows:
        delta.take(row)
    last = await _last_positions(connection, delta) if delta.added else {}
    return delta.applied(version) if delta.keeps_order(last) else None


async def _last_positions(connection: AsyncConnection, delta: _Delta) -> dict[tuple[int | None, str], int]:
    """(id of what they are in, kind) → the last place among those that were there before."""
    added = [delta.ids[path] for path in delta.added]
    query = (
        sa.select(OBJECT.c.parent, IDENTITY.c.kind, sa.func.max(OBJECT.c.position))
        .join(IDENTITY, IDENTITY.c.id == OBJECT.c.id)
        .where(OBJECT.c.to_version.is_(None), OBJECT.c.id.not_in(added))
        .group_by(OBJECT.c.parent, IDENTITY.c.kind)
    )
    return {(row[0], row[1]): row[2] for row in await connection.execute(query)}


@dataclass(slots=True)
class _Delta:
    before: Stored
    ids: dict[Path, int] = field(default_factory=dict)
    parents: dict[Path, int | None] = field(default_factory=dict)
    was: dict[Path, Entry] = field(default_factory=dict)
    """Of those that were there: how they were."""
    now: dict[Path, Entry] = field(default_factory=dict)
    """The last known form of each, archived or not."""
    versions: dict[Path, int] = field(default_factory=dict)
    """Of those that are there now: since which version they are so."""
    clicks: dict[int, str] = field(default_factory=dict)

    def take(self, row: Any) -> None:
        """A row that began or ended since, in the order in which they began."""
        path: Path = tuple(row.path.split("/"))
        entry = Entry(tuple(row.above.split("/")) if row.above else None, row.position, json.loads(row.body))
        self.ids[path], self.parents[path], self.now[path] = row.id, row.parent, entry
        if row.from_version <= self.before.version:
            self.was[path] = entry
        if path[0] == "creative" and "click" in entry.body:
            self.clicks[row.id] = entry.body["click"]
        if row.to_version is None:
            self.versions[path] = row.from_version
        else:
            self.versions.pop(path, None)

    @property
    def added(self) -> Sequence[Path]:
        return [path for path in self.versions if path not in self.was]

    def keeps_order(self, last: Mapping[tuple[int | None, str], int]) -> bool:
        """Whether all that stays is in its place, and all that is new comes after it."""
        stayed = all(
            _place(self.now[path]) == _place(self.was[path]) for path in self.versions if path in self.was
        )
        return stayed and all(
            self.now[path].position > last.get((self.parents[path], path[0]), -1) for path in self.added
        )

    def applied(self, version: int) -> Stored | None:
        before, put = self.before, {path: self.now[path] for path in self.versions}
        gone = [path for path in self.was if path not in put]
        catalog = patched(before.catalog, put, gone, self._above)
        if catalog is None:
            return None
        parents = {
            kind: {
                self.ids[path]: one.parent for path, one in self.now.items() if path[0] == kind and one.parent
            }
            for kind in ("line_item", "creative")
        }
        archived = {path: self.now[path].body for path in self.now if path not in put}
        return Stored(
            version=version,
            catalog=catalog,
            ids=MappingProxyType({**before.ids, **self.ids}),
            clicks=MappingProxyType({**before.clicks, **self.clicks}),
            archived=_without({**before.archived, **archived}, put),
            campaigns=MappingProxyType({**before.campaigns, **parents["line_item"]}),
            line_items=MappingProxyType({**before.line_items, **parents["creative"]}),
            versions=_without({**before.versions, **self.versions}, gone),
        )

    def _above(self, path: Path) -> Path | None:
        if path in self.now:
            return self.now[path].parent
        if path[0] in WITHIN:
            return (PARENTS[path[0]] or "", path[1])
        number = self.before.ids.get(path, 0)
        return (self.before.campaigns if path[0] == "line_item" else self.before.line_items).get(number)


def _place(entry: Entry) -> tuple[Path | None, int]:
    return entry.parent, entry.position


def _without(known: Mapping[Path, Any], paths: Any) -> Mapping[Path, Any]:
    left = set(paths)
    return MappingProxyType({path: value for path, value in known.items() if path not in left})
