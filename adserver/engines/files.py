"""A file that is being written → the whole file, durable under its name, or no file at all.

A reader never sees half of one, and a crash leaves the one of before. The locks here say who uses a file, so
that none is exchanged under somebody's feet.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adserver.errors import InvalidInput, StorageFailed

_PARTIAL = ".partial"


@contextmanager
def whole_file(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """A name beside the target to write to; at the end it is synced and takes the target's name.

    It may be read by its owner only. On any error it is removed, and the target is as it was. Raises
    InvalidInput when the target is there and must not be overwritten, StorageFailed when a disk refuses.
    """
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_PARTIAL, dir=target.parent)
    except OSError as error:
        raise StorageFailed(f"{target}: cannot be written: {error.strerror}") from error
    os.close(number)
    partial = Path(name)
    try:
        yield partial
        sync(partial)
        if overwrite:
            partial.replace(target)
        else:
            # A link, unlike a rename, never takes the place of what has appeared there in the meantime.
            os.link(partial, target)
        sync(target.parent)
    except FileExistsError as error:
        raise InvalidInput.one(str(target), "", "is there already") from error
    except OSError as error:
        raise StorageFailed(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a power failure. Raises OSError."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def remove_partial(folder: Path) -> None:
    """Remove what a crash left half written in a folder. The caller holds the lock of all who write there."""
    for left in folder.glob(f".*{_PARTIAL}"):
        with suppress(FileNotFoundError):
            left.unlink()


def lock_of(db: Path) -> Path:
    """The lock file of a database: held together by servers, alone by what exchanges the file.

    It is a file of its own, because closing the database by another way than SQLite's drops SQLite's locks.
    """
    return db.with_name(f"{db.name}-lock")


@contextmanager
def locked(lock: Path, *, alone: bool) -> Iterator[bool]:
    """Hold a lock, alone or together with others; False, at once, when others hold it in the other way.

    It ends with the block or with the program, however that ends. Raises StorageFailed.
    """
    try:
        number = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageFailed(f"{lock}: cannot be made: {error.strerror}") from error
    try:
        try:
            fcntl.flock(number, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(number)


@contextmanager
def in_use(db: Path) -> Iterator[None]:
    """Keep a database from being exchanged inside. Raises StorageFailed while that is under way."""
    if not db.absolute().parent.is_dir():
        raise StorageFailed(f"{db}: unable to open database file: there is no folder {db.absolute().parent}")
    with locked(lock_of(db), alone=False) as free:
        if not free:
            raise StorageFailed(f"{db}: is being restored; start again when that is done")
        yield
