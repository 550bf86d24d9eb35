"""Requests and a server → how many it answered, how fast and at what CPU; by wrk, on a core of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.servers import Server, pinned

CONNECTION_COUNT = 64
_SCRIPT = Path(__file__).with_name("load.lua")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """What wrk and the kernel said of one run."""

    request_count: int
    sent_count: int
    seconds: float
    cpu_seconds: float
    #: Answers with a status of 400 or more.
    refused_count: int
    #: Connections that failed to open, read, write or answer in time.
    broken_count: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests answered per second."""
        return self.request_count / self.seconds

    @property
    def cpu_micros(self) -> float:
        """CPU time of the server per request, in µs, the kernel's part included."""
        return 1e6 * self.cpu_seconds / max(self.request_count, 1)


def wrk_path() -> str | None:
    """Where wrk is, None when it is not installed."""
    return shutil.which("wrk")


def drive(server: Server, requests: Sequence[bytes], seconds: int, folder: Path) -> Load:
    """Send requests, round and round, over kept-alive connections for some time."""
    path = folder / "requests"
    path.write_bytes(b"".join(b"%d\n%b" % (len(request), request) for request in requests))
    wrk = ["wrk", "--threads", "1", "--connections", str(CONNECTION_COUNT), "--duration", f"{seconds}s"]
    command = pinned([*wrk, "--script", str(_SCRIPT), server.url, "--", str(path)], server.load_core)
    before = _cpu_seconds(server.pid)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    cpu_seconds = _cpu_seconds(server.pid) - before
    said = json.loads(done.stdout.splitlines()[-1])
    return Load(
        request_count=said["requests"],
        sent_count=said["sent"],
        seconds=said["micros"] / 1e6,
        cpu_seconds=cpu_seconds,
        refused_count=said["refused"],
        broken_count=said["broken"],
        p50_ms=said["p50_micros"] / 1000,
        p99_ms=said["p99_micros"] / 1000,
    )


def _cpu_seconds(pid: int) -> float:
    """utime + stime of all threads (proc(5)); the second field, the name, may hold spaces."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
