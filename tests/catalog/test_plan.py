"""Catalogs taken apart, put together again, and compared."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.catalog.file import load
from adserver.catalog.model import Catalog
from adserver.catalog.plan import Change, assemble, diff, flatten, render
from tests.strategies import catalogs

SAMPLE = load(Path(__file__).with_name("sample.toml"))
MANY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def house(*names: str, **more: Any) -> dict[str, Any]:
    """A campaign of house line items."""
    items = [{"name": name, "tier": "house"} | more for name in names]
    return {"name": "c", "line_item": items}


def catalog(**campaigns: dict[str, Any]) -> Catalog:
    """Advertisers by name, each with one campaign."""
    advertisers = [{"name": name, "campaign": [campaign]} for name, campaign in campaigns.items()]
    return Catalog.model_validate({"advertiser": advertisers})


def told(old: Catalog, new: Catalog) -> list[tuple[str, str]]:
    return [(change.action, "/".join(change.path)) for change in diff(old, new)]


def test_identities() -> None:
    assert list(flatten(SAMPLE)) == [
        ("site", "daily"),
        ("slot", "daily", "article-top"),
        ("advertiser", "himal-bank"),
        ("campaign", "himal-bank", "savings"),
        ("line_item", "savings-top"),
        ("creative", "savings-970"),
    ]


@MANY
@given(catalogs(groups=True, pages=True), st.randoms(use_true_random=False))
def test_objects_in_any_order_make_the_same_catalog(random_catalog: Catalog, shuffler: Random) -> None:
    entries = list(flatten(random_catalog).items())
    shuffler.shuffle(entries)
    assert assemble(dict(entries)) == random_catalog


@MANY
@given(catalogs(groups=True, pages=True), catalogs(groups=True, pages=True))
def test_no_change_exactly_when_equal(one: Catalog, other: Catalog) -> None:
    assert diff(one, one) == ()
    assert (diff(one, other) == ()) == (one == other)
    for change in diff(one, other):
        assert render(change).splitlines()[0][2:] == f"{change.path[0]} {'/'.join(change.path[1:])}"


@MANY
@given(catalogs(groups=True, pages=True), catalogs(groups=True, pages=True))
def test_changes_lead_from_one_to_the_other(old: Catalog, new: Catalog) -> None:
    bodies = {path: entry.body for path, entry in flatten(old).items()}
    for change in diff(old, new):
        if change.action == "remove":
            del bodies[change.path]
        elif change.action != "move":
            assert change.after is not None
            assert bodies.get(change.path) == change.before
            bodies[change.path] = dict(change.after)
    assert bodies == {path: entry.body for path, entry in flatten(new).items()}


def test_the_fewest_moves_explain_a_new_order() -> None:
    old = catalog(a=house("1", "2", "3", "4", "5"))
    assert told(old, catalog(a=house("5", "1", "2", "3", "4"))) == [("move", "line_item/5")]
    assert told(old, catalog(a=house("0", "1", "2", "3", "4", "5"))) == [("add", "line_item/0")]
    assert told(old, catalog(a=house("2", "4", "5"))) == [
        ("remove", "line_item/1"),
        ("remove", "line_item/3"),
    ]


def test_a_line_item_moves_to_another_campaign() -> None:
    old, new = catalog(a=house("1"), b=house()), catalog(a=house(), b=house("1"))
    (change,) = diff(old, new)
    assert render(change) == "~ line_item 1\n    moves from campaign a/c to campaign b/c"


def test_a_line_item_that_moves_and_changes_is_told_twice() -> None:
    old, new = catalog(a=house("1", "2")), catalog(a=house("2", "1", paused=True))
    assert told(old, new) == [("move", "line_item/2"), ("change", "line_item/2"), ("change", "line_item/1")]


def test_a_change_shows_each_key_before_and_after() -> None:
    price = {"name": "x", "tier": "price", "price": {"cpm": "4.50"}, "target": {"section": ["world"]}}
    dearer = price | {"price": {"cpm": "5"}, "target": {"section": ["world"], "not": {"topic": ["ü"]}}}
    old, new = (catalog(a={"name": "c", "line_item": [item]}) for item in (price, dearer | {"paused": True}))
    (change,) = diff(old, new)
    assert render(change).splitlines() == [
        "~ line_item x",
        '    price.cpm: "4.50" → "5.00"',
        "    paused: (not set) → true",
        '    target.not.topic: (not set) → ["ü"]',
    ]


def test_what_is_added_shows_its_keys_and_what_is_removed_only_its_name() -> None:
    added, removed = (
        Change("add", ("slot", "daily", "x"), None, {"name": "x", "sizes": ["1x1"]}),
        Change("remove", ("slot", "daily", "x"), {"name": "x", "sizes": ["1x1"]}, None),
    )
    assert render(added) == '+ slot daily/x\n    sizes: ["1x1"]'
    assert render(removed) == "- slot daily/x"
