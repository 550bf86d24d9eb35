"""`kill -9` of `adserver apply` of a large file → the catalog is the old one or the new one, no mixture."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from adserver.catalog.file import parse
from adserver.engines.catalog_store import load_catalog
from adserver.engines.sql import sqlite_url
from tests.benchmarks.catalogs import catalog_file
from tests.newsroom import apply_catalog

ITEM_COUNT = 1_000
RUNS = int(os.environ.get("ADSERVER_FAULT_RUNS", "2"))
#: Parts of the time that it takes: while it reads the file, checks it, and writes.
MOMENTS = (0.4, 0.65, 0.85)


def test_a_killed_apply_leaves_the_old_or_the_new_catalog(tmp_path: Path) -> None:
    old = catalog_file(ITEM_COUNT)
    # Another number of line items, and every price another one.
    new = catalog_file(ITEM_COUNT + 10, seed=2)
    file, whole = tmp_path / "new.toml", tmp_path / "whole.db"
    file.write_text(new, encoding="utf-8")
    apply_catalog(whole, parse(old, "old.toml"))
    first = tmp_path / "first.db"
    shutil.copy(whole, first)
    began = time.monotonic()
    assert applying(file, first).wait(timeout=120) == 0
    seconds = time.monotonic() - began
    both = [asyncio.run(load_catalog(sqlite_url(db))).catalog for db in (whole, first)]
    assert both[0] != both[1]
    killed = 0
    for run in range(max(len(MOMENTS), RUNS)):
        db = tmp_path / f"{run}.db"
        shutil.copy(whole, db)
        running = applying(file, db)
        time.sleep(seconds * MOMENTS[run % len(MOMENTS)])
        running.kill()
        killed += running.wait(timeout=120) != 0
        stored = asyncio.run(load_catalog(sqlite_url(db)))
        assert stored.catalog == both[stored.version - 1], f"a mixture, at version {stored.version}"
    assert killed, "none was killed before its end"
    assert applying(file, db).wait(timeout=120) == 0
    assert asyncio.run(load_catalog(sqlite_url(db))).catalog == both[1]


def applying(file: Path, db: Path) -> subprocess.Popen[bytes]:
    """`adserver apply` as it runs."""
    command = [sys.executable, "-m", "adserver", "apply", str(file), "--db", str(db)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
