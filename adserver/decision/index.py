"""A catalog version → an immutable index from which eligible line items are found with a few bitwise ands.

Bit i of a bitmap stands for line item i. Line items are sorted by tier, then by what they pay, so that the
lowest set bit of an eligible bitmap is the best of its tier. Python's integers make these bitmaps fast: an
`and` over 10,000 line items costs about as much as a dictionary lookup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from adserver.catalog.model import Catalog, LineItem, PriceModel, Site, Slot, Tier
from adserver.catalog.targeting import Conditions
from adserver.decision.context import Choice, Context
from adserver.decision.timetable import Flights, Hours

#: Ids of catalog objects by kind and names, such as ("slot", "daily", "article-top").
Ids = Mapping[tuple[str, ...], int]


@dataclass(slots=True)
class Dimension:
    """Bitmaps of one dimension: who accepts which value, and who excludes it."""

    accept: dict[str, int] = field(default_factory=dict)
    """Value → the line items that list it, and those that accept any."""
    rest: int = 0
    """The line items that accept any value, and so also an unknown one."""
    exclude: dict[str, int] = field(default_factory=dict)
    excluding: int = 0
    """The line items that exclude some value."""

    def known(self, value: str) -> bool:
        """Whether any line item tells this value from others."""
        return value in self.accept or value in self.exclude

    def one(self, value: str | None) -> int:
        """Who may serve, given a fact that every visitor has. Unknown fails lists and `not` lists alike."""
        if value is None:
            return self.rest & ~self.excluding
        return self.accept.get(value, self.rest) & ~self.exclude.get(value, 0)

    def many(self, values: Iterable[str]) -> int:
        """Who may serve, given all the values that a page has (none is possible and known)."""
        accepted, excluded = self.rest, 0
        for value in values:
            accepted |= self.accept.get(value, 0)
            excluded |= self.exclude.get(value, 0)
        return accepted & ~excluded


def _dimension(wanted: Sequence[Sequence[str] | None], unwanted: Sequence[Sequence[str] | None]) -> Dimension:
    """Values that each line item (by position) lists, and those that it excludes → their dimension."""
    dimension = Dimension()
    listed: dict[str, int] = {}
    for i, (accepts, excludes) in enumerate(zip(wanted, unwanted, strict=True)):
        bit = 1 << i
        if accepts is None:
            dimension.rest |= bit
        for value in accepts or ():
            listed[value] = listed.get(value, 0) | bit
        for value in excludes or ():
            dimension.exclude[value] = dimension.exclude.get(value, 0) | bit
            dimension.excluding |= bit
    dimension.accept = {value: bits | dimension.rest for value, bits in listed.items()}
    return dimension


@dataclass(frozen=True, slots=True)
class IndexedSlot:
    """A slot with, per size, the line items that have a creative for it and are meant for this slot."""

    slot: Slot
    id: int
    fitting: Mapping[str, int]
    paying: int
    """The line items whose price is not below the slot's floor."""


@dataclass(frozen=True, slots=True)
class IndexedSite:
    """A site with its slots, and per sensitive topic the line items that did not opt in to it."""

    site: Site
    zone: ZoneInfo
    slots: Mapping[str, IndexedSlot]
    sensitive: Mapping[str, int]


PageKey = tuple[str, str | None, tuple[str, ...], tuple[tuple[str, str], ...], str | None, str | None]


class Index:
    """Everything that `decide` reads; built off the request path and never changed."""

    def __init__(self, catalog: Catalog, ids: Ids, version: int, *, expected_ctr: float) -> None:
        ranked = sorted(
            (item for _, _, item in catalog.line_items() if item.creative),
            key=lambda item: (TIERS.index(item.tier), -ecpm_micros(item, expected_ctr), item.name),
        )
        self.version = version
        self.items: Sequence[LineItem] = tuple(ranked)
        self.daily_goals = tuple(daily_goal(item) for item in ranked)
        self.ecpms = tuple(ecpm_micros(item, expected_ctr) for item in ranked)
        self.choices = tuple(tuple(_choices(item, ids)) for item in ranked)
        self.tiers = {tier: _bits([item.tier is tier for item in ranked]) for tier in TIERS}
        self.peers = _peers(ranked, self.ecpms)
        self.flights, self.hours = Flights(ranked), Hours(ranked)
        targets = [item.target for item in ranked]
        nots = [target.exclude or Conditions() for target in targets]
        site, slot = ([getattr(c, name) for c in targets] for name in ("site", "slot"))
        site_of = _dimension(site, [c.site for c in nots])
        slot_of = _dimension(slot, [c.slot for c in nots])
        self.section = _dimension([c.section for c in targets], [c.section for c in nots])
        self.topic = _dimension([c.topic for c in targets], [c.topic for c in nots])
        self.country = _dimension([c.country for c in targets], [c.country for c in nots])
        self.device = _dimension([c.device for c in targets], [c.device for c in nots])
        keys = sorted({key for c in (*targets, *nots) for key in c.values or ()})
        self.values = {
            key: _dimension(
                [(c.values or {}).get(key) for c in targets], [(c.values or {}).get(key) for c in nots]
            )
            for key in keys
        }
        self.sites = {s.name: self._site(s, ids, site_of.one(s.name), slot_of) for s in catalog.site}

    def _site(self, site: Site, ids: Ids, here: int, slot_of: Dimension) -> IndexedSite:
        sizes: dict[str, int] = {}
        for i, item in enumerate(self.items):
            if here >> i & 1:
                for size in {creative.size for creative in item.creative}:
                    sizes[size] = sizes.get(size, 0) | 1 << i
        slots = {
            slot.name: IndexedSlot(
                slot=slot,
                id=ids["slot", site.name, slot.name],
                fitting={size: sizes.get(size, 0) & slot_of.one(slot.name) for size in slot.sizes},
                paying=self._paying(slot.floor),
            )
            for slot in site.slot
        }
        sensitive = {
            topic: _bits(topic not in item.allow_topics for item in self.items)
            for topic in site.exclude_topics
        }
        return IndexedSite(site, site.zone, slots, sensitive)

    def _paying(self, floor_micros: int) -> int:
        """House ads, and line items without a price per event, have nothing to compare with a floor."""
        return _bits(
            item.tier is Tier.HOUSE
            or item.price is None
            or item.price.model is PriceModel.FLAT
            or ecpm >= floor_micros
            for item, ecpm in zip(self.items, self.ecpms, strict=True)
        )

    def page_key(self, context: Context) -> PageKey:
        """The facts that some line item tells apart: bounded by the catalog, not by the request."""
        known_topic, sensitive = self.topic.known, self.sites[context.site].sensitive
        section = context.section
        values = tuple(sorted(self._known_values(context.values))) if context.values and self.values else ()
        topics = tuple(sorted({t for t in context.topics if known_topic(t) or t in sensitive}))
        country = context.country
        return (
            context.site,
            section if section is not None and self.section.known(section) else None,
            topics,
            values,
            country if country is None or self.country.known(country) else "",
            context.device,
        )

    def _known_values(self, values: Mapping[str, str | Sequence[str]]) -> Iterator[tuple[str, str]]:
        for key, given in values.items():
            dimension = self.values.get(key)
            if dimension:
                texts = {given} if isinstance(given, str) else set(given)
                yield from ((key, text) for text in texts if dimension.known(text))

    def targeted(self, key: PageKey) -> int:
        """Bitmap of the line items whose targeting a page request passes, site, slot and time apart."""
        _, section, topics, values, country, device = key
        bits = self.section.many(() if section is None else (section,))
        bits &= self.topic.many(topics) & self.country.one(country) & self.device.one(device)
        for name, dimension in self.values.items():
            bits &= dimension.many(text for key_name, text in values if key_name == name)
        return bits

    def sensitive_to(self, key: PageKey) -> int:
        """Bitmap of the line items kept away by the page's sensitive topics."""
        sensitive = self.sites[key[0]].sensitive
        bits = 0
        for topic in key[2]:
            bits |= sensitive.get(topic, 0)
        return bits


TIERS = tuple(Tier)
_DAY_SECONDS = 86_400


def ecpm_micros(item: LineItem, expected_ctr: float) -> int:
    """What a thousand impressions of a line item are expected to earn, in micros.

    Clicks at the expected click-through rate, viewable impressions as if every impression were. A flat day
    and, until conversions are counted, a conversion have no such figure: 0.
    """
    if item.price is None:
        return 0
    if item.price.model is PriceModel.CPC:
        return round(1000 * item.price.micros * expected_ctr)
    return item.price.micros if item.price.model in (PriceModel.CPM, PriceModel.VCPM) else 0


def daily_goal(item: LineItem) -> float:
    """What a line item has to deliver per day of its flight, on average; 0 without a goal and dates."""
    if not (item.goal and item.start and item.end):
        return 0.0
    goal = item.goal.impressions or item.goal.viewables or item.goal.clicks or 0
    return goal * _DAY_SECONDS / (item.end - item.start).total_seconds()


def _choices(item: LineItem, ids: Ids) -> Iterator[Choice]:
    model, micros = (item.price.model, item.price.per_event_micros) if item.price else (None, 0)
    for creative in item.creative:
        yield Choice(
            item,
            creative,
            ids["line_item", item.name],
            ids["creative", creative.name],
            model=model,
            price_micros=micros,
        )


def _peers(items: Sequence[LineItem], ecpms: Sequence[int]) -> Mapping[tuple[Tier, int], int]:
    """(tier, eCPM) → the line items that draw lots among each other."""
    peers: dict[tuple[Tier, int], int] = {}
    for i, (item, ecpm) in enumerate(zip(items, ecpms, strict=True)):
        peers[item.tier, ecpm] = peers.get((item.tier, ecpm), 0) | 1 << i
    return peers


def _bits(flags: Iterable[bool]) -> int:
    """Flags by position → bitmap. By way of text: adding bits one by one is quadratic in their number."""
    text = "".join("1" if flag else "0" for flag in flags)
    return int(text[::-1], 2) if text else 0
