"""A log of before → sums by dimension that agree with its rollups, local day for local day."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from adserver.clock import bucket_of, to_ms
from adserver.engines.migrate import script_of
from adserver.engines.sqlite_log import SqliteLog
from tests.engines.test_events_0002 import at_first_version, newest
from tests.newsroom import PAID, apply_catalog, rows

#: In Kathmandu 00:00 of the next day, and a quarter hour before and after.
MIDNIGHT = datetime(2026, 11, 24, 18, 15, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
EPOCH = date(1970, 1, 1)


def upgrade(db: Path, *revisions: str) -> None:
    """Bring a file some versions on, the last of which it then has."""
    engine = create_engine(f"sqlite:///{db}")
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "event_migration"})
        for revision in revisions:
            with Operations.context(context):
                script_of("events").get_revision(revision).module.upgrade()
        connection.exec_driver_sql(f"UPDATE event_migration SET version_num = '{revisions[-1]}'")  # noqa: S608
    engine.dispose()


def test_old_events_count_under_unknown_facts_and_their_own_local_day(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    ids = apply_catalog(db, PAID).ids
    slot, item = ids["slot", "daily", "side"], ids["line_item", "paid"]
    creative = ids["creative", "paid-300x250"]
    events = []
    for number, (at, kind, validity, repeats) in enumerate(
        [
            (MIDNIGHT - timedelta(days=1), 1, 0, 0),
            (MIDNIGHT - QUARTER, 1, 0, 2),
            (MIDNIGHT, 1, 0, 0),
            (MIDNIGHT, 1, 16, 0),
            (MIDNIGHT + QUARTER, 4, 0, 0),
        ]
    ):
        micros = 4500 if kind == 1 and not validity else 0
        fill = to_ms(at) << 22 | number
        events.append((fill, kind, to_ms(at), bucket_of(at), slot, creative, micros, validity, repeats))
    at_first_version(db, events)
    upgrade(db, "event_0002", "event_0003", "event_0004")
    with closing(sqlite3.connect(db)) as database, database:
        # The first event was removed from the log when its day was over; its sums stay.
        database.execute("DELETE FROM event WHERE fill = ?", (events[0][0],))
        database.execute("INSERT INTO counter VALUES ('kept_from_day', ?)", (bucket_of(MIDNIGHT) // 96,))
    newest(db)

    first = (date(2026, 11, 24) - EPOCH).days
    of_item = (slot, item, 0)
    for dimension in range(1, 9):
        found = rows(db, f"SELECT * FROM breakdown WHERE dimension = {dimension}")  # noqa: S608
        assert found == [
            (dimension, first, *of_item, 2, 0, 0, 0, 0, 9000, 2, 0, 0),
            (dimension, first + 1, *of_item, 1, 0, 0, 1, 0, 4500, 1, 0, 0),
        ]
    assert rows(db, "SELECT * FROM reach") == [(7, *of_item, 3), (8, *of_item, 3)]
    with closing(SqliteLog(db)) as log:
        assert log.rebuild().equal


def test_a_log_without_a_catalog_is_cut_by_days_of_utc(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    fill, bucket = to_ms(MIDNIGHT) << 22, bucket_of(MIDNIGHT)
    at_first_version(db, [(fill, 1, to_ms(MIDNIGHT), bucket, 1, 7, 4500, 0, 0)])
    newest(db)
    day = (MIDNIGHT.date() - EPOCH).days
    assert rows(db, "SELECT DISTINCT day, impression_count FROM breakdown") == [(day, 1)]
    with closing(SqliteLog(db)) as log:
        assert log.rebuild().equal


def test_an_empty_log_gets_empty_sums(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    at_first_version(db, [])
    newest(db)
    assert rows(db, "SELECT * FROM breakdown") == rows(db, "SELECT * FROM reach") == []
