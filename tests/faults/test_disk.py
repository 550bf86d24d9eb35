"""A full, read-only, broken or locked disk under load: pages are answered all the while, nothing is lost."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.machine import Machine
from tests.faults.readers import Readers, metrics_of, readiness_of
from tests.newsroom import PAID, apply_catalog, rows
from tests.processes import Server, free_port, serving

#: Longer than a failed commit waits before the next try, and than a beacon before its second one.
FAULT_SECONDS = 2.0
#: How long a server may take to go on when a fault is over.
CALM_SECONDS = 1.5


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    apply_catalog(machine.disk / "a.db", PAID)
    return machine


async def calm_then(fault: Callable[[], Awaitable[None]]) -> None:
    """All is well, then something happens, then all is well again."""
    await asyncio.sleep(CALM_SECONDS)
    await fault()
    await asyncio.sleep(CALM_SECONDS)


def check(server: Server, readers: Readers) -> None:
    """What must hold of a server that lived through a fault, and is told to stop then."""
    readers.check_answers()
    found = metrics_of(server)
    assert found["adserver_errors_total"] == 0
    assert (
        found["adserver_events_committed_total"] + found["adserver_events_shed_total"] == readers.tried_count
    )
    assert readiness_of(server)["events"]["written"]
    server.stop()
    readers.check_log(server.db)
    (asked,) = rows(server.db, "SELECT sum(request_count) FROM request_rollup")
    assert asked == (2 * readers.fills[200],), "every slot that was asked for is counted"


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO], ids=errno.errorcode.get)
def test_a_disk_that_takes_no_writes(machine: Machine, error: int) -> None:
    async def fault() -> None:
        answered = readers.fills[200]
        with machine.refusing(error):
            await asyncio.sleep(FAULT_SECONDS)
            assert not (await asyncio.to_thread(readiness_of, server))["events"]["written"]
        assert readers.fills[200] > answered + 10, "pages were answered all the while"

    with serving(machine.disk / "a.db", ADSERVER_MIN_CLICK_DELAY_MS="0", **machine.environment) as server:
        readers = Readers(server)
        asyncio.run(readers.read(lambda: calm_then(fault)))
        assert machine.refused_count > 0
        assert readers.beacons[503] > 0
        assert metrics_of(server)["adserver_failed_commits_total"] > 0
        check(server, readers)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 8 MB; only root can have one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(filler: Path) -> None:
    """Write to a file until there is no room left."""
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            with pytest.raises(OSError, match="No space left"):  # noqa: PT012  (all of them but the last succeed)
                while True:
                    file.write(bytes(size))


def test_a_file_system_that_is_full(small_disk: Path) -> None:
    async def fault() -> None:
        fill_up(small_disk / "filler")
        await asyncio.sleep(2 * FAULT_SECONDS)
        assert not (await asyncio.to_thread(readiness_of, server))["events"]["written"]
        (small_disk / "filler").unlink()

    apply_catalog(small_disk / "a.db", PAID)
    with serving(small_disk / "a.db", ADSERVER_MIN_CLICK_DELAY_MS="0") as server:
        readers = Readers(server)
        asyncio.run(readers.read(lambda: calm_then(fault)))
        assert readers.beacons[503] > 0
        check(server, readers)


@pytest.mark.parametrize("most", [None, 200], ids=["all wait", "a full buffer"])
def test_a_database_that_is_locked_for_ten_seconds(tmp_path: Path, most: int | None) -> None:
    async def fault() -> None:
        answered = readers.fills[200]
        with closing(sqlite3.connect(db, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(10)
            other.execute("ROLLBACK")
        assert readers.fills[200] > answered + 50, "pages were answered all the while"

    db = tmp_path / "a.db"
    apply_catalog(db, PAID)
    bound = {} if most is None else {"ADSERVER_MAX_EVENTS_WAITING": str(most)}
    with serving(db, ADSERVER_MIN_CLICK_DELAY_MS="0", **bound) as server:
        readers = Readers(server)
        asyncio.run(readers.read(lambda: calm_then(fault)))
        shed = metrics_of(server)["adserver_events_shed_total"]
        assert (shed > 0) == (most is not None)
        check(server, readers)


def test_a_server_that_cannot_write_at_its_start_says_so_in_a_sentence(machine: Machine) -> None:
    db = machine.disk / "a.db"
    command = [sys.executable, "-m", "adserver", "serve", "--db", str(db), "--port", str(free_port())]
    with machine.refusing(errno.EROFS):
        environment = os.environ | machine.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, said[0]["event"]) == (1, f"{db}: disk I/O error")
    assert "Traceback" not in done.stderr
    with serving(db):
        pass
