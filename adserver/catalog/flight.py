"""Dates as ad ops write them, in the time zone of the sites they target ⇄ instants.

A naive `start` or `end` needs one time zone. Where the sites of a line item have several, or where clocks
jump over the time that was written, nothing is guessed: it is a fault that asks for an offset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from adserver.catalog.keys import Finding, Loc

_EXAMPLE = "2026-11-01T00:00:00"
#: What stands in for a time that has a fault, so that no second fault follows from the first.
_STAND_IN = {
    "start": datetime.min.replace(tzinfo=UTC),
    "end": datetime.max.replace(tzinfo=UTC),
}


def resolve_flights(tables: dict[str, Any]) -> list[Finding]:
    """Turn each `start` and `end` in a file's plain tables into an aware datetime, in place → faults."""
    zones = site_zones(tables)
    findings: list[Finding] = []
    for loc, item in _line_items(tables):
        for key, stand_in in _STAND_IN.items():
            if key not in item:
                continue
            at = _instant(item[key], item, zones)
            if isinstance(at, str):
                findings.append(((*loc, key), at))
            item[key] = at if isinstance(at, datetime) else stand_in
    return findings


def write_flight(item: dict[str, Any], zones: Mapping[str, ZoneInfo | None]) -> None:
    """Turn a line item's `start` and `end` into the site's own time where that says the same, in place."""
    for key in _STAND_IN:
        if key in item:
            item[key] = _local(item[key], _zones_of(item, zones))


def site_zones(tables: Mapping[str, Any]) -> dict[str, ZoneInfo | None]:
    """Name of each site → its time zone; None where that cannot be read, which is a fault of the site's."""
    zones = {}
    sites = tables.get("site", ())
    for site in sites if isinstance(sites, list | tuple) else ():
        if isinstance(site, Mapping) and isinstance(site.get("name"), str):
            zones[site["name"]] = _zone(site.get("timezone"))
    return zones


def _zone(name: Any) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError, AttributeError):
        return None


def _line_items(tables: Any) -> Iterator[tuple[Loc, dict[str, Any]]]:
    """Every line item that is at least a table."""
    for loc, advertiser in _elements(tables, (), "advertiser"):
        for campaign_loc, campaign in _elements(advertiser, loc, "campaign"):
            yield from _elements(campaign, campaign_loc, "line_item")


def _elements(table: dict[str, Any], loc: Loc, key: str) -> Iterator[tuple[Loc, dict[str, Any]]]:
    parts = table.get(key)
    for index, part in enumerate(parts if isinstance(parts, list) else []):
        if isinstance(part, dict):
            yield (*loc, key, index), part


def _zones_of(item: Mapping[str, Any], zones: Mapping[str, ZoneInfo | None]) -> set[ZoneInfo | None]:
    """The time zones of the sites that a line item targets, or of all sites; None for unknown ones."""
    target = item.get("target")
    wanted = target.get("site") if isinstance(target, Mapping) else None
    if wanted is None:
        return set(zones.values())
    names: Iterable[Any] = wanted if isinstance(wanted, list | tuple) else [wanted]
    return {zones.get(name) if isinstance(name, str) else None for name in names}


def _instant(
    value: Any, item: Mapping[str, Any], zones: Mapping[str, ZoneInfo | None]
) -> datetime | str | None:
    """An instant, a sentence about what is wrong, or None when that is said elsewhere."""
    if isinstance(value, datetime):
        return value if value.tzinfo else _from_local(value, _zones_of(item, zones))
    if isinstance(value, date):
        return f"{value} has no time of day; write {value}T00:00:00"
    if isinstance(value, time):
        return f"{value} has no date; write a date and time such as {_EXAMPLE}"
    if isinstance(value, str):
        return f"{value[:40]!r} is text; write a date and time without quotes, such as {_EXAMPLE}"
    return f"is not a date and time such as {_EXAMPLE}"


def _from_local(local: datetime, zones: set[ZoneInfo | None]) -> datetime | str | None:
    if None in zones:
        return None
    names = sorted(str(zone) for zone in zones)
    if len(names) != 1:
        why = f"its sites are in different time zones ({', '.join(names)})" if names else "there is no site"
        return f"{why}; give an offset such as {local.isoformat()}+05:45"
    (zone,) = zones
    try:
        at = local.replace(tzinfo=zone).astimezone(UTC)
        exists = at.astimezone(zone).replace(tzinfo=None) == local
    except OverflowError:
        return "is outside the years 1 to 9999 in UTC"
    if not exists:
        return f"{local.isoformat()} does not exist in {names[0]}: clocks jump over it"
    return at


def _local(at: datetime, zones: set[ZoneInfo | None]) -> datetime:
    if len(zones) != 1:
        return at
    (zone,) = zones
    try:
        local = at.astimezone(zone).replace(tzinfo=None, fold=0)
    except OverflowError:
        return at
    return local if _from_local(local, zones) == at else at
