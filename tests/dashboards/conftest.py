"""One database with two weeks of traffic, and a server that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.engines.catalog_store import Stored
from tests.dashboards.world import fill, new_database, serving, site, steady_traffic, stored


@pytest.fixture(scope="package")
def catalog() -> Stored:
    """Two sites: one with traffic, one that waits for its first page."""
    return stored([site("daily", "Asia/Kathmandu"), site("quiet", "America/New_York", "NPR")])


@pytest.fixture(scope="package")
def database(tmp_path_factory: pytest.TempPathFactory, catalog: Stored) -> Path:
    """The file behind `base_url`."""
    path = tmp_path_factory.mktemp("dashboards") / "adserver.db"
    new_database(path)
    fill(path, steady_traffic(catalog, "daily"))
    return path


@pytest.fixture(scope="package")
def base_url(database: Path, catalog: Stored) -> Iterator[str]:
    """A server of the reports on a free port."""
    with serving(database, catalog) as url:
        yield url
