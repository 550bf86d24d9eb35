"""A database URL and a stream's name → its tables brought to what this version of the code expects.

Streams (catalog, events, accounts) move on their own, because they may live in different databases. Each
migration runs in its own transaction that takes the write lock before it looks what is already there, so any
number of processes may start at once, and one killed in between leaves whole migrations behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.runtime.migration import MigrationStep, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from adserver.engines.sql import create_engine, try_file, writing
from adserver.errors import AdserverError

#: Stream → table in which its revision is noted. The migrations are in the folder of the stream's name.
VERSION_TABLES = {
    "catalog": "catalog_migration",
    "events": "event_migration",
    "accounts": "account_migration",
}
_FOLDER = Path(__file__).with_name("migrations")


async def migrate(url: str, stream: str) -> None:
    """Bring one stream ("catalog", "events" or "accounts") of a database to the newest revision.

    Raises StorageFailed when the database cannot be used, AdserverError when newer code has migrated it.
    """
    engine = create_engine(url)
    try:
        await migrate_engine(engine, stream)
    finally:
        await engine.dispose()


async def migrate_engine(engine: AsyncEngine, stream: str) -> None:
    """`migrate` over an engine that is already there."""
    assert stream in VERSION_TABLES, f"there is no stream of migrations called {stream!r}"
    await try_file(engine)
    for _ in script_of(stream).walk_revisions():
        async with writing(engine) as connection:
            await connection.run_sync(_one_step, stream)


def script_of(stream: str) -> ScriptDirectory:
    """The migrations of one stream."""
    folder = _FOLDER / stream
    return ScriptDirectory(folder, version_locations=[folder])


def _one_step(connection: Connection, stream: str) -> None:
    script = script_of(stream)

    def next_step(heads: Any, _context: MigrationContext) -> Iterator[RevisionStep]:
        current = heads[0] if heads else None
        known = [revision.revision for revision in script.walk_revisions()]
        if current is not None and current not in known:
            raise AdserverError(
                f"{connection.engine.url.database}: was written by a newer version of adserver "
                f"({stream} revision {current}, this one ends at {known[0]}); update adserver"
            )
        if current != known[0]:
            done = known.index(current) if current is not None else len(known)
            following = script.get_revision(known[done - 1])
            yield MigrationStep.upgrade_from_script(script.revision_map, following)

    context = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLES[stream], "fn": next_step}
    )
    with Operations.context(context):
        context.run_migrations()
