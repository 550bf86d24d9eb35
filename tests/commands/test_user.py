"""`adserver user` as an operator types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "ads.db"


def user(db: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adserver", "user", *arguments, "--db", str(db)]
    return subprocess.run(command, capture_output=True, text=True)


def test_somebody_is_added_listed_and_disabled(db: Path) -> None:
    added = user(db, "add", "sita@news.example", "--role", "ad_ops", "--site", "daily", "--name", "Sita")
    assert added.returncode == 0
    assert added.stdout.startswith("http://127.0.0.1:8000/console/password/")
    assert user(db, "disable", "SITA@news.example").returncode == 0
    listed = user(db, "list").stdout.splitlines()
    assert listed[1].split() == ["sita@news.example", "Sita", "ad_ops", "daily", "disabled"]
    assert user(db, "enable", "sita@news.example").returncode == 0
    assert user(db, "role", "sita@news.example", "--role", "admin").returncode == 0
    assert user(db, "list").stdout.splitlines()[1].split() == [
        "sita@news.example",
        "Sita",
        "admin",
        "invited",
    ]


def test_a_token_is_printed_once_and_revoked(db: Path) -> None:
    user(db, "add", "sita@news.example", "--role", "admin")
    made = user(db, "token", "sita@news.example", "--name", "nightly export", "--scope", "reports")
    assert made.returncode == 0
    assert made.stdout.startswith("adsrv_")
    listed = user(db, "tokens", "sita@news.example").stdout
    assert "nightly export" in listed
    assert made.stdout.strip() not in listed
    assert user(db, "revoke", "sita@news.example", "1").returncode == 0
    again = user(db, "revoke", "sita@news.example", "1")
    assert (again.returncode, again.stderr) == (2, "token: sita@news.example has no token 1\n")


def test_what_is_wrong_is_said_line_by_line(db: Path) -> None:
    wrong = user(db, "add", "sita", "--role", "publisher")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines() == [
        "email: 'sita' is not an e-mail address",
        "sites: role publisher needs the sites that it is for",
    ]
    unknown = user(db, "link", "nobody@news.example")
    assert (unknown.returncode, unknown.stderr) == (2, "email: there is no user 'nobody@news.example'\n")
