"""A catalog → what is wrong between its objects (faults, refused), and what is allowed but looks unintended
(warnings, shown).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from adserver.catalog.fields import FILL_MACRO
from adserver.catalog.keys import Finding, Loc, readable, to_faults
from adserver.catalog.model import Cap, Catalog, LineItem, PriceModel, Slot, Tier
from adserver.catalog.nearest import nearest
from adserver.catalog.outline import (
    AdvertiserOutline,
    ItemOutline,
    Named,
    Outline,
    Reference,
    SellerOutline,
    SlotOutline,
    outline,
)
from adserver.errors import Fault
from adserver.money import format_micros

_MACRO = re.compile(r"\{[a-z_]{1,20}\}")
#: Shares are sums of binary fractions: 0.7 + 0.2 + 0.1 must not be more than 1.
_SHARE_TOLERANCE = 1e-9


def check(catalog: Catalog, file: str) -> list[Fault]:
    """All faults between the objects of a catalog, in file order; empty when it may be applied."""
    tables = catalog.model_dump(by_alias=True)
    return to_faults(tables, cross_findings(tables), file)


def warn(catalog: Catalog, file: str, now: datetime) -> list[Fault]:
    """What is allowed in a catalog without faults but looks unintended."""
    tables = catalog.model_dump(by_alias=True)
    found = outline(tables)
    findings = [*_unlikely(catalog, found, now), *_oversold(catalog, found), *_idle_caps(catalog)]
    findings += _macros(catalog, found)
    return to_faults(tables, findings, file)


def cross_findings(tables: Any) -> list[Finding]:
    """Faults between objects in the plain tables of a catalog, which may have faults inside objects too."""
    found = outline(tables)
    creatives = [creative for item in found.items for creative in item.creatives]
    findings: list[Finding] = []
    families: list[Sequence[Named]] = [found.sites, found.advertisers, found.items, creatives]
    families += [*_by_parent(found.slots), *_by_parent(found.campaigns)]
    for parts in families:
        findings += _repeated(tables, parts)
    findings += _sellers(tables, found.sellers)
    for advertiser in found.advertisers:
        findings += _beyond_its_sites(found, advertiser)
    for item in found.items:
        dangling = list(_dangling(found, item))
        findings += dangling or _misfits(found, item)
    return findings


def _by_parent(parts: Iterable[Named]) -> Iterable[list[Named]]:
    families: dict[Loc, list[Named]] = {}
    for part in parts:
        families.setdefault(part.loc[:-2], []).append(part)
    return families.values()


def _repeated(tables: Any, parts: Iterable[Named]) -> Iterator[Finding]:
    first: dict[str, Loc] = {}
    for part in parts:
        if part.name is None:
            continue
        if part.name in first:
            owner = readable(tables, first[part.name])
            yield (*part.loc, "name"), f"{part.name!r} is already the name of {owner}"
        else:
            first[part.name] = part.loc


def _sellers(tables: Any, sellers: Iterable[SellerOutline]) -> Iterator[Finding]:
    """Sites with one seller id have one seller, so they must say the same of it."""
    first: dict[str, SellerOutline] = {}
    for seller in sellers:
        if seller.name is None:
            continue
        other = first.setdefault(seller.name, seller)
        if other.said != seller.said:
            owner = readable(tables, other.loc)
            yield seller.loc, f"says other things of seller {seller.name!r} than {owner}"


def _dangling(found: Outline, item: ItemOutline) -> Iterator[Finding]:
    """Sites and slots that a line item names and that are not there."""
    yield from _unknown("site", (*(item.sites or ()), *item.not_sites), found.sites)
    yield from _unknown("slot", (*(item.slots or ()), *item.not_slots), found.slots)
    targeted = _targeted_sites(found, item)
    for reference in item.slots or ():
        owners = sorted(str(slot.site) for slot in found.slots if slot.name == reference.name)
        if targeted and owners and not targeted.intersection(owners):
            yield (
                reference.loc,
                f"slot {reference.name!r} is on no site that is targeted (it is on {', '.join(owners)})",
            )


def _beyond_its_sites(found: Outline, advertiser: AdvertiserOutline) -> Iterator[Finding]:
    """Line items that would serve where their advertiser is not sold, and sites that are not there."""
    if advertiser.sites is None:
        return
    yield from _unknown("site", advertiser.sites, found.sites)
    own, known = _names(advertiser.sites), {site.name for site in found.sites}
    only = f"advertiser {advertiser.name!r} is sold on {', '.join(sorted(own))} only"
    for item in found.items:
        if item.loc[:2] != advertiser.loc:
            continue
        if item.sites is None:
            yield (*item.loc, "target"), f"names no site, but {only}"
        for reference in item.sites or ():
            if reference.name in known and reference.name not in own:
                yield reference.loc, f"is {reference.name!r}, but {only}"


def _unknown(kind: str, references: Iterable[Reference], parts: Sequence[Named]) -> Iterator[Finding]:
    known = {part.name for part in parts}
    if None in known:  # The name that is meant may be the one that cannot be read.
        return
    for reference in references:
        if reference.name not in known:
            yield reference.loc, f"there is no {kind} {reference.name!r}{nearest(reference.name, known)}"


def _misfits(found: Outline, item: ItemOutline) -> Iterator[Finding]:
    offered = {size for slot in reach(found, item) for size in slot.sizes}
    sizes = {creative.size for creative in item.creatives}
    if offered and sizes and None not in sizes and not offered & sizes:
        drawn = ", ".join(sorted(map(str, sizes)))
        yield (
            (*item.loc, "creative"),
            f"no creative has a size that its slots offer (creatives: {drawn}; "
            f"slots: {', '.join(sorted(offered))})",
        )


def _targeted_sites(found: Outline, item: ItemOutline) -> set[str]:
    known = {site.name for site in found.sites if site.name is not None}
    wanted = known if item.sites is None else known & _names(item.sites)
    return wanted - _names(item.not_sites)


def reach(found: Outline, item: ItemOutline) -> list[SlotOutline]:
    """The slots in which a line item may serve as far as sites and slots go."""
    sites = _targeted_sites(found, item)
    wanted, unwanted = None if item.slots is None else _names(item.slots), _names(item.not_slots)
    return [
        slot
        for slot in found.slots
        if slot.site in sites and (wanted is None or slot.name in wanted) and slot.name not in unwanted
    ]


def _names(references: Iterable[Reference]) -> set[str]:
    return {reference.name for reference in references}


def _unlikely(catalog: Catalog, found: Outline, now: datetime) -> Iterator[Finding]:
    """Line items, and creatives of theirs, that cannot serve."""
    slots = _slots_by_loc(catalog)
    for (_, _, item), place in zip(catalog.line_items(), found.items, strict=True):
        reached = [slots[slot.loc] for slot in reach(found, place)]
        if item.end is not None and item.end <= now:
            yield (*place.loc, "end"), "the flight has ended"
        if not item.creative:
            yield place.loc, "has no creative, so it never serves"
        elif not any(creative.approved for creative in item.creative):
            yield (*place.loc, "creative"), "none is approved, so it never serves"
        if not reached:
            yield (*place.loc, "target"), "there is no slot that it can reach"
            continue
        for key in ("together", "companions"):
            if getattr(item, key) and _most_on_a_page(reach(found, place)) < 2:
                yield (*place.loc, key), "it can reach only one slot of a page"
        offered = {size for slot in reached for size in slot.sizes}
        for creative, creative_place in zip(item.creative, place.creatives, strict=True):
            if creative.size not in offered:
                yield creative_place.loc, f"none of its slots offers its size {creative.size}"
        yield from _too_dear(item, place.loc)
        fitting = [slot for slot in reached if {c.size for c in item.creative} & set(slot.sizes)]
        yield from _too_cheap(item, place.loc, fitting)


def _most_on_a_page(slots: Iterable[SlotOutline]) -> int:
    return max(Counter(slot.site for slot in slots).values(), default=0)


def _too_dear(item: LineItem, loc: Loc) -> Iterator[Finding]:
    """A flat day for which there is never room."""
    flat = item.price.flat if item.price else None
    for key in ("budget", "daily_budget"):
        budget = getattr(item, key)
        if flat is not None and budget is not None and flat > budget:
            what = f"a day at {format_micros(flat)} is more than {key} {format_micros(budget)}"
            yield (*loc, "price", "flat"), f"{what}, so it never serves"


def _too_cheap(item: LineItem, loc: Loc, slots: Sequence[Slot]) -> Iterator[Finding]:
    price = item.price
    if not slots or price is None or item.tier is Tier.HOUSE:
        return
    lowest = min(slot.floor for slot in slots)
    if price.model in (PriceModel.CPM, PriceModel.VCPM) and price.micros < lowest:
        yield (
            (*loc, "price", price.model),
            f"{format_micros(price.micros)} is below the floor of every slot that it can reach "
            f"(the lowest is {format_micros(lowest)})",
        )


def _slots_by_loc(catalog: Catalog) -> dict[Loc, Slot]:
    return {
        ("site", i, "slot", j): slot
        for i, site in enumerate(catalog.site)
        for j, slot in enumerate(site.slot)
    }


def _oversold(catalog: Catalog, found: Outline) -> Iterator[Finding]:
    """Slots of which more than the whole is promised to sponsors at one time."""
    promises: dict[Loc, list[LineItem]] = {}
    for (_, _, item), place in zip(catalog.line_items(), found.items, strict=True):
        if item.tier is Tier.SPONSORSHIP and not item.paused:
            for slot in reach(found, place):
                promises.setdefault(slot.loc, []).append(item)
    for loc, items in promises.items():
        total, names = _most_promised(items)
        if total > 1 + _SHARE_TOLERANCE:
            yield (
                loc,
                f"sponsorships whose flights overlap have shares of {total:g} together "
                f"({', '.join(names)}); unless their other targeting keeps them apart, each gets less",
            )


def _most_promised(items: Sequence[LineItem]) -> tuple[float, list[str]]:
    """The highest sum of shares at any one time, and whose they are then."""
    steps = [(item.start or _EVER[0], 1, item) for item in items]
    steps += [(item.end or _EVER[1], 0, item) for item in items]
    active: dict[str, float] = {}
    most: tuple[float, list[str]] = (0.0, [])
    # Ends come before starts at the same instant, because flights are half-open.
    for _, begins, item in sorted(steps, key=lambda step: step[:2]):
        if begins:
            active[item.name] = item.share or 0.0
            most = max(most, (sum(active.values()), list(active)), key=lambda pair: pair[0])
        else:
            active.pop(item.name, None)
    return most


_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def _macros(catalog: Catalog, found: Outline) -> Iterator[Finding]:
    """Click URLs whose macros are none, and line items paid by orders of which nobody can report one."""
    for (_, _, item), place in zip(catalog.line_items(), found.items, strict=True):
        clicks = [creative.click or "" for creative in item.creative]
        for click, creative_place in zip(clicks, place.creatives, strict=True):
            for macro in sorted({*_MACRO.findall(click)} - {FILL_MACRO}):
                yield (*creative_place.loc, "click"), f"{macro} stands for nothing; {FILL_MACRO} is the fill"
        paid = item.price is not None and item.price.model is PriceModel.CPA
        if paid and clicks and not any(FILL_MACRO in click for click in clicks):
            yield (
                (*place.loc, "price", "cpa"),
                f"no click URL of its creatives has {FILL_MACRO}, by which the advertiser reports an order",
            )


def _idle_caps(catalog: Catalog) -> Iterator[Finding]:
    """Caps that no visitor can reach, because another allows no more within a longer time."""
    for i, advertiser in enumerate(catalog.advertiser):
        for j, campaign in enumerate(advertiser.campaign):
            loc: Loc = ("advertiser", i, "campaign", j)
            yield from _never_reached(campaign.caps, campaign.caps, loc)
            for k, item in enumerate(campaign.line_item):
                yield from _never_reached(item.caps, (*item.caps, *campaign.caps), (*loc, "line_item", k))


def _never_reached(caps: Sequence[Cap], others: Sequence[Cap], loc: Loc) -> Iterator[Finding]:
    for index, cap in enumerate(caps):
        tighter = [
            other
            for other in others
            if other.impressions <= cap.impressions
            and other.seconds >= cap.seconds
            and (other.impressions, other.seconds) != (cap.impressions, cap.seconds)
        ]
        if tighter:
            yield (
                (*loc, "caps", index),
                f"{cap.impressions} per {cap.per} is never reached: "
                f"{tighter[0].impressions} per {tighter[0].per} comes first",
            )
