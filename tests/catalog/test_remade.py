"""A catalog that is made of the one before and some edits is the one that is put together of all objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.catalog.model import Catalog
from adserver.catalog.patch import remade
from adserver.catalog.plan import Entry, Path, assemble, diff_entries, flatten
from adserver.editing.edits import Edit, edited
from adserver.engines.catalog_store import State
from adserver.errors import Fault, InvalidInput
from tests.engines.test_catalog_store import SAMPLE
from tests.strategies import catalogs

Made = tuple[Catalog, Mapping[Path, Entry]]


def result(make: Callable[[], Made]) -> Made | list[Fault]:
    """What is made, or why it is refused."""
    try:
        return make()
    except InvalidInput as error:
        return list(error.faults)


def _whole(wanted: Mapping[Path, Entry]) -> Made:
    catalog = assemble(wanted, "")
    return catalog, flatten(catalog)


def check(catalog: Catalog, wanted: Mapping[Path, Entry]) -> None:
    """It is as it would be without the short way, or refused for the same."""
    old = flatten(catalog)
    whole, made = result(lambda: _whole(wanted)), result(lambda: remade(catalog, old, wanted))
    assert made == whole
    assert flatten(catalog) == old, "what it was made of is as it was"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(catalogs(), catalogs(), st.data())
def test_any_catalog_of_any_other(one: Catalog, other: Catalog, draw: st.DataObject) -> None:
    check(one, flatten(other))
    old, new = flatten(one), flatten(other)
    both = sorted(path for path in new if path in old)
    taken = draw.draw(st.sets(st.sampled_from(both))) if both else set()
    check(one, {path: new[path] if path in taken else entry for path, entry in old.items()})


EDITS: dict[str, dict[str, Any]] = {
    "change": {"action": "change", "path": ("line_item", "savings-top"), "keys": {"labels": ["tea"]}},
    "default": {"action": "change", "path": ("line_item", "savings-top"), "keys": {"paused": False}},
    "refused": {"action": "change", "path": ("line_item", "savings-top"), "keys": {"tier": "none"}},
    "refused by what it is in": {
        "action": "change",
        "path": ("line_item", "savings-top"),
        "keys": {"rotation": "sequential", "together": 1},
    },
    "slot": {"action": "change", "path": ("slot", "daily", "article-top"), "keys": {"floor": "9.00"}},
    "archive": {"action": "archive", "path": ("line_item", "savings-top")},
    "archive all": {"action": "archive", "path": ("advertiser", "himal-bank")},
    "add": {
        "action": "add",
        "path": ("line_item", "own"),
        "parent": ("campaign", "himal-bank", "savings"),
        "keys": {"tier": "house", "target": {"site": ["daily"]}},
    },
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=list(EDITS))
def test_an_edit(edit: dict[str, Any]) -> None:
    state = State(1, flatten(SAMPLE), {})
    wanted = edited(state, [Edit(**edit)])
    assert diff_entries(state.entries, wanted) or edit["keys"] == {"paused": False}
    check(SAMPLE, wanted)


def test_what_stays_is_the_same_object() -> None:
    wanted = edited(State(1, flatten(SAMPLE), {}), [Edit(**EDITS["change"])])
    made, _ = remade(SAMPLE, flatten(SAMPLE), wanted)
    before = {item.name: item for _, _, item in SAMPLE.line_items()}
    same = [item.name for _, _, item in made.line_items() if item is before[item.name]]
    assert set(before) - set(same) == {"savings-top"}
