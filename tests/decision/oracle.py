"""Catalog and page request → who may serve, by a plain loop: slow, obvious, and apart from the index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from adserver.catalog.model import Catalog, LineItem, PriceModel, Site, Slot, Tier, live_at
from adserver.catalog.targeting import Conditions, parse_hours
from adserver.decision.context import Ask, Context


def passing(catalog: Catalog, context: Context, ask: Ask, now: datetime, *, expected_ctr: float) -> set[str]:
    """Names of the line items that may serve in a slot of a page at an instant."""
    site = next(site for site in catalog.site if site.name == context.site)
    slot = next(slot for slot in site.slot if slot.name == ask.slot)
    return {
        item.name
        for _, _, item in catalog.line_items()
        if not list(failures(item, site, slot, context, ask, now, expected_ctr))
    }


def failures(
    item: LineItem, site: Site, slot: Slot, context: Context, ask: Ask, now: datetime, expected_ctr: float
) -> Iterator[str]:
    """Every rule that a line item fails."""
    if not live_at(item, now):
        yield "dates"
    if not {creative.size for creative in item.creative} & set(sizes(slot, ask)):
        yield "sizes"
    if _below_floor(item, slot, expected_ctr):
        yield "floor"
    if any(topic in site.exclude_topics and topic not in item.allow_topics for topic in context.topics):
        yield "topic"
    yield from _wanted(item.target, site, slot, context, now)
    if item.target.exclude:
        yield from _unwanted(item.target.exclude, site, slot, context, now)


def sizes(slot: Slot, ask: Ask) -> list[str]:
    """The slot's sizes that the page can show."""
    return [
        size
        for size in slot.sizes
        if (ask.sizes is None or size in ask.sizes)
        and (ask.width is None or int(size.split("x")[0]) <= ask.width)
    ]


def _below_floor(item: LineItem, slot: Slot, expected_ctr: float) -> bool:
    price = item.price
    if item.tier is Tier.HOUSE or price is None or price.model is PriceModel.FLAT:
        return False
    ecpm = {
        PriceModel.CPM: price.micros,
        PriceModel.VCPM: price.micros,
        PriceModel.CPC: round(1000 * price.micros * expected_ctr),
        PriceModel.CPA: 0,
    }
    return ecpm[price.model] < slot.floor


def _values(context: Context, key: str) -> set[str]:
    given = (context.values or {}).get(key, ())
    return {given} if isinstance(given, str) else set(given)


def _in_hours(hours: tuple[str, ...], site: Site, now: datetime) -> bool:
    local = now.astimezone(site.zone)
    minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
    return any(start <= minute < end for text in hours for start, end in parse_hours(text))


def _wanted(target: Conditions, site: Site, slot: Slot, context: Context, now: datetime) -> Iterator[str]:
    if target.site is not None and site.name not in target.site:
        yield "site"
    if target.slot is not None and slot.name not in target.slot:
        yield "slot"
    if target.section is not None and context.section not in target.section:
        yield "section"
    if target.topic is not None and not set(target.topic) & set(context.topics):
        yield "topics"
    if target.country is not None and context.country not in target.country:
        yield "country"
    if target.device is not None and context.device not in target.device:
        yield "device"
    if target.hours is not None and not _in_hours(target.hours, site, now):
        yield "hours"
    for key, wanted in (target.values or {}).items():
        if not set(wanted) & _values(context, key):
            yield f"values.{key}"


def _unwanted(target: Conditions, site: Site, slot: Slot, context: Context, now: datetime) -> Iterator[str]:
    if target.site is not None and site.name in target.site:
        yield "not.site"
    if target.slot is not None and slot.name in target.slot:
        yield "not.slot"
    if target.section is not None and context.section in target.section:
        yield "not.section"
    if target.topic is not None and set(target.topic) & set(context.topics):
        yield "not.topics"
    if target.country is not None and (context.country is None or context.country in target.country):
        yield "not.country"
    if target.device is not None and (context.device is None or context.device in target.device):
        yield "not.device"
    if target.hours is not None and _in_hours(target.hours, site, now):
        yield "not.hours"
    for key, wanted in (target.values or {}).items():
        if set(wanted) & _values(context, key):
            yield f"not.values.{key}"
