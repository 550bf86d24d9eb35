"""Backups of real files, and their way back: what is refused, and that nothing is changed then."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event, Thread

import pytest

from adserver.engines.files import in_use, lock_of, locked
from adserver.engines.sqlite_backup import back_up, restore
from adserver.engines.sqlite_log import SqliteLog
from adserver.errors import InvalidInput, StorageFailed
from tests.engines.logs import event, new_log
from tests.engines.test_events_0002 import at_first_version
from tests.newsroom import rows

NOW = datetime(2026, 11, 25, 12, 30, 5, tzinfo=UTC)
FIRST_MS = 1_790_000_000_000
COUNT = "SELECT count(*) FROM event"


def filled(folder: Path, count: int = 10) -> Path:
    """A database with events of that many fills, one a minute."""
    log = new_log(folder)
    log.commit([event((FIRST_MS + n * 60_000) << 22, revenue_micros=n) for n in range(count)], {})
    log.close()
    return folder / "log.db"


def names(folder: Path) -> set[str]:
    """Every file but locks."""
    return {path.name for path in folder.iterdir() if not path.name.endswith("-lock")}


def test_a_backup_says_what_is_in_it_and_is_one_file(tmp_path: Path) -> None:
    db, target = filled(tmp_path), tmp_path / "copy.db"
    contents = back_up(db, target)
    assert (contents.catalog_version, contents.event_count) == (0, 10)
    assert (contents.first_day, contents.last_day) == (date(2026, 9, 21), date(2026, 9, 21))
    assert contents.byte_count == target.stat().st_size
    assert contents.rebuilt is not None and contents.rebuilt.equal
    assert target.stat().st_mode & 0o777 == 0o600, "the key that signs fills is in it"
    assert names(tmp_path) == {"log.db", "copy.db"}


def test_a_backup_is_of_one_instant_while_others_write(tmp_path: Path) -> None:
    db, target = filled(tmp_path, 20_000), tmp_path / "copy.db"
    log, ended, written = SqliteLog(db), Event(), 0

    def write() -> None:
        nonlocal written
        while not ended.is_set():
            written += log.commit([event(written + 1)], {}).count

    writer = Thread(target=write)
    writer.start()
    contents = back_up(db, target)
    ended.set()
    writer.join()
    log.close()
    assert 20_000 <= contents.event_count < 20_000 + written
    assert rows(target, COUNT) == [(contents.event_count,)]


def test_a_backup_overwrites_only_when_it_must(tmp_path: Path) -> None:
    db, target = filled(tmp_path), tmp_path / "copy.db"
    target.write_text("precious", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"copy\.db: is there already \(--force overwrites it\)"):
        back_up(db, target)
    assert target.read_text(encoding="utf-8") == "precious"
    assert back_up(db, target, force=True).event_count == 10
    with pytest.raises(InvalidInput, match="is the database itself"):
        back_up(db, db, force=True)
    with pytest.raises(InvalidInput, match="is not a file in a folder that exists"):
        back_up(db, tmp_path / "absent" / "copy.db")
    with pytest.raises(InvalidInput, match="there is no such file"):
        back_up(tmp_path / "absent.db", tmp_path / "other.db")
    assert names(tmp_path) == {"log.db", "copy.db"}


def test_a_database_whose_rollups_are_wrong_makes_no_backup(tmp_path: Path) -> None:
    db, target = filled(tmp_path), tmp_path / "copy.db"
    with closing(sqlite3.connect(db)) as database, database:
        database.execute("UPDATE rollup SET revenue_micros = revenue_micros + 1")
    with pytest.raises(InvalidInput, match=r"log\.db: 10 rows of its rollups are not what its events add up"):
        back_up(db, target)
    assert names(tmp_path) == {"log.db"}


def test_a_restored_database_is_the_backup_and_the_old_one_lies_aside(tmp_path: Path) -> None:
    db, target = filled(tmp_path), tmp_path / "copy.db"
    back_up(db, target)
    log = SqliteLog(db)
    log.commit([event(1)], {})
    log.close()
    contents, old = restore(target, db, NOW)
    assert contents.event_count == 10
    assert old == tmp_path / "log.db.before-20261125T123005Z"
    assert rows(db, COUNT) == [(10,)]
    assert rows(old, COUNT) == [(11,)]
    assert restore(target, tmp_path / "fresh.db", NOW)[1] is None
    assert names(tmp_path) == {"log.db", "copy.db", "fresh.db", old.name}


def test_nothing_is_restored_over_a_database_that_is_open(tmp_path: Path) -> None:
    db, target = filled(tmp_path), tmp_path / "copy.db"
    back_up(db, target)
    before = names(tmp_path)
    log = SqliteLog(db)
    log.commit([event(1)], {})
    with pytest.raises(InvalidInput, match="is open in another program; stop the server first"):
        restore(target, db, NOW)
    log.commit([event(2)], {})
    log.close()
    with in_use(db), pytest.raises(InvalidInput, match="is open in another program"):
        restore(target, db, NOW)
    assert rows(db, COUNT) == [(12,)]
    assert names(tmp_path) == before


def damaged(path: Path) -> None:
    """Overwrite the middle of a file."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xa5" * 5000)


def newer(path: Path) -> None:
    """Say that a later version wrote it."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE event_migration SET version_num = 'event_9999'")


def foreign(path: Path) -> None:
    """Make it a database of somebody else's."""
    path.unlink()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE note (text)")


def no_database(path: Path) -> None:
    """Make it a text."""
    path.write_text("a long text " * 1000, encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (damaged, "damaged|malformed"),
        (newer, r"was written by a newer version of adserver \(events revision event_9999"),
        (foreign, "is a database, but not one of adserver"),
        (no_database, "file is not a database"),
    ],
)
def test_what_is_no_good_backup_is_refused_and_nothing_changes(
    tmp_path: Path, spoil: Callable[[Path], None], problem: str
) -> None:
    db, target = filled(tmp_path, 3000), tmp_path / "copy.db"
    back_up(db, target)
    spoil(target)
    before, content = names(tmp_path), db.read_bytes()
    with pytest.raises(InvalidInput, match=problem) as refused:
        restore(target, db, NOW)
    assert str(refused.value).startswith(str(target))
    assert (names(tmp_path), db.read_bytes()) == (before, content)


def test_a_backup_of_an_earlier_version_is_made_and_restored_unchanged(tmp_path: Path) -> None:
    db, target = tmp_path / "a.db", tmp_path / "copy.db"
    at_first_version(db, [(FIRST_MS << 22, 1, FIRST_MS, FIRST_MS // 900_000, 1, 2, 4500, 0, 0)])
    contents = back_up(db, target)
    assert (contents.event_count, contents.rebuilt) == (1, None)
    restore(target, db, NOW)
    assert rows(db, "SELECT version_num FROM event_migration") == [("event_0001",)]


def test_a_damaged_database_can_be_restored_over(tmp_path: Path) -> None:
    db, target = filled(tmp_path), tmp_path / "copy.db"
    back_up(db, target)
    no_database(db)
    (tmp_path / "log.db-wal").write_bytes(b"left by a crash")
    _, old = restore(target, db, NOW)
    assert old is not None
    assert rows(db, COUNT) == [(10,)]
    assert old.read_text(encoding="utf-8").startswith("a long text")
    assert (tmp_path / f"{old.name}-wal").read_bytes() == b"left by a crash"


def test_a_server_does_not_start_while_a_database_is_exchanged(tmp_path: Path) -> None:
    db = filled(tmp_path)
    with (
        locked(lock_of(db), alone=True),
        pytest.raises(StorageFailed, match="is being restored"),
        in_use(db),
    ):
        pass
