"""A command → a real server on a free port of this machine, on a core of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.catalogs import catalog_file
from tests.benchmarks.requests import COUNTRY_HEADER

_START_SECONDS = 120


@dataclass(frozen=True)
class Server:
    """A server that answers, and the core that is left to those who ask it; `db` is its file."""

    url: str
    pid: int
    db: Path
    load_core: int | None


@dataclass(frozen=True)
class Cores:
    """Where the server runs and where its load; None leaves that to the kernel."""

    server: int | None = 0
    load: int | None = 1


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """The command, kept to one core where the machine has it and lets us choose."""
    if core is not None and shutil.which("taskset") and core < (os.cpu_count() or 1):
        return ["taskset", "--cpu-list", str(core), *command]
    return list(command)


@contextmanager
def control(folder: Path, cores: Cores) -> Iterator[Server]:
    """The server that reads a body and answers a fixed one, run exactly as ours is."""
    with _running(["-m", "tests.benchmarks.control"], folder / "none.db", cores) as server:
        yield server


@contextmanager
def adserver(item_count: int, folder: Path, cores: Cores) -> Iterator[Server]:
    """The real server over a catalog with so many line items."""
    catalog, db = folder / f"{item_count}.toml", folder / f"{item_count}.db"
    catalog.write_text(catalog_file(item_count), encoding="utf-8")
    apply = [sys.executable, "-m", "adserver", "apply", str(catalog), "--db", str(db)]
    subprocess.run(apply, check=True, capture_output=True)
    with _running(["-m", "adserver", "serve", "--db", str(db)], db, cores) as server:
        yield server


@contextmanager
def _running(arguments: list[str], db: Path, cores: Cores) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, *arguments, "--port", str(port)]
    environment = os.environ | {"ADSERVER_COUNTRY_HEADER": COUNTRY_HEADER}
    with subprocess.Popen(pinned(command, cores.server), env=environment) as running:
        try:
            _wait_for(url, running)
            yield Server(url, running.pid, db, cores.load)
        finally:
            running.terminate()


def _wait_for(url: str, running: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            assert running.poll() is None, "the server ended before it answered"
            assert time.monotonic() < end, f"the server did not answer within {_START_SECONDS} s"
            time.sleep(0.05)
