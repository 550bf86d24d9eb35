"""Catalog and page request → who may serve, by a plain loop: slow, obvious, and apart from the index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from adserver.catalog.creative import Creative
from adserver.catalog.model import Catalog, LineItem, PriceModel, Site, Slot, Tier, live_at
from adserver.catalog.targeting import Conditions, Facts, Group, Target, parse_hours
from adserver.decision.context import Ask, Context
from adserver.decision.index import EXPECTED_CONVERSION_RATE


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
    if not {creative.size for creative in drawable(item, context)} & set(sizes(slot, ask)):
        yield "sizes"
    if _below_floor(item, slot, expected_ctr):
        yield "floor"
    if item.tier is Tier.NETWORK and not getattr(context, "network", True):
        yield "network"
    if any(topic in site.exclude_topics and topic not in item.allow_topics for topic in context.topics):
        yield "sensitive"
    yield from _misplaced(item.target, site, slot, now)
    yield from target_failures(item.target, page_of(context))


def drawable(item: LineItem, context: Context) -> list[Creative]:
    """The creatives that may be drawn on a page, sizes apart."""
    theme = getattr(context, "theme", None)
    return [creative for creative in item.creative if creative.approved and creative.theme in (None, theme)]


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
        PriceModel.CPA: round(1000 * price.micros * EXPECTED_CONVERSION_RATE),
    }
    return ecpm[price.model] < slot.floor


def _misplaced(target: Target, site: Site, slot: Slot, now: datetime) -> Iterator[str]:
    """The rules about place and time."""
    exclude = target.exclude or Conditions()
    if target.site is not None and site.name not in target.site:
        yield "site"
    if target.slot is not None and slot.name not in target.slot:
        yield "slot"
    if target.hours is not None and not _in_hours(target.hours, site, now):
        yield "hours"
    if site.name in (exclude.site or ()):
        yield "not.site"
    if slot.name in (exclude.slot or ()):
        yield "not.slot"
    if exclude.hours is not None and _in_hours(exclude.hours, site, now):
        yield "not.hours"


def _in_hours(hours: tuple[str, ...], site: Site, now: datetime) -> bool:
    local = now.astimezone(site.zone)
    minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
    return any(start <= minute < end for text in hours for start, end in parse_hours(text))


class Page(NamedTuple):
    """What a target looks at of a page request; None is unknown."""

    section: str | None
    topics: Sequence[str]
    values: Mapping[str, str | Sequence[str]]
    url: str | None
    country: str | None
    device: str | None


def page_of(context: Context) -> Page:
    """What a target looks at of a context."""
    url = getattr(context, "url", None)
    return Page(context.section, context.topics, context.values or {}, url, context.country, context.device)


def target_failures(target: Target | Group, page: Page) -> Iterator[str]:
    """Every rule that a page fails, site, slot and hours apart."""
    yield from (name for name, _, matched in _looks(target, page) if not matched)
    if target.exclude:
        # What every visit has but is unknown here cannot be known to be something else.
        yield from (
            f"not.{name}" for name, known, matched in _looks(target.exclude, page) if matched or not known
        )
    if target.any and not any(not list(target_failures(group, page)) for group in target.any):
        yield "any"
    if target.all and not all(not list(target_failures(group, page)) for group in target.all):
        yield "all"


def _looks(facts: Facts, page: Page) -> Iterator[tuple[str, bool, bool]]:
    """Each dimension that is looked at, whether the page's fact is known, and whether it is a listed one."""
    address = _address(page.url)
    if facts.section is not None:
        yield "section", True, bool(page.section) and _like(page.section, facts.section)
    if facts.topic is not None:
        yield "topic", True, bool(set(facts.topic) & set(page.topics))
    if facts.url is not None:
        yield "url", address is not None, _like(address, facts.url)
    if facts.country is not None:
        yield "country", page.country is not None, page.country in facts.country
    if facts.device is not None:
        yield "device", page.device is not None, page.device in facts.device
    for key, wanted in (facts.values or {}).items():
        given = page.values.get(key, ())
        yield f"values.{key}", True, bool(set(wanted) & ({given} if isinstance(given, str) else set(given)))


def _like(text: str | None, patterns: Sequence[str]) -> bool:
    return text is not None and any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) for pattern in patterns
    )


def _address(url: str | None) -> str | None:
    parts = urlsplit(url or "")
    return f"{parts.hostname}/{unquote(parts.path).removeprefix('/')}" if parts.hostname else None
