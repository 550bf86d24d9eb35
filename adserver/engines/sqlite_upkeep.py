"""A database file → one connection for upkeep of it, beside those that serve."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from adserver.errors import StorageFailed

_BUSY_SECONDS = 10.0


class Upkeep:
    """A connection of its own, for one thread; close it by leaving `with`. Raises StorageFailed."""

    def __init__(self, path: Path, *, any_thread: bool = False) -> None:
        """`any_thread`: calls may come from several, one after the other."""
        self._path = path
        with self._faults():
            self._db = sqlite3.connect(
                path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=not any_thread
            )
            self._db.execute("PRAGMA synchronous=FULL")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One durable transaction: all of what is done inside, or on any error nothing."""
        with self._faults():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageFailed(f"{self._path}: {error}") from error
