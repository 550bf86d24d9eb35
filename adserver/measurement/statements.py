"""A site and a month → its statement, read in a thread of its own, for those who watch while others serve."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_closing import SqliteClosing
from adserver.measurement.statement import Statement, statement


class Statements:
    """Answers what is invoiced for a month."""

    def __init__(self, path: Path, catalog: Callable[[], Stored]) -> None:
        self._path = path
        self._catalog = catalog

    async def read(self, site: str, month: str) -> Statement | None:
        """None where the month is not closed. Raises InvalidInput for what is no month, and StorageFailed."""
        return await asyncio.to_thread(self._read, self._catalog(), site, month)

    def _read(self, stored: Stored, site: str, month: str) -> Statement | None:
        with SqliteClosing(self._path) as engine:
            return statement(engine, stored, site, month)
