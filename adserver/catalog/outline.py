"""Plain tables of a catalog, right or wrong → the names, references and sizes in them that can be read.

Faults between objects shall be reported together with faults inside them. So they are looked for in whatever
can be read of the file, and what cannot be read is left out: it has a fault of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adserver.catalog.keys import Loc


@dataclass(frozen=True, slots=True)
class Named:
    """Something that has, or should have, a name."""

    loc: Loc
    name: str | None


@dataclass(frozen=True, slots=True)
class SlotOutline(Named):
    """A slot, its site's name and its sizes."""

    site: str | None
    sizes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SellerOutline(Named):
    """A site's seller: its id, and all else that is said of it."""

    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CreativeOutline(Named):
    """A creative and its size; None when it cannot be read."""

    size: str | None


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in a target."""

    loc: Loc
    name: str


@dataclass(frozen=True, slots=True)
class AdvertiserOutline(Named):
    """An advertiser and the sites on which it may be sold; None: on all."""

    sites: tuple[Reference, ...] | None


@dataclass(frozen=True, slots=True)
class ItemOutline(Named):
    """A line item: what it targets of sites and slots (None: any), what it excludes, and its creatives."""

    sites: tuple[Reference, ...] | None
    slots: tuple[Reference, ...] | None
    not_sites: tuple[Reference, ...]
    not_slots: tuple[Reference, ...]
    creatives: tuple[CreativeOutline, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """All that refers to each other in a catalog."""

    sites: tuple[Named, ...]
    sellers: tuple[SellerOutline, ...]
    slots: tuple[SlotOutline, ...]
    advertisers: tuple[AdvertiserOutline, ...]
    campaigns: tuple[Named, ...]
    items: tuple[ItemOutline, ...]


def outline(tables: Any) -> Outline:
    """Read what can be read, in file order."""
    sites = list(_tables(tables, (), "site"))
    advertisers = list(_tables(tables, (), "advertiser"))
    campaigns = [found for loc, table in advertisers for found in _tables(table, loc, "campaign")]
    items = [found for loc, table in campaigns for found in _tables(table, loc, "line_item")]
    return Outline(
        sites=tuple(Named(loc, _name(table)) for loc, table in sites),
        sellers=tuple(_seller(loc, table) for loc, table in sites if table.get("seller") is not None),
        slots=tuple(
            SlotOutline(loc, _name(table), _name(site), _texts(table.get("sizes")))
            for site_loc, site in sites
            for loc, table in _tables(site, site_loc, "slot")
        ),
        advertisers=tuple(
            AdvertiserOutline(loc, _name(table), _references(table, loc, "sites") or None)
            for loc, table in advertisers
        ),
        campaigns=tuple(Named(loc, _name(table)) for loc, table in campaigns),
        items=tuple(_item(loc, table) for loc, table in items),
    )


def _seller(loc: Loc, site: Mapping[str, Any]) -> SellerOutline:
    seller = _table(site.get("seller"))
    said = {key: value for key, value in seller.items() if key != "id" and value not in (None, False)}
    return SellerOutline((*loc, "seller"), _text(seller.get("id")) or _name(site), said)


def _item(loc: Loc, table: Mapping[str, Any]) -> ItemOutline:
    target = _table(table.get("target"))
    unwanted = _table(target.get("not"))
    return ItemOutline(
        loc,
        _name(table),
        sites=_references(target, (*loc, "target"), "site"),
        slots=_references(target, (*loc, "target"), "slot"),
        not_sites=_references(unwanted, (*loc, "target", "not"), "site") or (),
        not_slots=_references(unwanted, (*loc, "target", "not"), "slot") or (),
        creatives=tuple(
            CreativeOutline(creative_loc, _name(creative), _text(creative.get("size")))
            for creative_loc, creative in _tables(table, loc, "creative")
        ),
    )


def _tables(table: Any, loc: Loc, key: str) -> Iterator[tuple[Loc, Mapping[str, Any]]]:
    parts = _table(table).get(key)
    if isinstance(parts, list | tuple):
        for index, part in enumerate(parts):
            if isinstance(part, Mapping):
                yield (*loc, key, index), part


def _references(conditions: Mapping[str, Any], loc: Loc, key: str) -> tuple[Reference, ...] | None:
    value = conditions.get(key)
    if isinstance(value, str):
        return (Reference((*loc, key), value),)
    if not isinstance(value, list | tuple):
        return None
    return tuple(
        Reference((*loc, key, index), name) for index, name in enumerate(value) if isinstance(name, str)
    )


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _name(table: Mapping[str, Any]) -> str | None:
    return _text(table.get("name"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return tuple(text for text in value if isinstance(text, str)) if is_list else ()
