"""copy, history, undo, proof and old exports on the command line: the same as in the console."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.commands.test_catalog_commands import SAMPLE, Shell, shell

__all__ = ["shell"]


@pytest.fixture
def stored(shell: Shell) -> Shell:
    """The sample, applied once as sita."""
    assert shell("apply", SAMPLE, "--author", "sita").status == 0
    return shell


def test_a_campaign_is_copied_with_all_that_it_holds_and_taken_back(stored: Shell) -> None:
    copied = ("copy", "campaign", "himal-bank/savings", "himal-bank/loans")
    before = stored("export").out
    tried = stored(*copied, "--dry-run")
    assert (tried.status, "+ campaign himal-bank/loans" in tried.out) == (0, True)
    assert stored("export").out == before
    done = stored(*copied, "--author", "hari", "--note", "for spring")
    assert done.out.splitlines()[-1].startswith("Version 2: 3 added")
    assert "+ line_item loans-top" in done.out
    listed = stored("history").out
    assert re.search(r"^2  \d{4}-\d\d-\d\d \d\d:\d\d UTC  hari: for spring$", listed, re.MULTILINE)
    assert re.search(r"^1  .* sita$", listed, re.MULTILINE)
    own = stored("history", "--kind", "campaign", "--name", "himal-bank/savings").out
    assert [line for line in own.splitlines() if line[0].isdigit()] == [
        line for line in listed.splitlines() if line.startswith("1  ")
    ]
    assert stored("export", "--version", "1").out == before != stored("export").out
    assert "3 to remove" in stored("undo", "2", "--dry-run").out.splitlines()[-1].replace(
        "0 to add, 0 to change, ", ""
    )
    assert stored("undo", "2").out.splitlines()[-1].startswith("Version 3: ")
    assert stored("export").out == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("copy", "campaign", "himal-bank/saving", "himal-bank/x"), "did you mean"),
        (("copy", "campagne", "a", "b"), "is none of"),
        (("copy", "line_item", "savings-top", "savings-top"), "savings-top"),
        (("undo", "9"), "there is no version 9"),
        (("export", "--version", "9"), "9 is not between 0 and 1"),
        (("history", "--kind", "campaign"), "given together"),
        (("proof", "make", "slot", "daily/article-top"), "is no line item or campaign"),
        (("proof", "make", "line_item", "savings-top", "--days", "0"), "is not a number from 1 to"),
        (("proof", "revoke", "7"), "there is no proof 7"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    stored: Shell, words: tuple[str, ...], said: str
) -> None:
    before = stored("export").out
    done = stored(*words)
    assert done.status == 2
    assert said in done.err
    assert stored("export").out == before


def test_a_proof_link_is_made_listed_and_ended(stored: Shell) -> None:
    made = stored("proof", "make", "line_item", "savings-top", "--days", "3")
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/console/proof/[\w-]{43,}\n", made.out)
    assert "proof 1 opens for 3 days" in made.err
    listed = stored("proof", "list", "line_item", "savings-top").out
    assert listed.startswith("proof 1 by ")
    token = made.out.strip().rpartition("/")[2]
    assert token not in listed
    assert token.encode() not in Path("adserver.db").read_bytes()
    assert stored("proof", "revoke", "1").status == 0
    assert stored("proof", "list", "line_item", "savings-top").out == ""
