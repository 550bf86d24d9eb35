"""What an object holds, copied under names of its own."""

from __future__ import annotations

from adserver.catalog.model import Catalog
from adserver.catalog.plan import Path, assemble, flatten
from adserver.editing.copying import copies
from adserver.editing.edits import Edit, edited
from adserver.engines.catalog_store import State
from tests.console.office import SAMPLE
from tests.newsroom import catalog_of, image, line_item


def copied(catalog: Catalog, source: Path, copy: Path) -> Catalog:
    entries = flatten(catalog)
    keys = {key: value for key, value in entries[source].body.items() if key != "name"}
    edits = [Edit("add", copy, keys, entries[source].parent), *copies(entries, source, copy)]
    return assemble(edited(State(1, entries, {}), edits))


def test_a_campaign_is_copied_with_all_in_it_paused_and_under_new_names() -> None:
    after = copied(SAMPLE, ("campaign", "himal-bank", "savings"), ("campaign", "himal-bank", "loans"))
    old, new = after.advertiser[0].campaign
    assert (new.name, new.caps) == ("loans", old.caps)
    (item,) = new.line_item
    assert (item.name, item.paused, item.goal) == ("loans-top", True, old.line_item[0].goal)
    (creative,) = item.creative
    assert (creative.name, creative.click) == ("loans-970", old.line_item[0].creative[0].click)


def test_names_that_are_taken_are_numbered_and_never_too_long() -> None:
    long = "x" * 63
    first = line_item("a", "house") | {"creative": [image("plain", "728x90"), image(long, "728x90")]}
    catalog = catalog_of(first, line_item("taken", "house") | {"creative": [image("plain-2", "300x250")]})
    after = copied(catalog, ("line_item", "a"), ("line_item", "b"))
    names = [creative.name for creative in after.advertiser[0].campaign[0].line_item[-1].creative]
    assert names == ["plain-3", "x" * 61 + "-2"]


def test_sites_and_advertisers_are_copied_whole() -> None:
    after = copied(SAMPLE, ("site", "daily"), ("site", "weekly"))
    assert [slot.name for slot in after.site[1].slot] == [slot.name for slot in after.site[0].slot]
    bank = copied(SAMPLE, ("advertiser", "himal-bank"), ("advertiser", "other-bank")).advertiser[1]
    assert [campaign.name for campaign in bank.campaign] == ["savings"]
    assert [item.name for item in bank.campaign[0].line_item] == ["savings-top-2"]
