"""`adserver explain` as ad ops type it: what is shown, and that it says what the server then does."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adserver import cli
from tests.newsroom import PAID, apply_catalog, catalog_of, line_item, server

ASK: dict[str, Any] = {"site": "daily", "slots": [{"slot": "top"}, {"slot": "side"}], "tally": ""}
MIXED = catalog_of(
    line_item("paid", "price", "728x90", "300x250", price={"cpm": "4.50"}),
    line_item("nepal", "price", "728x90", price={"cpm": "9.00"}, target={"country": ["NP"]}),
    line_item("full", "price", "728x90", price={"cpm": "8.00"}, budget="0.008"),
    line_item("own", "house", "728x90", "300x250"),
)


@dataclass(frozen=True)
class Shell:
    """Runs the command in this interpreter, in a folder with a page and a database."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    command: str = "explain"

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """(exit status, standard output, standard error)."""
        self.monkeypatch.setattr(sys, "argv", ["adserver", self.command, *arguments])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        shown = self.capsys.readouterr()
        return status, shown.out, shown.err


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADSERVER_DB", "a.db")
    (tmp_path / "page.json").write_text(json.dumps(ASK), encoding="utf-8")
    apply_catalog(tmp_path / "a.db", MIXED)
    return Shell(tmp_path, capsys, monkeypatch)


def serve_once(folder: Path) -> None:
    """Serve one page and report its first impression: `full` has then spent its budget."""
    with server(folder / "a.db", None) as client:
        top = client.post("/v1/fill", json=ASK).json()["fills"][0]
        assert top["line_item"] == "full"
        event = {"events": [{"fill": top["fill"], "type": "impression"}]}
        assert client.post("/v1/events", json=event).status_code == 204


def test_winners_are_shown_first_and_then_who_came_closest(shell: Shell) -> None:
    serve_once(shell.folder)
    status, out, err = shell("--page", "page.json", "--country", "US")
    assert (status, err) == (0, "")
    assert "daily, " in out
    assert "(Asia/Kathmandu), catalog 1" in out
    assert "country US; device not known (--device); a tally is kept" in out
    top, side = (part.splitlines() for part in out.split("\n\n")[1:])
    assert top[0] == "top  Goes to paid. (floor 0.00; 970x250, 728x90)"
    assert [line.split()[:2] for line in top[2:]] == [
        ["→", "paid"],
        ["own", "house"],
        ["full", "price"],
        ["nepal", "price"],
    ]
    assert "Is a house ad, which comes after everything that pays; paid scored 4.50." in top[3]
    assert "Its budget of 0.008 is spent: 0.008 earned." in top[4]
    assert "Asks for country NP; this page is from US." in top[5]
    assert side[0].startswith("side  Goes to own. ")


def test_as_json_it_is_what_the_server_answers(shell: Shell) -> None:
    at = "2026-11-24T12:00:00+05:45"
    status, out, _ = shell("--page", "page.json", "--json", "--at", at, "--limit", "2", "--country", "NP")
    assert status == 0
    with server(shell.folder / "a.db", None) as client:
        asked = {"page": json.dumps(ASK), "at": at, "limit": "2", "country": "NP"}
        answer = client.get("/api/v1/explain", params=asked, headers={"host": "127.0.0.1"})
    assert json.loads(out) == answer.json()


def test_one_slot_and_one_line_item(shell: Shell) -> None:
    status, out, _ = shell("--page", "page.json", "--slot", "top", "--item", "nepal")
    assert status == 0
    assert "Asks for country NP; the country is not known." in out
    assert "side" not in out
    assert len(out.splitlines()) == 6, "a heading of two lines, a slot, and a table with one line item"


def test_a_page_may_come_from_standard_input(shell: Shell) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps({**ASK, "tally": None}).encode()))
    shell.monkeypatch.setattr(sys, "stdin", stdin)
    status, out, _ = shell("--page", "-", "--limit", "1")
    assert status == 0
    assert "no tally is kept, so nothing with caps serves" in out
    assert "and 3 more, left off: won 1, " in out
    assert "no network may be asked" not in out


def test_what_consent_forbids_is_in_the_heading(shell: Shell) -> None:
    page = {**ASK, "consent": {"tcf": ""}}
    (shell.folder / "asking.json").write_text(json.dumps(page), encoding="utf-8")
    status, out, _ = shell("--page", "asking.json", "--country", "DE")
    assert status == 0
    assert "no tally is kept, so nothing with caps serves; no network may be asked" in out


def test_faults_name_file_and_key(shell: Shell) -> None:
    (shell.folder / "wrong.json").write_text('{"site": "daily", "slots": [{"slot": 1}]}', encoding="utf-8")
    status, out, err = shell("--page", "wrong.json", "--item", "pa1d", "--at", "noon")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "wrong.json: slots[0].slot: Expected `str`, got `int`",
        "--item: 'pa1d' is not a line item of the catalog; did you mean 'paid'?",
        "--at: 'noon' is not a time such as \"2026-11-24T09:00:00+05:45\"",
    ]
    status, _, err = shell("--page", "absent.json")
    assert (status, err) == (2, "absent.json: cannot be read: No such file or directory\n")
    status, _, err = shell("--page", "page.json", "--db", "absent.db")
    assert (status, err) == (2, "absent.db: --db: there is no such file\n")
    assert not (shell.folder / "absent.db").exists()


def dump(path: Path) -> list[str]:
    """Everything in a database."""
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


def test_explaining_leaves_the_database_as_it_is(shell: Shell) -> None:
    serve_once(shell.folder)
    before = dump(shell.folder / "a.db")
    for at in ("", "2027-01-01T00:00"):
        assert shell("--page", "page.json", "--at", at)[0] == 0
    assert dump(shell.folder / "a.db") == before


def test_an_empty_catalog_has_no_site(shell: Shell) -> None:
    apply_catalog(shell.folder / "b.db", PAID.model_copy(update={"site": (), "advertiser": ()}))
    status, out, _ = shell("--page", "page.json", "--db", "b.db")
    assert status == 0
    assert "top  Stays empty: the catalog has no site daily." in out
