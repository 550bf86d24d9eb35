"""check, plan, apply and export as an operator types them: what is shown where, and the exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from adserver import cli
from adserver.catalog.file import load
from adserver.commands import catalog as catalog_commands

SAMPLE = Path(__file__).parents[1] / "catalog" / "sample.toml"
KEY = "advertiser.himal-bank.campaign.savings.line_item.savings-top"
EDITS = {
    'floor = "0.50"': 'floor = "0.75"',
    'sizes = ["970x250"': 'label = "Ad"\nsizes = ["970x250"',
    'name = "savings-970"': 'name = "savings-wide"',
}


@dataclass(frozen=True)
class Done:
    """What a command showed, and its exit status."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """Runs the command line in this interpreter, in a folder of its own."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *arguments: str | Path) -> Done:
        self.monkeypatch.setattr(sys, "argv", ["adserver", *map(str, arguments)])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        shown = self.capsys.readouterr()
        return Done(status, shown.out, shown.err)

    def edited(self) -> Path:
        """The sample with a changed slot and a renamed creative."""
        text = SAMPLE.read_text(encoding="utf-8")
        for before, after in EDITS.items():
            assert before in text
            text = text.replace(before, after)
        path = self.folder / "edited.toml"
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADSERVER_DB", raising=False)
    return Shell(tmp_path, capsys, monkeypatch)


def test_check_says_that_all_is_well(shell: Shell) -> None:
    done = shell("check", SAMPLE)
    assert done.status == 0
    assert done.out == f"{SAMPLE}: no faults (sites: 1, line items: 1)\n"
    assert done.err == ""
    assert os.listdir(shell.folder) == [], "checking makes no database"


def test_check_lists_every_fault(shell: Shell) -> None:
    broken = shell.folder / "broken.toml"
    broken.write_text('[[site]]\nname = "daily"\ndomain = "d.example"\ncurrency = 5\n', encoding="utf-8")
    done = shell("check", broken)
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        f"{broken}: site.daily.currency: 5 is not text\n{broken}: site.daily.timezone: is missing\n"
    )


def test_plan_before_anything_is_stored_makes_no_database(shell: Shell) -> None:
    done = shell("plan", SAMPLE, "--db", "new.db")
    assert done.status == 0
    assert done.out.startswith("+ site daily\n    domain: ")
    assert done.out.endswith("6 to add, 0 to change, 0 to remove.\n")
    assert "\x1b" not in done.out, "no colours where nobody looks"
    assert not (shell.folder / "new.db").exists()


def test_plan_shows_what_apply_then_does(shell: Shell) -> None:
    shell("apply", SAMPLE, "--db", "x.db")
    planned = shell("plan", shell.edited(), "--db", "x.db")
    assert planned.status == 0
    assert planned.out == (
        "- creative savings-970\n"
        "~ slot daily/article-top\n"
        '    floor: "0.50" → "0.75"\n'
        '    label: (not set) → "Ad"\n'
        "+ creative savings-wide\n"
        '    kind: "image"\n'
        '    size: "970x250"\n'
        '    image: "https://cdn.example/light.png"\n'
        '    image_dark: "https://cdn.example/dark.png"\n'
        '    alt: "Himal savings account"\n'
        '    click: "https://bank.example/savings"\n'
        "1 to add, 1 to change, 1 to remove.\n"
    )
    applied = shell("apply", shell.folder / "edited.toml", "--db", "x.db")
    assert (applied.status, applied.out) == (0, "Version 2: 1 added, 1 changed, 1 removed.\n")
    assert shell("plan", shell.folder / "edited.toml", "--db", "x.db").out == "Nothing to change.\n"


def test_a_plan_has_colours_where_a_person_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = typer.Typer()
    catalog_commands.register(app)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = CliRunner().invoke(app, ["plan", str(SAMPLE), "--db", str(tmp_path / "x.db")])
    assert "\x1b[32m+ site daily" in shown.stdout


def test_apply_a_second_time_changes_nothing(shell: Shell) -> None:
    assert shell("apply", SAMPLE, "--db", "x.db").out == "Version 1: 6 added, 0 changed, 0 removed.\n"
    again = shell("apply", SAMPLE, "--db", "x.db")
    assert (again.status, again.out) == (0, "Version 1: nothing to change.\n")


def test_apply_upon_another_version_than_was_seen_changes_nothing(shell: Shell) -> None:
    shell("apply", SAMPLE, "--db", "x.db")
    refused = shell("apply", shell.edited(), "--db", "x.db", "--if-version", "7")
    assert refused.status == 2
    assert "catalog: changed by somebody else in the meantime" in refused.err
    done = shell("apply", shell.edited(), "--db", "x.db", "--if-version", "1")
    assert (done.status, done.out.partition(":")[0]) == (0, "Version 2")


def test_the_database_is_taken_from_the_environment(shell: Shell) -> None:
    shell.monkeypatch.setenv("ADSERVER_DB", "elsewhere.db")
    assert shell("apply", SAMPLE).status == 0
    assert (shell.folder / "elsewhere.db").exists()
    assert shell("export").out.startswith("[[site]]\n")
    shell.monkeypatch.delenv("ADSERVER_DB")
    assert shell("apply", SAMPLE).status == 0
    assert (shell.folder / "adserver.db").exists()


def test_export_gives_back_an_equivalent_file(shell: Shell) -> None:
    shell("apply", SAMPLE)
    done = shell("export", "--out", "out.toml")
    assert (done.status, done.out) == (0, "")
    assert load(shell.folder / "out.toml") == load(SAMPLE)
    assert shell("export").out == (shell.folder / "out.toml").read_text(encoding="utf-8")
    assert shell("plan", "out.toml").out == "Nothing to change.\n"


def test_export_of_no_database_is_refused_and_makes_none(shell: Shell) -> None:
    done = shell("export", "--db", "absent.db")
    assert (done.status, done.out, done.err) == (2, "", "absent.db: --db: there is no such file\n")
    assert os.listdir(shell.folder) == []


def test_a_failing_export_leaves_the_file_that_is_there(shell: Shell) -> None:
    shell("apply", SAMPLE)
    (shell.folder / "out.toml").mkdir()
    done = shell("export", "--out", "out.toml")
    assert (done.status, done.err) == (1, "out.toml: cannot be written: Is a directory\n")
    assert sorted(name for name in os.listdir(shell.folder) if "toml" in name) == ["out.toml"]
    (shell.folder / "mine.toml").write_text("mine", encoding="utf-8")
    (shell.folder / "adserver.db").write_text("no database" * 500, encoding="utf-8")
    assert shell("export", "--out", "mine.toml").status == 1
    assert (shell.folder / "mine.toml").read_text(encoding="utf-8") == "mine"


def test_a_database_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "adserver", "apply", str(SAMPLE), "--db", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert lines == [f"{tmp_path}: unable to open database file"]
