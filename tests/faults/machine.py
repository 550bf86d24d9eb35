"""A folder → a machine on which its files fail, or are lost in a power failure, and whose clock steps.

`machine.c` stands between a program and its C library; this compiles it and holds its controls.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_SOURCE = Path(__file__).with_name("machine.c")
#: refuse, shadow, clock_offset, refused: `struct controls`.
_CONTROLS = struct.Struct("=iiqq")
_NS = 1_000_000_000
#: Files of `DISK` as they are now, synced by a program that has `machine.c` loaded.
_SYNC_ALL = """
import os
folder = os.environ["DISK"]
for path in [*(entry.path for entry in os.scandir(folder) if entry.is_file()), folder]:
    number = os.open(path, os.O_RDONLY)
    os.fsync(number)
    os.close(number)
"""


@cache
def _library() -> Path:
    """The compiled `machine.c`."""
    library = Path(tempfile.mkdtemp(prefix="adserver-machine-")) / "machine.so"
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", str(library), str(_SOURCE)], check=True)
    return library


class Machine:
    """Programs with its `environment` run on it; `disk` is the folder that it knows."""

    def __init__(self, folder: Path) -> None:
        self.disk = folder / "disk"
        self._own = folder / "machine"
        for path in (self.disk, self._own, self._own / "inodes", self._own / "names"):
            path.mkdir(parents=True)
        file = self._own / "controls"
        file.write_bytes(bytes(_CONTROLS.size))
        with file.open("r+b") as opened:
            self._page = mmap.mmap(opened.fileno(), _CONTROLS.size)
        self.environment = {
            "LD_PRELOAD": str(_library()),
            "MACHINE": str(self._own),
            "DISK": str(self.disk.resolve()),
        }

    def _set(self, **changed: int) -> None:
        names = ("refuse", "shadow", "clock_offset")
        *before, refused = _CONTROLS.unpack(self._page)
        values = dict(zip(names, before, strict=True)) | changed
        _CONTROLS.pack_into(self._page, 0, *(values[name] for name in names), refused)

    @property
    def refused_count(self) -> int:
        """Writes and syncs that failed."""
        count: int = _CONTROLS.unpack(self._page)[3]
        return count

    @contextmanager
    def refusing(self, error: int) -> Iterator[None]:
        """Inside, no file of the disk can be written to; `error` is an errno."""
        self._set(refuse=error)
        try:
            yield
        finally:
            self._set(refuse=0)

    def step_clock(self, seconds: int) -> None:
        """Set the time of day so far from the real one; clocks that only go forward go on."""
        self._set(clock_offset=seconds * _NS)

    def begin_power(self) -> None:
        """From now on note what is durable; what is there already is."""
        self._set(shadow=1)
        subprocess.run([sys.executable, "-c", _SYNC_ALL], env=os.environ | self.environment, check=True)

    def fail_power(self) -> Path:
        """A folder with what the disk would hold after a power failure now; no program may run on it."""
        after = self._own / "after"
        shutil.rmtree(after, ignore_errors=True)
        after.mkdir()
        for name in (self._own / "names").iterdir():
            kept = self._own / "inodes" / name.read_text()
            (after / name.name).write_bytes(kept.read_bytes() if kept.exists() else b"")
        return after
