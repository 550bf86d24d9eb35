"""A database, also one that is being written to → a copy in one file; such a copy → the database again.

A backup is of one instant: a read transaction is held open while pages are copied, which in write-ahead mode
keeps no writer waiting. (Without it SQLite begins anew whenever somebody commits, and under load never ends.)
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from adserver.engines.files import lock_of, locked, sync, whole_file
from adserver.engines.sqlite_contents import Contents, contents_of
from adserver.errors import Fault, InvalidInput, StorageFailed

#: Pages of 4 KiB that are copied at once, and the least pause after each: the disk is the server's first.
_STEP_PAGES = 256
_PAUSE_SECONDS = 0.002
#: Steps after which the copy is synced, so that the server's own sync never waits for all of it.
_SYNC_STEPS = 16
_BUSY_SECONDS = 10.0
_OPEN_ELSEWHERE = "is open in another program; stop the server first"


def back_up(db: Path, target: Path, *, force: bool = False) -> Contents:
    """Copy a database to a new file, check the copy, and say what is in it.

    Raises InvalidInput when there is no database, when the target is there (unless forced) or when the copy
    does not pass its checks, StorageFailed when a disk refuses. On any error there is no new file.
    """
    if not db.is_file():
        raise InvalidInput.one(str(db), "--db", "there is no such file")
    if target.exists() and target.samefile(db):
        raise InvalidInput.one(str(target), "", "is the database itself")
    if target.exists() and not force:
        raise InvalidInput.one(str(target), "", "is there already (--force overwrites it)")
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise InvalidInput.one(str(target), "", "is not a file in a folder that exists")
    if _beside(target, "-wal").exists():
        raise InvalidInput.one(str(target), "", f"is a database in use: {target.name}-wal lies beside it")
    with whole_file(target, overwrite=force) as partial:
        try:
            _copy(db, partial)
        except sqlite3.Error as error:
            _beside(partial, "-journal").unlink(missing_ok=True)
            raise StorageFailed(f"{db}: cannot be copied: {error}") from error
        # The copy is as good as what was copied.
        return _checked(db, partial)


def _copy(db: Path, partial: Path) -> None:
    with (
        closing(sqlite3.connect(db, isolation_level=None, timeout=_BUSY_SECONDS)) as source,
        closing(sqlite3.connect(partial, isolation_level=None)) as copy,
    ):
        copy.execute("PRAGMA synchronous=OFF")  # `whole_file` syncs before the copy gets its name
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        source.backup(copy, pages=_STEP_PAGES, progress=_pausing(partial))
        source.execute("ROLLBACK")
        # Out of write-ahead mode, a database is one file.
        copy.execute("PRAGMA journal_mode=DELETE")


def _pausing(partial: Path) -> Callable[[int, int, int], None]:
    """After each step leave the disk to others for as long as the step took."""
    began = time.monotonic()
    steps = 0

    def pause(_status: int, remaining: int, _total: int) -> None:
        nonlocal began, steps
        steps += 1
        if steps % _SYNC_STEPS == 0:
            # Closing it drops SQLite's locks on the copy, which nobody else knows of.
            sync(partial)
        if remaining:
            time.sleep(max(_PAUSE_SECONDS, time.monotonic() - began))
        began = time.monotonic()

    return pause


def restore(backup: Path, db: Path, now: datetime) -> tuple[Contents, Path | None]:
    """Put a backup in a database's place → what is in it, and where the old database lies now (if there was).

    Raises InvalidInput when the backup does not pass its checks or another program has the database open,
    StorageFailed when a disk refuses. On any error the database is as it was.
    """
    if not backup.is_file():
        raise InvalidInput.one(str(backup), "", "there is no such file")
    if db.exists() and backup.samefile(db):
        raise InvalidInput.one(str(backup), "", "is the database itself")
    if db.is_dir() or not db.absolute().parent.is_dir():
        raise InvalidInput.one(str(db), "--db", "is not a file in a folder that exists")
    if _beside(backup, "-wal").exists():
        raise InvalidInput.one(str(backup), "", f"is a database in use: {backup.name}-wal lies beside it")
    with locked(lock_of(db), alone=True) as alone:
        if not alone:
            raise InvalidInput.one(str(db), "--db", _OPEN_ELSEWHERE)
        old = db.with_name(f"{db.name}.before-{now:%Y%m%dT%H%M%S}Z") if db.exists() else None
        if old is not None and old.exists():
            raise InvalidInput.one(str(old), "", "is there already; restore again in a second")
        try:
            with ExitStack() as held, whole_file(db, overwrite=True) as partial:
                _duplicate(backup, partial)
                contents = _checked(backup, partial)
                # Entered last and left last: the old database is held until the new one has its name.
                held.enter_context(_nobody_inside(db))
                if old is not None:
                    _set_aside(db, old)
        except BaseException:
            if old is not None:
                _bring_back(db, old)
            raise
    return contents, old


def _checked(named: Path, copy: Path) -> Contents:
    """What is in a copy; its faults under the name that the operator knows."""
    try:
        return contents_of(copy)
    except InvalidInput as error:
        raise InvalidInput([Fault(str(named), one.key, one.problem) for one in error.faults]) from error


def _duplicate(backup: Path, partial: Path) -> None:
    """Copy byte by byte. What is checked is the copy: between a check and a copy a file may change."""
    with backup.open("rb") as source, partial.open("wb") as copy:
        while block := source.read(1 << 20):
            copy.write(block)


@contextmanager
def _nobody_inside(db: Path) -> Iterator[None]:
    """Hold a database that no other connection has open, all of it in its main file.

    A connection in write-ahead mode holds a shared lock for as long as it lives, and SQLite leaves that mode
    only when it can have the file alone; so leaving it is the question. A damaged database cannot be asked,
    and is what backups are for: of that, `-lock` alone says whether a server has it.
    """
    if not db.exists():
        yield
        return
    with closing(sqlite3.connect(db, isolation_level=None, timeout=0)) as held:
        try:
            held.execute("PRAGMA journal_mode=DELETE")
            held.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise InvalidInput.one(str(db), "--db", _OPEN_ELSEWHERE) from error
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise StorageFailed(f"{db}: {error}") from error
        yield


#: What may lie beside a damaged database, and would be taken for a part of the new one.
_PARTS = ("-wal", "-shm", "-journal")


def _set_aside(db: Path, old: Path) -> None:
    """Give a database another name too; its own is the new one's a moment later, and never nobody's."""
    try:
        for part in _PARTS:
            if _beside(db, part).exists():
                _beside(db, part).rename(_beside(old, part))
        os.link(db, old)
        sync(db.absolute().parent)
    except OSError as error:
        raise StorageFailed(f"{old}: cannot be made: {error.strerror}") from error


def _bring_back(db: Path, old: Path) -> None:
    """Undo `_set_aside`, as far as it came, unless the new database has taken the name already."""
    if old.exists() and not db.samefile(old):
        return
    for part in _PARTS:
        with suppress(FileNotFoundError):
            _beside(old, part).rename(_beside(db, part))
    old.unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
