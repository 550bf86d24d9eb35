"""Edits, conflicts, undo and history over a real file, as people with different rights make them."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path as File
from typing import Any

import pytest

from adserver.accounts.model import Principal, Role
from adserver.catalog.file import load
from adserver.catalog.model import Catalog
from adserver.catalog.plan import Path, flatten
from adserver.editing.editor import Editor, Forbidden
from adserver.editing.edits import Conflict, Edit
from adserver.engines.catalog_store import CatalogStore
from adserver.errors import InvalidInput

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
ADMIN = Principal(1, "admin@news.example", "Admin", Role.ADMIN)
DAILY = Principal(2, "sita@news.example", "Sita", Role.AD_OPS, frozenset({"daily"}))
READER = Principal(3, "boss@news.example", "Boss", Role.PUBLISHER, frozenset({"daily"}))
ITEM: Path = ("line_item", "savings-top")
SAMPLE = load(File(__file__).parents[1] / "catalog" / "sample.toml")


@pytest.fixture
def editor(url: str) -> Editor:
    made = Editor(url, lambda: NOW)
    asyncio.run(made.replace(ADMIN, SAMPLE))
    return made


def now(editor: Editor) -> Catalog:
    return asyncio.run(editor.as_of(ADMIN)).catalog


def edit(editor: Editor, *edits: Edit, by: Principal = ADMIN, dry_run: bool = False) -> int:
    return asyncio.run(editor.edit(by, edits, dry_run=dry_run)).version


def body(editor: Editor, path: Path) -> Mapping[str, Any]:
    return flatten(now(editor))[path].body


def test_a_change_merges_what_is_set_and_null_puts_back_the_default(editor: Editor) -> None:
    before = body(editor, ITEM)
    version = edit(editor, Edit("change", ITEM, {"price": {"cpm": "5.00"}, "labels": None}))
    assert version == 2
    assert body(editor, ITEM) == {
        **{key: value for key, value in before.items() if key != "labels"},
        "price": {"cpm": "5.00"},
    }


def test_objects_are_added_in_their_place_and_archived_with_what_they_hold(editor: Editor) -> None:
    campaign: Path = ("campaign", "himal-bank", "loans")
    edit(
        editor,
        Edit("add", campaign),
        Edit("add", ("line_item", "loans-house"), {"tier": "house", "target": {"site": ["daily"]}}, campaign),
    )
    assert [one.name for one in now(editor).advertiser[0].campaign] == ["savings", "loans"]
    edit(editor, Edit("archive", ("advertiser", "himal-bank")))
    assert now(editor).advertiser == ()
    assert [site.name for site in now(editor).site] == ["daily"]


def test_a_dry_run_says_what_would_change_and_changes_nothing(editor: Editor) -> None:
    found = asyncio.run(editor.edit(ADMIN, [Edit("change", ITEM, {"paused": True})], dry_run=True))
    assert [(change.action, change.path) for change in found.changes] == [("change", ITEM)]
    assert (found.version, now(editor)) == (1, SAMPLE)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            Edit("change", ("line_item", "savings-tpo"), {}),
            "line_item savings-tpo: is not there; did you mean",
        ),
        (
            Edit("add", ITEM, {}, ("campaign", "himal-bank", "savings")),
            "line_item savings-top: is there already",
        ),
        (Edit("add", ("line_item", "x"), {}, ("campaign", "himal-bank", "no")), "needs a campaign to be in"),
        (Edit("add", ("line_item", "x"), {}), "needs a campaign to be in"),
        (Edit("add", ("slot", "top"), {}), "is not a path"),
        (Edit("add", ("placement", "top"), {}), "there is no kind 'placement'"),
        (Edit("change", ITEM, {"name": "other"}), "savings-top: name: cannot be changed"),
        (Edit("change", ITEM, {"creative": []}), "creative: is edited on its own"),
        (Edit("change", ITEM, {"price": {"cpm": "-1"}}), "line_item.savings-top.price.cpm: "),
        (Edit("change", ITEM, {"target": {"site": ["dayly"]}}), "there is no site 'dayly'"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_changes(editor: Editor, wrong: Edit, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        edit(editor, Edit("change", ("site", "daily"), {"exclude_topics": []}), wrong)
    assert said in str(caught.value)
    assert now(editor) == SAMPLE


def test_whoever_has_seen_an_older_form_gets_a_conflict_and_nothing_is_lost(editor: Editor) -> None:
    edit(editor, Edit("change", ITEM, {"paused": True}, version=1))
    with pytest.raises(Conflict) as caught:
        edit(editor, Edit("change", ITEM, {"labels": []}, version=1))
    assert caught.value.versions == {ITEM: 2}
    assert body(editor, ITEM)["paused"] is True
    assert body(editor, ITEM)["labels"] == ["bank"]
    # Another object in the meantime is no conflict.
    edit(editor, Edit("change", ("site", "daily"), {"exclude_topics": []}, version=1))


def test_undo_takes_back_one_step_and_leaves_the_others(editor: Editor) -> None:
    edit(editor, Edit("change", ITEM, {"paused": True}))
    edit(editor, Edit("change", ("site", "daily"), {"exclude_topics": ["war"]}))
    asyncio.run(editor.undo(ADMIN, 2))
    assert "paused" not in body(editor, ITEM)
    assert now(editor).site[0].exclude_topics == ("war",)
    asyncio.run(editor.undo(ADMIN, 3))
    assert now(editor) == SAMPLE


def test_undo_brings_back_what_was_archived_exactly(editor: Editor) -> None:
    edit(editor, Edit("archive", ("advertiser", "himal-bank")))
    asyncio.run(editor.undo(ADMIN, 2))
    assert now(editor) == SAMPLE


def test_undo_of_what_was_changed_again_is_a_conflict(editor: Editor) -> None:
    edit(editor, Edit("change", ITEM, {"paused": True}))
    edit(editor, Edit("change", ITEM, {"labels": []}))
    with pytest.raises(Conflict, match="line_item savings-top"):
        asyncio.run(editor.undo(ADMIN, 2))
    assert body(editor, ITEM)["paused"] is True


def test_what_is_not_theirs_is_neither_changed_nor_shown(editor: Editor) -> None:
    edit(editor, Edit("add", ("advertiser", "telecom"), {}))
    edit(editor, Edit("change", ITEM, {"paused": True}), by=DAILY)
    for principal, path in [(DAILY, ("advertiser", "telecom")), (READER, ITEM), (DAILY, ("site", "daily"))]:
        with pytest.raises(Forbidden, match="is not yours to change"):
            edit(editor, Edit("archive", path), by=principal)
    with pytest.raises(InvalidInput, match="there is no version 3"):
        asyncio.run(editor.undo(READER, 3))
    seen = asyncio.run(editor.history(DAILY)).steps
    assert [(step.revision.version, step.revision.author) for step in seen] == [
        (3, "sita@news.example"),
        (1, "admin@news.example"),
    ]
    assert asyncio.run(editor.step(DAILY, 2)) is None


def test_a_catalog_file_of_ad_ops_replaces_their_own_part_only(editor: Editor) -> None:
    edit(editor, Edit("add", ("advertiser", "telecom"), {}))
    own = asyncio.run(editor.as_of(DAILY)).catalog
    asyncio.run(editor.replace(DAILY, own.model_copy(update={"advertiser": ()})))
    assert [one.name for one in now(editor).advertiser] == ["telecom"]
    stolen = Catalog.model_validate({"advertiser": [{"name": "telecom", "sites": ["daily"]}]})
    with pytest.raises(Forbidden, match="is a name that is taken"):
        asyncio.run(editor.replace(DAILY, own.model_copy(update={"advertiser": stolen.advertiser})))


def test_history_tells_of_one_object_and_of_a_moment(editor: Editor) -> None:
    edit(editor, Edit("change", ITEM, {"paused": True}))
    edit(editor, Edit("change", ("site", "daily"), {"exclude_topics": []}))
    steps = asyncio.run(editor.history(ADMIN, path=ITEM)).steps
    assert [step.revision.version for step in steps] == [2, 1]
    (change,) = steps[0].changes
    assert change.before is not None and change.after is not None
    assert (change.before.get("paused"), change.after["paused"]) == (None, True)
    assert asyncio.run(editor.as_of(ADMIN, 1)).catalog == SAMPLE


def _pause_for_ever(url: str) -> None:
    editor = Editor(url, lambda: NOW)
    while True:
        for paused in (True, False):
            edits = [
                Edit("change", ITEM, {"paused": paused}),
                Edit("change", ("site", "daily"), {"exclude_topics": ["war"] if paused else []}),
            ]
            asyncio.run(editor.edit(ADMIN, edits))


def test_a_killed_edit_leaves_the_old_or_the_new_catalog(url: str) -> None:
    editor = Editor(url, lambda: NOW)
    asyncio.run(editor.replace(ADMIN, SAMPLE))
    for round_number in range(3):
        editing = multiprocessing.get_context("spawn").Process(target=_pause_for_ever, args=(url,))
        editing.start()
        before = asyncio.run(_version(url))
        while asyncio.run(_version(url)) < before + 3 + round_number:
            time.sleep(0.01)
        editing.kill()
        editing.join()
        catalog = now(editor)
        item = catalog.advertiser[0].campaign[0].line_item[0]
        assert catalog.site[0].exclude_topics == (("war",) if item.paused else ())


async def _version(url: str) -> int:
    store = await CatalogStore.open(url)
    try:
        return await store.version()
    finally:
        await store.close()
