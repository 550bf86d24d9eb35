"""The path of a database → answers to questions, on a connection of its own that cannot write."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiosqlite

from adserver.errors import StorageFailed

BUSY_TIMEOUT_MS = 5_000
#: So many questions are read at once; a page asks two, and a long one holds up no other.
_MOST_CONNECTIONS = 2


class SqliteReader:
    """Reads one database file, opened at the first questions, in threads of its own; raises StorageFailed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places = asyncio.Semaphore(_MOST_CONNECTIONS)
        self._idle: list[aiosqlite.Connection] = []

    async def close(self) -> None:
        """Lets go of the file once all questions are answered; a later question opens it again."""
        async with AsyncExitStack() as all_places:
            for _ in range(_MOST_CONNECTIONS):
                await all_places.enter_async_context(self._places)
            while self._idle:
                await self._idle.pop().close()

    async def _rows(
        self, statement: str, asked: Mapping[str, str | int | None] | None = None
    ) -> Iterable[sqlite3.Row]:
        async with self._places:
            try:
                connection = self._idle.pop() if self._idle else await self._open()
                try:
                    return await connection.execute_fetchall(statement, asked or {})
                finally:
                    self._idle.append(connection)
            except sqlite3.Error as error:
                raise StorageFailed(f"{self._path}: cannot be read: {error}") from error

    async def _open(self) -> aiosqlite.Connection:
        if not self._path.exists():
            raise StorageFailed(f"{self._path}: there is no such database")
        connection = await aiosqlite.connect(self._path, isolation_level=None)
        await connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        await connection.execute("PRAGMA query_only=ON")
        return connection
