"""Streams of migrations over real files, started by several processes at once, failing, and too new."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from adserver.engines import migrate as migrate_module
from adserver.engines.catalog_tables import METADATA
from adserver.engines.migrate import VERSION_TABLES, migrate, script_of
from adserver.engines.sql import sqlite_url
from adserver.errors import AdserverError, StorageFailed

EVENT_TABLES = {"secret", "counter", "event", "rollup", "marked_rollup", "request_rollup"}
NEWEST = {stream: [script_of(stream).get_current_head()] for stream in VERSION_TABLES}
CATALOG_TABLES = {"catalog_version", "catalog_identity", "catalog_object"}


def tables(db: Path) -> set[str]:
    with closing(sqlite3.connect(db)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {name for (name,) in rows if not name.startswith("sqlite_")}


def revisions(db: Path, stream: str) -> list[str]:
    with closing(sqlite3.connect(db)) as connection:
        rows = connection.execute(f"SELECT version_num FROM {VERSION_TABLES[stream]}")  # noqa: S608
        return [revision for (revision,) in rows]


def run(db: Path, stream: str) -> None:
    asyncio.run(migrate(sqlite_url(db), stream))


def test_streams_share_a_file_and_know_nothing_of_each_other(tmp_path: Path) -> None:
    db = tmp_path / "a b ü.db"
    run(db, "events")
    events = tables(db)
    assert events >= EVENT_TABLES | {"event_migration"}
    assert not events & CATALOG_TABLES
    run(db, "catalog")
    assert tables(db) == events | CATALOG_TABLES | {"catalog_migration"}


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    db = tmp_path / "x.db"
    for stream in VERSION_TABLES:
        run(db, stream)
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("INSERT INTO counter VALUES ('kept', 7)")
        connection.commit()
        before = list(connection.iterdump())
        for stream in VERSION_TABLES:
            run(db, stream)
        assert list(connection.iterdump()) == before


def test_the_catalog_has_the_tables_that_its_queries_expect(tmp_path: Path) -> None:
    db = tmp_path / "x.db"
    run(db, "catalog")
    engine = sa.create_engine(f"sqlite:///{db}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "catalog_migration"})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def _start_together(barrier: Barrier, db: Path) -> None:
    barrier.wait(60)
    for stream in VERSION_TABLES:
        run(db, stream)


def test_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    rounds = [tmp_path / f"{n}.db" for n in range(2)]
    for db in rounds:
        barrier = spawn.Barrier(3)
        processes = [spawn.Process(target=_start_together, args=(barrier, db)) for _ in range(3)]
        for started in processes:
            started.start()
        for started in processes:
            started.join(120)
        assert [ended.exitcode for ended in processes] == [0, 0, 0]
        assert {stream: revisions(db, stream) for stream in VERSION_TABLES} == NEWEST


def test_many_in_one_process_at_once(tmp_path: Path) -> None:
    async def all_at_once(db: Path) -> None:
        await asyncio.gather(
            *(migrate(sqlite_url(db), stream) for stream in VERSION_TABLES for _ in range(6))
        )

    for n in range(5):
        db = tmp_path / f"{n}.db"
        asyncio.run(all_at_once(db))
        assert {stream: revisions(db, stream) for stream in VERSION_TABLES} == NEWEST


def test_newer_databases_are_left_alone(tmp_path: Path) -> None:
    db = tmp_path / "x.db"
    run(db, "events")
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("UPDATE event_migration SET version_num = 'event_9999'")
        connection.commit()
    with pytest.raises(
        AdserverError, match=r"x\.db: was written by a newer version of adserver .*event_9999"
    ):
        run(db, "events")
    assert revisions(db, "events") == ["event_9999"]


MIGRATION = """
from alembic import op
revision, down_revision = {revision!r}, {down!r}
def upgrade():
    for statement in {statements!r}:
        op.execute(statement)
"""


def test_a_failing_migration_leaves_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "migrations" / "catalog"
    folder.mkdir(parents=True)
    first = MIGRATION.format(revision="one", down=None, statements=["CREATE TABLE one (a)"])
    second = MIGRATION.format(revision="two", down="one", statements=["CREATE TABLE two (a)", "NO SQL"])
    (folder / "one.py").write_text(first, encoding="utf-8")
    (folder / "two.py").write_text(second, encoding="utf-8")
    monkeypatch.setattr(migrate_module, "_FOLDER", folder.parent)
    db = tmp_path / "x.db"
    with pytest.raises(StorageFailed, match="syntax error"):
        run(db, "catalog")
    assert tables(db) == {"catalog_migration", "one"}
    assert revisions(db, "catalog") == ["one"]
    (folder / "two.py").write_text(second.replace("NO SQL", "CREATE TABLE three (a)"), encoding="utf-8")
    run(db, "catalog")
    assert tables(db) == {"catalog_migration", "one", "two", "three"}
    assert revisions(db, "catalog") == ["two"]


def test_what_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to be looked at" * 100, encoding="utf-8")
    with pytest.raises(StorageFailed, match=r"notes\.txt: file is not a database"):
        run(text, "catalog")
    with pytest.raises(StorageFailed, match="unable to open database file"):
        run(tmp_path / "absent" / "x.db", "catalog")
