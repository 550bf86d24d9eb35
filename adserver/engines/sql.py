"""A database URL → an SQLAlchemy engine whose transactions are real ones and whose commits are durable.

Python's SQLite driver begins transactions late and takes locks in the middle of them. Here every transaction
says itself how it begins, and one that will write takes the write lock first, so that two processes wait for
each other instead of failing. PostgreSQL is told the same in its own words: who reads sees one snapshot, and
who writes takes a lock of the database before it looks.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from sqlalchemy import URL, AdaptedConnection, Connection, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adserver.errors import InvalidInput, StorageFailed
from adserver.settings import Settings

#: How long one writer waits for another, in milliseconds.
BUSY_TIMEOUT_MS = 10_000
_WAL_RETRY_SECONDS = 0.02
#: PostgreSQL's advisory lock of whoever writes: "adserver", as far as 63 bits go.
_WRITER = int.from_bytes(b"adserver") >> 1
#: How long a server that does not answer is waited for, in seconds.
_CONNECT_SECONDS = 5.0


def sqlite_url(path: Path) -> str:
    """Path of an SQLite file → its URL; the file need not exist yet."""
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string(hide_password=False)


def catalog_url(settings: Settings) -> str:
    """Where catalog and accounts are: in PostgreSQL if the settings say so, else in the one SQLite file."""
    given = settings.catalog_url
    return given.get_secret_value() if given else sqlite_url(settings.db)


def create_engine(url: str) -> AsyncEngine:
    """An engine for a URL such as `sqlite+aiosqlite:///adserver.db` or `postgresql+asyncpg://host/name`.

    The caller disposes of it. Raises InvalidInput when nothing here can speak with such a database.
    """
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_async_engine(url)
        event.listen(engine.sync_engine, "connect", _sqlite_connected)
        event.listen(engine.sync_engine, "begin", _sqlite_begins)
        return engine
    try:
        engine = create_async_engine(
            url, pool_pre_ping=True, connect_args={"timeout": _CONNECT_SECONDS, "command_timeout": 60.0}
        )
    except ModuleNotFoundError as error:
        problem = f"{error}; PostgreSQL needs `pip install adserver[postgres]`"
        raise InvalidInput.one("", "ADSERVER_CATALOG_URL", problem) from error
    event.listen(engine.sync_engine, "begin", _postgres_begins)
    return engine


async def try_file(engine: AsyncEngine) -> None:
    """Raise StorageFailed when the file of an SQLite engine cannot be opened or made.

    To be asked before the first connection: one that cannot open its file leaves a thread of aiosqlite
    behind that may write a traceback when the event loop ends before it.
    """
    if engine.url.get_backend_name() == "sqlite":
        try:
            await asyncio.to_thread(lambda: sqlite3.connect(engine.url.database or "").close())
        except sqlite3.Error as error:
            raise StorageFailed(f"{place_of(engine)}: {error}") from error


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that sees one state of the database throughout. Raises StorageFailed."""
    async with _transaction(engine, writes=False) as connection:
        yield connection


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that waits for other writers first, commits at the end and rolls back on any error.

    Raises StorageFailed.
    """
    async with _transaction(engine, writes=True) as connection:
        yield connection


@asynccontextmanager
async def _transaction(engine: AsyncEngine, *, writes: bool) -> AsyncIterator[AsyncConnection]:
    try:
        async with engine.connect() as connection:
            await connection.execution_options(writes=writes)
            async with connection.begin():
                yield connection
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise StorageFailed(f"{place_of(engine)}: {cause}") from error


def place_of(engine: AsyncEngine) -> str:
    """What messages call a database: the file of SQLite, else its URL without the password."""
    file = engine.url.database if engine.url.get_backend_name() == "sqlite" else None
    return file or engine.url.render_as_string()


def _sqlite_connected(connection: AdaptedConnection, _record: object) -> None:
    connection.run_async(_set_pragmas)


async def _set_pragmas(connection: aiosqlite.Connection) -> None:
    try:
        # None: the driver never begins a transaction on its own; `_sqlite_begins` does.
        connection.isolation_level = None
        await connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        await _switch_to_wal(connection)
        await connection.execute("PRAGMA synchronous=FULL")
        await connection.execute("PRAGMA foreign_keys=ON")
    except BaseException:
        # The pool has not taken it over yet, and its thread would outlive the event loop.
        await connection.close()
        raise


async def _switch_to_wal(connection: aiosqlite.Connection) -> None:
    """WAL lets readers go on while one writes. SQLite refuses the switch of a new file at once, whatever the
    busy timeout, while another connection switches it too; so this waits and asks again.
    """
    give_up_at = asyncio.get_running_loop().time() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            await connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or asyncio.get_running_loop().time() > give_up_at:
                raise
            await asyncio.sleep(_WAL_RETRY_SECONDS)


def _sqlite_begins(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgres_begins(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        # Each statement sees what was committed before it began: whoever waited sees what was waited for.
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_TIMEOUT_MS}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
