"""Names from another ad server's history → the catalog with those that it lacked, ready to be reported on.

What is adopted never serves: line items are paused, creatives are placeholders that ad ops replace.
"""

from __future__ import annotations

from collections.abc import Collection

from pydantic import ValidationError

from adserver.catalog.creative import Creative
from adserver.catalog.model import Advertiser, Campaign, Catalog, LineItem, Site, Slot, Tier
from adserver.errors import Fault, InvalidInput

ADOPTED = "imported"
_SIZE = "1x1"


def adopt(catalog: Catalog, site: Site, slots: Collection[str], creatives: Collection[str]) -> Catalog:
    """The catalog with the named slots in a site and the named creatives, those missing made as placeholders.

    `site` is one of the catalog's, or a new one. Raises InvalidInput listing every name that is not a slug.
    """
    faults: list[Fault] = []
    known = {slot.name for slot in site.slot}
    new_slots = [_slot(name, faults) for name in slots if name not in known]
    have = {creative.name for _, _, item in catalog.line_items() for creative in item.creative}
    new_items = [_line_item(name, faults) for name in creatives if name not in have]
    if faults:
        raise InvalidInput(faults)
    grown = site.model_copy(update={"slot": (*site.slot, *(slot for slot in new_slots if slot))})
    sites = [grown if old.name == site.name else old for old in catalog.site]
    if site.name not in {old.name for old in catalog.site}:
        sites.append(grown)
    items = tuple(item for item in new_items if item)
    advertisers = _with_items(catalog.advertiser, items) if items else catalog.advertiser
    return Catalog(site=tuple(sites), advertiser=advertisers)


def new_site(facts: dict[str, str | None]) -> Site:
    """A site from its keys. Raises InvalidInput listing each that is wrong."""
    try:
        return Site.model_validate(facts)
    except ValidationError as error:
        raise InvalidInput(
            [
                Fault("", f"--{fault['loc'][0]}" if fault["loc"] else "", fault["msg"])
                for fault in error.errors()
            ]
        ) from None


def _slot(name: str, faults: list[Fault]) -> Slot | None:
    try:
        return Slot(name=name, sizes=(_SIZE,))
    except ValidationError:
        faults.append(Fault("", f"slot {name!r}", "is not a name: use a-z, 0-9, '.', '_' and '-'"))
        return None


def _line_item(name: str, faults: list[Fault]) -> LineItem | None:
    try:
        placeholder = Creative(name=name, kind="html", size=_SIZE, html="<!-- imported, not served -->")
        return LineItem(name=name, tier=Tier.HOUSE, paused=True, creative=(placeholder,))
    except ValidationError:
        faults.append(Fault("", f"creative {name!r}", "is not a name: use a-z, 0-9, '.', '_' and '-'"))
        return None


def _with_items(advertisers: tuple[Advertiser, ...], items: tuple[LineItem, ...]) -> tuple[Advertiser, ...]:
    """The advertisers with line items added to the campaign that collects what was imported."""
    old = next((known for known in advertisers if known.name == ADOPTED), Advertiser(name=ADOPTED))
    campaign = next((known for known in old.campaign if known.name == ADOPTED), Campaign(name=ADOPTED))
    grown = campaign.model_copy(update={"line_item": (*campaign.line_item, *items)})
    others = tuple(known for known in old.campaign if known.name != ADOPTED)
    new = old.model_copy(update={"campaign": (*others, grown)})
    return (*(known for known in advertisers if known.name != ADOPTED), new)
