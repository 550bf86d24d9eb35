"""`adserver newsletter …`: what is locked ahead is what every mail shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.test_explain_command import Shell
from tests.newsroom import apply_catalog, catalog_of, line_item, rows, server
from tests.serving.outside.test_pictures import LETTER, led_to, seen
from tests.serving.test_frame import html_item

PLACE = ("daily", "side", "2026-11-24")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def newsletter(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command of it on `a.db` of this folder, which has line items, one of them dearest."""
    items = [
        line_item(name, "price", "300x250", "728x90", price={"cpm": f"{cpm}.00"})
        for cpm, name in enumerate("abc", 1)
    ]
    apply_catalog(tmp_path / "a.db", catalog_of(*items, html_item()))
    shell = Shell(tmp_path, capsys, monkeypatch, "newsletter")
    return lambda *words: shell(*words, "--db", str(tmp_path / "a.db"))


def test_what_is_locked_ahead_is_shown_by_a_server_that_runs(newsletter: Run, tmp_path: Path) -> None:
    with server(tmp_path / "a.db", None) as client:
        status, out, err = newsletter("lock", *PLACE, "--creative", "a-300x250")
        assert (status, err) == (0, "")
        assert f"http://127.0.0.1:8000{LETTER}.png" in out
        assert (seen(client), led_to(client)) == ("a-300x250", "a-300x250")


def test_without_a_creative_it_is_who_would_win_now_and_nobody_twice(newsletter: Run, tmp_path: Path) -> None:
    for position in ("1", "2", "3"):
        assert newsletter("lock", *PLACE, "--position", position)[0] == 0
    status, _, err = newsletter("lock", *PLACE, "--position", "4")
    assert (status, err) == (2, "side: nothing can stand there now: no_eligible\n")
    shown = newsletter("list", "daily", "2026-11-24")[1]
    assert [line.split()[:4] for line in shown.splitlines()[1:]] == [
        ["side", str(number), name, f"{name}-300x250"] for number, name in enumerate("cba", 1)
    ]


def test_what_is_locked_is_replaced_only_when_told(newsletter: Run, tmp_path: Path) -> None:
    newsletter("lock", *PLACE, "--creative", "a-300x250")
    status, _, err = newsletter("lock", *PLACE, "--creative", "b-300x250")
    assert (status, err) == (2, "2026-11-24: a-300x250 stands there already; --replace takes it away\n")
    assert newsletter("lock", *PLACE, "--creative", "b-300x250", "--replace")[0] == 0
    with server(tmp_path / "a.db", None) as client:
        assert (seen(client), led_to(client)) == ("b-300x250", "b-300x250")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("dail", "side", "1"), "site: there is no site 'dail'; did you mean 'daily'?"),
        (("daily", "sid", "1"), "slot: site daily has no slot 'sid'; did you mean 'side'?"),
        (("daily", "side", "a b"), "issue: is 1 to 100 letters, digits or ._~-, the first a letter or digit"),
        ((*PLACE, "--creative", "d"), "--creative: there is no approved creative 'd'"),
        ((*PLACE, "--creative", "own"), "--creative: own is html; only images can stand there"),
        ((*PLACE, "--creative", "a-728x90"), "--creative: a-728x90 is 728x90; side takes 300x250"),
    ],
)
def test_what_cannot_be_locked_is_said(
    newsletter: Run, tmp_path: Path, words: tuple[str, ...], problem: str
) -> None:
    assert newsletter("lock", *words) == (2, "", f"{problem}\n")
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM issue_lock") == [(0,)]
