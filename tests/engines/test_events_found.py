"""A database of before events kept what they were found to be → the same, as far as it can be told."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from adserver.engines.catalog_store import sqlite_url
from adserver.engines.migrate import migrate
from adserver.engines.sqlite_log import SqliteLog
from tests.engines.test_events_0002 import at_first_version
from tests.newsroom import rows

MS = 1_790_000_000_000


def test_marked_events_were_found_to_be_so_and_lone_clicks_of_a_history_were_imported(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    at_first_version(
        db,
        [
            (1, 1, MS, 95, 1, 2, 0, 16, 0),
            (2, 1, MS, 95, 1, 2, 0, 4, 0),
            (3, 1, MS, 95, 1, 2, 5, 0, 0),
            (3, 4, MS, 95, 1, 2, 5, 0, 0),
            (4, 4, MS, 95, 1, 2, 0, 22, 0),
            (MS << 22, 4, MS, 95, 1, 2, 5, 0, 0),
            (MS << 22 | 1, 4, MS + 9, 95, 1, 2, 5, 0, 0),
        ],
    )
    with closing(sqlite3.connect(db)) as database, database:
        database.execute("INSERT INTO imported VALUES ('digest', 'history.csv', 0, 1)")
    asyncio.run(migrate(sqlite_url(db), "events"))
    assert rows(db, "SELECT found FROM event") == [(16,), (0,), (0,), (0,), (0,), (-1,), (0,)]
    with closing(SqliteLog(db)) as log:
        assert log.rebuild().equal
