"""A database of the events' first version → line items, days, progress and nothing lost."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from adserver.engines.catalog_store import sqlite_url
from adserver.engines.migrate import migrate, script_of
from adserver.engines.sqlite_log import SqliteLog
from tests.newsroom import PAID, apply_catalog, rows

#: fill, kind, at_ms, bucket, slot, creative, revenue_micros, validity, repeat_count
Old = tuple[int, int, int, int, int, int, int, int, int]


def at_first_version(db: Path, events: list[Old]) -> None:
    """A file as version event_0001 wrote it, with these events and their rollups."""
    engine = create_engine(f"sqlite:///{db}")
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "event_migration"})
        first = script_of("events").get_revision("event_0001")
        with Operations.context(context):
            first.module.upgrade()
        context._ensure_version_table()
        connection.exec_driver_sql("INSERT INTO event_migration VALUES ('event_0001')")
    engine.dispose()
    with closing(sqlite3.connect(db)) as database, database:
        database.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", events)
        database.execute("""
            INSERT INTO rollup SELECT bucket, slot, creative, sum(kind = 1), sum(kind = 2), sum(kind = 3),
              sum(kind = 4), sum(kind = 5), sum(revenue_micros)
            FROM event WHERE validity = 0 GROUP BY 1, 2, 3""")
        database.execute("""
            INSERT INTO marked_rollup SELECT bucket, slot, creative, kind, validity, count(*)
            FROM event WHERE validity GROUP BY 1, 2, 3, 4, 5""")
        database.execute("""
            INSERT INTO marked_rollup SELECT bucket, slot, creative, kind, 1, repeat_count
            FROM event WHERE repeat_count""")


def newest(db: Path) -> None:
    """Bring a file to what this version expects."""
    asyncio.run(migrate(sqlite_url(db), "events"))


def test_old_events_find_their_line_item_and_are_summed_by_it(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    ids = apply_catalog(db, PAID).ids
    wide, box = ids["creative", "paid-728x90"], ids["creative", "paid-300x250"]
    click = ids["creative", "per-click-300x250"]
    paid, per_click = ids["line_item", "paid"], ids["line_item", "per-click"]
    events: list[Old] = [
        (1, 1, 5, 95, 1, wide, 4500, 0, 2),
        (1, 3, 6, 95, 1, wide, 0, 0, 0),
        (2, 1, 7, 96, 1, box, 4500, 0, 0),
        (3, 1, 8, 96, 1, box, 0, 2, 0),
        (4, 4, 9, 97, 2, click, 250_000, 0, 0),
        (5, 5, 9, 97, 2, 999_999, 7, 0, 0),
    ]
    at_first_version(db, events)
    newest(db)
    columns = "fill, kind, at_ms, bucket, slot, creative, revenue_micros, validity, repeat_count"
    assert rows(db, f"SELECT {columns} FROM event") == events  # noqa: S608
    assert rows(db, "SELECT fill, kind, day, item FROM event") == [
        (1, 1, 0, paid),
        (1, 3, 0, paid),
        (2, 1, 1, paid),
        (3, 1, 1, paid),
        (4, 4, 1, per_click),
        (5, 5, 1, 0),
    ]
    assert rows(db, "SELECT * FROM progress") == [
        (0, paid, 1, 1, 0, 0, 4500),
        (1, 0, 0, 0, 0, 1, 7),
        (1, paid, 1, 0, 0, 0, 4500),
        (1, per_click, 0, 0, 1, 0, 250_000),
    ]
    with closing(SqliteLog(db)) as log:
        assert log.rebuild().equal


def test_a_creative_that_moved_counts_for_the_line_item_that_has_it(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    ids = apply_catalog(db, PAID).ids
    creative, per_click = ids["creative", "paid-728x90"], ids["line_item", "per-click"]
    with closing(sqlite3.connect(db)) as database, database:
        database.execute("INSERT INTO catalog_version VALUES (2, 0, '', '')")
        database.execute("UPDATE catalog_object SET to_version = 2 WHERE id = ?", (creative,))
        database.execute(
            "INSERT INTO catalog_object"
            " SELECT id, 2, NULL, position, ?, body FROM catalog_object WHERE id = ?",
            (per_click, creative),
        )
    at_first_version(db, [(1, 1, 5, 95, 1, creative, 4500, 0, 0)])
    newest(db)
    assert rows(db, "SELECT item FROM event") == [(per_click,)]


def test_without_a_catalog_in_the_file_the_line_item_is_not_known(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    at_first_version(db, [(1, 1, 5, 95, 1, 7, 4500, 0, 0), (2, 1, 5, 95, 1, 8, 4500, 0, 0)])
    newest(db)
    assert rows(db, "SELECT * FROM delivered") == [(0, 2, 0, 0, 0, 9000)]
    with closing(SqliteLog(db)) as log:
        assert log.rebuild().equal
