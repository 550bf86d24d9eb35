"""The real command in a process of its own, for tests that kill, restart or measure it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 30.0


def adserver(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    command = [sys.executable, "-m", "adserver", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd, check=False)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`adserver serve` over a file; `base` is its address."""

    def __init__(self, db: Path, *, program: str = "adserver", **environment: str) -> None:
        """`program`: the module that is run with the same words as `adserver`."""
        self.db = db
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", program, "serve", "--db", str(db), "--port", str(self.port)]
        self.running = subprocess.Popen(command, env={**os.environ, **environment})
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            assert self.running.poll() is None, f"the server ended with status {self.running.returncode}"
            try:
                urllib.request.urlopen(f"{self.base}/readyz", timeout=1).close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"the server was not ready within {_START_SECONDS} s")

    def kill(self) -> None:
        """End it as a crash does: nothing is flushed, no handler runs."""
        self.running.send_signal(signal.SIGKILL)
        self.running.wait()

    def stop(self) -> int:
        """End it as an operator does; its exit status."""
        self.running.terminate()
        return self.running.wait(timeout=30)


@contextmanager
def serving(db: Path, **environment: str) -> Iterator[Server]:
    """A server that is stopped at the end."""
    server = Server(db, **environment)
    try:
        yield server
    finally:
        if server.running.poll() is None:
            server.stop()
