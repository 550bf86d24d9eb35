"""Nothing → empty logs in real files, migrated once and copied from then on, and events for them."""

from __future__ import annotations

import asyncio
import tempfile
from functools import cache
from pathlib import Path

from adserver.engines.migrate import migrate
from adserver.engines.sql import sqlite_url
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.event import Event


@cache
def _empty() -> bytes:
    """What a file holds that was just migrated."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        asyncio.run(migrate(sqlite_url(path), "events"))
        SqliteLog(path).close()
        return path.read_bytes()


def new_log(folder: Path) -> SqliteLog:
    """An empty log in `log.db` of a folder."""
    path = folder / "log.db"
    path.write_bytes(_empty())
    return SqliteLog(path)


def event(
    fill: int,
    kind: int = 1,
    *,
    at_ms: int = 1000,
    item: int = 7,
    day: int = 0,
    revenue_micros: int = 0,
    validity: int = 0,
) -> Event:
    """One event of a fill; the fill is its bucket, too."""
    return Event(fill, kind, at_ms, fill, day, 1, item, 2, revenue_micros, validity)
