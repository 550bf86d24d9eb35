"""What is refused names nobody else's line items."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

import pytest

from adserver.accounts.model import Principal, Role
from adserver.catalog.model import Catalog
from adserver.clock import system_clock
from adserver.editing.editor import Editor
from adserver.editing.edits import Edit
from adserver.engines.sql import sqlite_url
from adserver.errors import InvalidInput
from tests.newsroom import apply_catalog, line_item

OPS = Principal(1, "ops@news.example", "Ops", Role.AD_OPS, frozenset(("daily",)))
ADMIN = Principal(2, "admin@news.example", "Admin", Role.ADMIN)
SLOT = ("slot", "daily", "top")


@pytest.fixture
def editor(tmp_path: File) -> Editor:
    site = {"domain": "news.example", "timezone": "UTC", "currency": "USD"}
    slots = [{"name": "top", "sizes": ["728x90"]}, {"name": "side", "sizes": ["300x250"]}]
    secret = line_item("secret.item", "house", target={"site": ["daily"], "slot": ["top"]})
    own = line_item("own-item", "house", target={"site": ["daily"], "slot": ["side"]})
    catalog = Catalog.model_validate(
        {
            "site": [{"name": "daily", **site, "slot": slots}, {"name": "other", **site}],
            "advertiser": [
                {
                    "name": "rival",
                    "sites": ["daily", "other"],
                    "campaign": [{"name": "c", "line_item": [secret]}],
                },
                {"name": "bank", "sites": ["daily"], "campaign": [{"name": "c", "line_item": [own]}]},
            ],
        }
    )
    apply_catalog(tmp_path / "ads.db", catalog)
    return Editor(sqlite_url(tmp_path / "ads.db"), system_clock)


def refused(editor: Editor, principal: Principal, *edits: Edit) -> str:
    with pytest.raises(InvalidInput) as error:
        asyncio.run(editor.edit(principal, edits))
    return str(error.value)


def test_a_slot_that_anothers_line_item_needs_stays_and_the_other_is_not_named(editor: Editor) -> None:
    told = refused(editor, OPS, Edit("archive", SLOT))
    assert told == "something that is not yours to see depends on it"
    assert "secret.item" in refused(editor, ADMIN, Edit("archive", SLOT))


def test_what_is_ones_own_is_named(editor: Editor) -> None:
    told = refused(editor, OPS, Edit("archive", ("slot", "daily", "side")))
    assert "own-item" in told and "side" in told


def test_no_name_of_others_is_guessed_at(editor: Editor) -> None:
    told = refused(editor, OPS, Edit("change", ("line_item", "secret.itam"), {"paused": True}))
    assert told == "line_item secret.itam: is not there"
    assert "secret.item" in refused(editor, ADMIN, Edit("change", ("line_item", "secret.itam"), {}))
    assert "own-item" in refused(editor, OPS, Edit("change", ("line_item", "own-itam"), {}))
