"""The catalog on PostgreSQL, which goes away and comes back → pages that are filled all the while."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.catalog.file import dump
from tests.newsroom import BROWSER, catalog_of, line_item
from tests.postgres import Postgres, postgres_server
from tests.processes import Server

PAGE = json.dumps({"site": "daily", "slots": [{"slot": "top"}], "tally": ""}).encode()
_WAIT_SECONDS = 30.0


@pytest.fixture
def mortal() -> Iterator[Postgres]:
    """A PostgreSQL server of this test's own, which it may stop."""
    with postgres_server() as server:
        yield server


def applied(folder: Path, url: str, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`adserver apply` of a catalog whose only line item has this name."""
    item = line_item(name, "house", "728x90")
    file = folder / f"{name}.toml"
    file.write_text(dump(catalog_of(item, slot=[{"name": "top", "sizes": ["728x90"]}])), encoding="utf-8")
    command = [sys.executable, "-m", "adserver", "apply", str(file), "--db", str(folder / "ads.db"), *words]
    environment = {**os.environ, "ADSERVER_CATALOG_URL": url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def served(server: Server) -> str:
    """The line item that fills the slot of a page."""
    request = urllib.request.Request(f"{server.base}/v1/fill", PAGE, {"User-Agent": BROWSER})
    with urllib.request.urlopen(request, timeout=10) as answer:
        name: str = json.load(answer)["fills"][0]["line_item"]
    return name


def wait_until_served(server: Server, name: str) -> None:
    until = time.monotonic() + _WAIT_SECONDS
    while served(server) != name:
        assert time.monotonic() < until, f"{name} is not served"
        time.sleep(0.05)


def test_pages_are_filled_while_the_catalog_is_away(tmp_path: Path, mortal: Postgres) -> None:
    url = mortal.new_database()
    assert applied(tmp_path, url, "first").returncode == 0
    server = Server(tmp_path / "ads.db", ADSERVER_CATALOG_URL=url)
    try:
        assert served(server) == "first"
        assert applied(tmp_path, url, "second").returncode == 0
        wait_until_served(server, "second")
        mortal.stop()
        refused = applied(tmp_path, url, "third")
        assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
        assert url.partition("@")[2] in refused.stderr
        for _ in range(20):
            assert served(server) == "second"
            time.sleep(0.1)
        # One that starts meanwhile serves by the copy that the last one kept.
        server.stop()
        server = Server(tmp_path / "ads.db", ADSERVER_CATALOG_URL=url)
        assert served(server) == "second"
        mortal.start()
        assert applied(tmp_path, url, "fourth").returncode == 0
        wait_until_served(server, "fourth")
    finally:
        server.stop()
