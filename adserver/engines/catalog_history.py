"""SQL → who changed what of the catalog and when, version by version.

What a version changed is read from the forms of objects that it began and ended; nothing more is stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adserver.catalog.plan import Change, Entry, Path, diff_entries
from adserver.clock import from_ms, to_ms
from adserver.engines.catalog_tables import IDENTITY, OBJECT, VERSION
from adserver.engines.sql import reading


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of the catalog: who made it, when and why."""

    version: int
    at: datetime
    author: str
    note: str


@dataclass(frozen=True)
class Step:
    """What one version changed: all objects that it touched, before and after, and what that means."""

    revision: Revision
    before: Mapping[Path, Entry]
    after: Mapping[Path, Entry]
    above: Mapping[Path, Entry]
    """What these objects were in at the time and is not among them."""

    @cached_property
    def changes(self) -> Sequence[Change]:
        """Object by object."""
        return diff_entries(self.before, self.after)


class CatalogHistory:
    """The history of one database's catalog."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def revisions(
        self,
        *,
        path: Path | None = None,
        before: int | None = None,
        until: datetime | None = None,
        most: int,
    ) -> list[Revision]:
        """Versions, the newest first: of one object, older than one, made until a moment, or all."""
        query = sa.select(VERSION).order_by(VERSION.c.version.desc()).limit(most)
        if before is not None:
            query = query.where(VERSION.c.version < before)
        if until is not None:
            query = query.where(VERSION.c.at_ms <= to_ms(until))
        if path is not None:
            own = sa.select(IDENTITY.c.id).where(IDENTITY.c.path == "/".join(path)).scalar_subquery()
            touched = (
                sa.select(OBJECT.c.id)
                .where(
                    OBJECT.c.id == own,
                    sa.or_(
                        OBJECT.c.from_version == VERSION.c.version, OBJECT.c.to_version == VERSION.c.version
                    ),
                )
                .exists()
            )
            query = query.where(touched)
        async with reading(self._engine) as connection:
            return [_revision(row) for row in await connection.execute(query)]

    async def step(self, version: int) -> Step | None:
        """What one version changed; None: there is no such version."""
        async with reading(self._engine) as connection:
            row = (await connection.execute(sa.select(VERSION).where(VERSION.c.version == version))).first()
            if row is None:
                return None
            before = await _forms(connection, OBJECT.c.to_version == version)
            after = await _forms(connection, OBJECT.c.from_version == version)
            above = await _above(connection, {**before, **after}, version)
        return Step(_revision(row), before, after, above)


async def _above(
    connection: AsyncConnection, entries: Mapping[Path, Entry], version: int
) -> dict[Path, Entry]:
    """What objects are in, and what that is in, as it was at a version."""
    above: dict[Path, Entry] = {}
    found = entries
    while True:
        known = {**entries, **above}
        wanted = {
            "/".join(entry.parent) for entry in found.values() if entry.parent and entry.parent not in known
        }
        if not wanted:
            return above
        # Of several forms of one object the last is kept: they come in the order of their versions.
        found = await _forms(
            connection, sa.and_(IDENTITY.c.path.in_(wanted), OBJECT.c.from_version <= version)
        )
        above |= found


async def _forms(connection: AsyncConnection, which: sa.ColumnElement[bool]) -> dict[Path, Entry]:
    parent = IDENTITY.alias()
    query = (
        sa.select(OBJECT.c.position, OBJECT.c.body, IDENTITY.c.path, parent.c.path.label("parent"))
        .join(IDENTITY, IDENTITY.c.id == OBJECT.c.id)
        .outerjoin(parent, parent.c.id == OBJECT.c.parent)
        .where(which)
        .order_by(OBJECT.c.id, OBJECT.c.from_version)
    )
    return {
        tuple(row.path.split("/")): Entry(
            tuple(row.parent.split("/")) if row.parent else None, row.position, json.loads(row.body)
        )
        for row in await connection.execute(query)
    }


def _revision(row: Any) -> Revision:
    return Revision(row.version, from_ms(row.at_ms), row.author, row.note)
