"""Reports are open to whoever knows the password, or to this machine alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from pydantic import SecretStr

from adserver.engines.catalog_store import Stored
from adserver.settings import Settings
from adserver.web.door import PROXY_HEADERS, host_of, is_loopback
from adserver.web.password import basic_password
from tests.dashboards.world import serving

PASSWORD = "päss:wörd"


@pytest.fixture(scope="module")
def locked(database: Path, catalog: Stored) -> Iterator[str]:
    """A server with a password."""
    with serving(database, catalog, Settings(db=database, reports_password=SecretStr(PASSWORD))) as url:
        yield url


@pytest.mark.parametrize("path", ["", "revenue.json", "slots.csv", "static/x.js", "?period=x"])
def test_without_the_password_nothing_is_shown(locked: str, path: str) -> None:
    answer = httpx.get(f"{locked}/reports/{path}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("user", ["", "anyone", "päiviö"])
def test_with_the_password_any_name_will_do_through_any_proxy(locked: str, user: str) -> None:
    pair = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    headers = {"authorization": f"Basic {pair}", "host": "reports.example", "x-forwarded-for": "203.0.113.9"}
    assert httpx.get(f"{locked}/reports/revenue.json", headers=headers).status_code == 200


@pytest.mark.parametrize("wrong", ["", "päss", PASSWORD.upper(), PASSWORD + "x", "\x00"])
def test_a_wrong_password_is_refused(locked: str, wrong: str) -> None:
    pair = base64.b64encode(f"x:{wrong}".encode()).decode()
    answer = httpx.get(f"{locked}/reports/", headers={"authorization": f"Basic {pair}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic ?", "Basic eA==", "Bearer eDp5", "basic", "Basic w6Q"]
)
def test_what_is_not_a_name_and_password_is_none(header: str) -> None:
    assert basic_password(header) is None


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "127.3.2.1:80", "[::1]:8000", "LOCALHOST"])
def test_this_machine_needs_no_password(base_url: str, host: str) -> None:
    assert httpx.get(f"{base_url}/reports/revenue.json", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["reports.example", "203.0.113.9:8000", "localhost.example", "127.0.0.1.example", "[::2]", ""]
)
def test_any_other_name_is_refused_and_told_what_to_set(base_url: str, host: str) -> None:
    answer = httpx.get(f"{base_url}/reports/", headers={"host": host})
    assert answer.status_code == 403
    assert "ADSERVER_REPORTS_PASSWORD" in answer.text


@pytest.mark.parametrize("name", PROXY_HEADERS)
def test_what_came_through_a_proxy_is_refused(base_url: str, name: str) -> None:
    answer = httpx.get(f"{base_url}/reports/revenue.json", headers={name: "127.0.0.1"})
    assert answer.status_code == 403


def test_a_server_that_listens_to_all_is_refused_without_a_password(database: Path, catalog: Stored) -> None:
    with serving(database, catalog, Settings(db=database, host="0.0.0.0")) as url:  # noqa: S104
        assert httpx.get(f"{url}/reports/").status_code == 403


def test_hosts_are_read_as_browsers_write_them() -> None:
    assert [host_of(text) for text in ("a:1", "[::1]:1", "[::1]", "a")] == ["a", "::1", "::1", "a"]
    assert [is_loopback(host) for host in ("::1", "127.0.0.9", "::", "0.0.0.0", "")] == [  # noqa: S104
        True,
        True,
        False,
        False,
        False,
    ]
