"""PostgreSQL's programs → a server of its own for the tests, and in it an empty database for each of them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import asyncpg
import pytest

from tests.processes import free_port

_START_SECONDS = 60.0
#: Debian keeps what runs a server outside of the PATH.
_DEBIAN = Path("/usr/lib/postgresql")
#: PostgreSQL refuses to run as root; Debian's package makes this account.
_ACCOUNT = "postgres"
_NUMBERS = count(1)


@cache
def program(name: str) -> str | None:
    """Where `initdb` or `postgres` is; None if it is not installed."""
    newest = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]), reverse=True)
    return str(newest[0]) if newest else shutil.which(name)


class Postgres:
    """A running server; nothing in it is meant to last."""

    def __init__(self) -> None:
        self._user = _ACCOUNT if os.geteuid() == 0 else None
        self.folder = Path(mkdtemp(prefix="adserver-postgres-"))
        if self._user:
            shutil.chown(self.folder, self._user)
        self.port = free_port()
        made = [_needed("initdb"), "-D", str(self.folder / "data"), "-U", _ACCOUNT, "-A", "trust", "-N"]
        subprocess.run(
            [*made, "-E", "UTF8"], check=True, capture_output=True, user=self._user, cwd=self.folder
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [_needed("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        words += ["-k", str(self.folder), "-h", "127.0.0.1", "-F"]
        with (self.folder / "log").open("ab") as log:
            self._running = subprocess.Popen(words, stdout=log, stderr=log, user=self._user, cwd=self.folder)
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                return self.run("SELECT 1")
            except (OSError, asyncpg.PostgresError):
                log_text = (self.folder / "log").read_text(errors="replace")
                assert self._running.poll() is None and time.monotonic() < until, log_text
                time.sleep(0.05)

    def stop(self) -> None:
        """End it as a machine that goes away does: connections end, and nobody new is let in."""
        self._running.send_signal(signal.SIGINT)
        self._running.wait(timeout=30)

    def remove(self) -> None:
        """End it, and leave nothing of it."""
        self.stop()
        shutil.rmtree(self.folder)

    def run(self, statement: str) -> None:
        """One statement, by the superuser."""

        async def ask() -> None:
            connection = await asyncpg.connect(self._address("postgres", "postgresql"), timeout=10)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(ask())

    def new_database(self) -> str:
        """An empty database → its URL."""
        name = f"ads_{next(_NUMBERS)}"
        self.run(f"CREATE DATABASE {name}")
        return self._address(name, "postgresql+asyncpg")

    def _address(self, database: str, scheme: str) -> str:
        return f"{scheme}://{_ACCOUNT}@127.0.0.1:{self.port}/{database}"


def _needed(name: str) -> str:
    found = program(name)
    assert found, f"{name} is not installed"
    return found


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A server that is gone at the end; skips the test where PostgreSQL is not installed."""
    if program("postgres") is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    server = Postgres()
    try:
        yield server
    finally:
        server.remove()
