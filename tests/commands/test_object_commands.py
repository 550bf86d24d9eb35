"""`adserver add`, `set`, `archive`, `why` and `estimate` over a real database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adserver.commands.objects import keys_of
from adserver.errors import InvalidInput
from tests.commands.test_catalog_commands import SAMPLE, Shell, shell
from tests.newsroom import server

__all__ = ["shell"]
DB = ("--db", "x.db")


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["price.cpm=5.50", "paused=true"], {"price": {"cpm": "5.50"}, "paused": True}),
        (["budget=500.10", "weight=3", "labels=[]"], {"budget": "500.10", "weight": 3, "labels": []}),
        (
            ['target.country=["NP"]', "goal=", "alt=a=b"],
            {"target": {"country": ["NP"]}, "goal": None, "alt": "a=b"},
        ),
        (["alt=[not json", "share=0.5"], {"alt": "[not json", "share": 0.5}),
    ],
)
def test_keys_are_read_as_they_are_written(words: list[str], keys: dict[str, Any]) -> None:
    assert keys_of(words) == keys


def test_what_is_no_key_is_said() -> None:
    with pytest.raises(InvalidInput, match="paused: is not KEY=VALUE"):
        keys_of(["paused", "=x", "a=1"])


def test_one_object_is_added_changed_and_archived(shell: Shell) -> None:
    shell("apply", SAMPLE, *DB)
    inside, site = ("--in", "himal-bank/savings"), 'target.site=["daily"]'
    added = shell("add", "line_item", "own", "tier=house", site, *inside, *DB)
    assert added.out.splitlines()[-1] == "Version 2: 1 added, 0 changed, 0 removed."
    dry = shell("set", "line_item", "own", "paused=true", "--dry-run", *DB)
    assert dry.out.splitlines()[-1] == "0 to add, 1 to change, 0 to remove."
    assert "own" in shell("set", "line_item", "own", "paused=true", "--note", "rest", *DB).out
    assert "Version 4: 0 added, 0 changed, 1 removed." in shell("archive", "line_item", "own", *DB).out
    assert "rest" in shell("history", *DB).out
    for words, said in (
        (("add", "line_item", "x", "tier=house"), "--in: names the campaign that it is added to"),
        (("add", "placement", "x"), "placement: is none of site, advertiser"),
        (("set", "line_item", "savings-tpo", "paused=true"), "did you mean 'savings-top'"),
        (("set", "line_item", "savings-top"), "nothing to set: give KEY=VALUE"),
        (("set", "line_item", "savings-top", "price.cpm=four"), "is not an amount"),
        (("archive", "slot", "daily/none"), "is not in the catalog"),
    ):
        refused = shell(*words, *DB)
        assert (refused.status, said in refused.err) == (2, True), (words, refused.err)


def test_why_and_estimate_ask_the_pages_that_the_server_has_saved(shell: Shell, tmp_path: Path) -> None:
    with server(tmp_path / "x.db") as client:
        for section in ("world", "sport"):
            page = {"site": "daily", "page": {"section": section}, "slots": [{"slot": "top"}], "tally": ""}
            assert client.post("/v1/fill", json=page).status_code == 200
    told = shell("why", "per-click", *DB).out
    assert "served on 0 of 2 sampled pages" in told
    assert "100%  No creative in a size that fits: top: " in told
    assert "matches 50% of page requests" in shell("estimate", '{"section": ["sport"]}', *DB).out
    assert "50%  lost to section" in shell("estimate", '{"section": ["sport"]}', *DB).out
    assert shell("why", "nobody", *DB).err == "nobody: there is no such line item\n"
    assert "is not JSON" in shell("estimate", "{", *DB).err
    assert "is not a table of rules" in shell("estimate", "[]", *DB).err
