"""A machine, busy or not → the same verdict: how long an example takes says nothing about what is right."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from adserver.engines.sql import sqlite_url
from tests.postgres import Postgres, postgres_server

#: Folders and files of whose tests some wait for clocks, kill servers or open browsers.
LONG = (
    *(f"tests/{name}/" for name in ("faults", "benchmarks", "browser", "dashboards")),
    "tests/test_report_mails.py",
)

settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests often wait, for servers and for clocks."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of few tests that take long come first: begun last, each would keep all others waiting."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests of this process."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes empty databases: a test that asks for it runs on both engines of the catalog."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database
    numbers = count(1)
    return lambda: sqlite_url(tmp_path / f"ads-{next(numbers)}.db")


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    """One empty database, on each engine of the catalog."""
    return new_url()
