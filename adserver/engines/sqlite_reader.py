"""The path of a database → answers to questions, on a connection of its own that cannot write."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

import aiosqlite

from adserver.errors import StorageFailed

BUSY_TIMEOUT_MS = 5_000


class SqliteReader:
    """Reads one database file, opened at the first question, in a thread of its own; raises StorageFailed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opening = asyncio.Lock()
        self._connection: aiosqlite.Connection | None = None

    async def close(self) -> None:
        """Lets go of the file; a later question opens it again."""
        async with self._opening:
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()

    async def _rows(
        self, statement: str, asked: Mapping[str, str | int | None] | None = None
    ) -> Iterable[sqlite3.Row]:
        try:
            connection = await self._open()
            return await connection.execute_fetchall(statement, asked or {})
        except sqlite3.Error as error:
            raise StorageFailed(f"{self._path}: cannot be read: {error}") from error

    async def _open(self) -> aiosqlite.Connection:
        async with self._opening:
            if self._connection is None:
                if not self._path.exists():
                    raise StorageFailed(f"{self._path}: there is no such database")
                connection = await aiosqlite.connect(self._path, isolation_level=None)
                await connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
                await connection.execute("PRAGMA query_only=ON")
                self._connection = connection
            return self._connection
