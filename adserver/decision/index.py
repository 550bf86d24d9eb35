"""A catalog version → an immutable index from which eligible line items are found with a few bitwise ands.

Line items are known by their position: sorted by tier, then by what they pay, then by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from adserver.catalog.model import Advertiser, Campaign, Catalog, LineItem, PriceModel, Site, Slot, Tier
from adserver.decision import bitmap
from adserver.decision.auction import Auctions
from adserver.decision.context import Choice, Context
from adserver.decision.tally import Caps
from adserver.decision.targets import TargetKey, Targets
from adserver.decision.timetable import Flights, Hours

#: Ids of catalog objects by kind and names, such as ("slot", "daily", "article-top").
Ids = Mapping[tuple[str, ...], int]
TIERS = tuple(Tier)
THEMES = (None, "light", "dark")
#: What is paid for and follows an impression only sometimes: how often is learned (`decision.rates`).
LEARNED = {PriceModel.CPC: "clicks", PriceModel.VCPM: "viewables", PriceModel.CPA: "conversions"}
LEARNED_UNITS = tuple(LEARNED.values())
#: Conversions per impression until something is learned.
EXPECTED_CONVERSION_RATE = 0.00005
_Owned = tuple[Advertiser, Campaign, LineItem]


class Contender(NamedTuple):
    """What is asked of a line item for each page, beyond the rules that its bitmaps answer."""

    position: int
    subjects: tuple[int, ...] | None
    """The ids under which a visitor's tally counts it (line item, campaign); None without caps."""
    labels: frozenset[str] | None
    repeat: bool
    companions: bool
    plain: bool
    """Whether its place on a page hangs on nothing but scores, room, labels and whom caps keep away."""


@dataclass(frozen=True, slots=True)
class IndexedSlot:
    """A slot with, per size and theme, the line items that have a creative for it and are meant for it."""

    slot: Slot
    id: int
    fitting: Mapping[tuple[str, str | None], int]
    paying: int
    """The line items whose price, clicks and conversions as expected, is not below the slot's floor."""


@dataclass(frozen=True, slots=True)
class IndexedSite:
    """A site with its slots, and per sensitive topic the line items that did not opt in to it."""

    site: Site
    zone: ZoneInfo
    slots: Mapping[str, IndexedSlot]
    sensitive: Mapping[str, int]


class PageKey(NamedTuple):
    """The facts of a page that some line item tells apart."""

    site: str
    target: TargetKey
    theme: str | None
    network: bool
    """Whether line items of tier network may serve."""


class Index:
    """Everything that a decision reads and that only a new catalog changes; built off the request path."""

    def __init__(
        self,
        catalog: Catalog,
        ids: Ids,
        version: int,
        *,
        expected_ctr: float,
        expected_conversion_rate: float = EXPECTED_CONVERSION_RATE,
    ) -> None:
        expected = {PriceModel.CPC: expected_ctr, PriceModel.CPA: expected_conversion_rate}
        owned = sorted(
            (owned for owned in catalog.line_items() if any(c.approved for c in owned[2].creative)),
            key=lambda o: (TIERS.index(o[2].tier), -ecpm_micros(o[2], expected), o[2].name),
        )
        ranked = [item for _, _, item in owned]
        self.version = version
        self.items: Sequence[LineItem] = tuple(ranked)
        self.item_ids = tuple(ids["line_item", item.name] for item in ranked)
        self.campaign_ids = tuple(ids["campaign", owner.name, campaign.name] for owner, campaign, _ in owned)
        self.positions = {item_id: position for position, item_id in enumerate(self.item_ids)}
        self.ecpms = np.array([ecpm_micros(item, expected) for item in ranked], dtype=float) / 1e6
        self.choices = tuple(tuple(_choices(item, position, ids)) for position, item in enumerate(ranked))
        self.units = tuple(unit_of(item) for item in ranked)
        """What each counts, as `unit_of` says."""
        self.flat = [p for p, i in enumerate(ranked) if i.price and i.price.model is PriceModel.FLAT]
        """Position of each line item that pays by the day."""
        self._learn_prices()
        self.tiers = {tier: bitmap.of_flags([item.tier is tier for item in ranked]) for tier in TIERS}
        self.together = bitmap.of_flags([item.together for item in ranked])
        self.competing = bitmap.of_flags(
            [item.tier is not Tier.SPONSORSHIP and not item.together for item in ranked]
        )
        """Those that no other rule serves than their score."""
        self.auctions = Auctions(owned, self.ecpms, self.together)
        self.owners = tuple((advertiser, campaign) for advertiser, campaign, _ in owned)
        self.caps, self.contenders = _contenders(owned, ids)
        self.subject_positions = _subject_positions(self.contenders)
        self.flights, self.hours = Flights(ranked), Hours(ranked)
        self.targets = Targets(ranked)
        self.zones = _zones(catalog, ranked)
        self._themed = any(choice.creative.theme for choices in self.choices for choice in choices)
        self._floor_prices = np.where([_has_floor(item) for item in ranked], self.ecpms, np.inf)
        sizes = self._sizes()
        self.sites = {site.name: self._site(site, sizes, ids) for site in catalog.site}
        self.domains = {site.host: site.name for site in reversed(catalog.site)}
        """Host, without "www." and port → the first site there."""
        self.slot_sites = {
            ids["slot", site.name, slot.name]: site for site in catalog.site for slot in site.slot
        }

    def _learn_prices(self) -> None:
        """Note those of which it has to be learned what an impression earns: paid by what follows it."""
        prices = {p: item.price for p, item in enumerate(self.items) if item.price}
        self.units_paid = {p: LEARNED[one.model] for p, one in prices.items() if one.model in LEARNED}
        self.learning = np.array([*self.units_paid], dtype=np.int64)
        units = list(self.units_paid.values())
        self.learning_units = np.array([LEARNED_UNITS.index(unit) for unit in units], dtype=np.int64)
        paid = [prices[p].micros / 1e6 * prices_per_thousand(unit) for p, unit in self.units_paid.items()]
        self.learning_prices = np.array(paid, dtype=float)

    def _site(self, site: Site, sizes: Mapping[tuple[str, str | None], int], ids: Ids) -> IndexedSite:
        here = self.targets.site(site.name)
        slots = {
            slot.name: IndexedSlot(
                slot=slot,
                id=ids["slot", site.name, slot.name],
                fitting={
                    (size, theme): sizes.get((size, theme), 0) & here & self.targets.slot(slot.name)
                    for size in slot.sizes
                    for theme in THEMES
                },
                paying=bitmap.of_flags(self._floor_prices >= slot.floor / 1e6),
            )
            for slot in site.slot
        }
        sensitive = {
            topic: bitmap.of_flags([topic not in item.allow_topics for item in self.items])
            for topic in site.exclude_topics
        }
        return IndexedSite(site, site.zone, slots, sensitive)

    def _sizes(self) -> dict[tuple[str, str | None], int]:
        """(size, theme of the page) → the line items that have an approved creative for it."""
        holders: dict[tuple[str, str | None], set[int]] = {}
        for position, choices in enumerate(self.choices):
            for choice in choices:
                for theme in THEMES:
                    if choice.creative.theme in (None, theme):
                        holders.setdefault((choice.creative.size, theme), set()).add(position)
        return {key: bitmap.of_positions(positions, len(self.items)) for key, positions in holders.items()}

    def page_key(self, site: IndexedSite, context: Context) -> PageKey:
        """The facts that some line item tells apart: bounded by the catalog, not by the request."""
        target = self.targets.key(
            context.section,
            context.topics,
            context.values,
            context.url,
            context.country,
            context.device,
            site.sensitive,
        )
        theme = context.theme if self._themed and context.theme in THEMES else None
        return PageKey(context.site, target, theme, context.network or not self.tiers[Tier.NETWORK])

    def consented_to(self, key: PageKey) -> int:
        """Bitmap of the line items that the reader's consent lets serve: all, or all but networks."""
        return -1 if key.network else ~self.tiers[Tier.NETWORK]

    def sensitive_to(self, key: PageKey) -> int:
        """Bitmap of the line items kept away by the page's sensitive topics."""
        sensitive = self.sites[key.site].sensitive
        bits = 0
        for topic in self.targets.topics(key.target) if sensitive else ():
            bits |= sensitive.get(topic, 0)
        return bits


def prices_per_thousand(unit: str) -> int:
    """How many prices a thousand units are worth."""
    return 1 if unit == "viewables" else 1000


def ecpm_micros(item: LineItem, expected: Mapping[PriceModel, float]) -> int:
    """What a thousand impressions of a line item are expected to earn before anything is learned, in micros.

    `expected`: clicks and conversions per impression. Viewable impressions as if every impression were. A
    flat day has no such figure: 0.
    """
    if item.price is None:
        return 0
    rate = expected.get(item.price.model)
    if rate is not None:
        return round(1000 * item.price.micros * rate)
    return item.price.micros if item.price.model is not PriceModel.FLAT else 0


def unit_of(item: LineItem) -> str:
    """What a line item's goal or price counts: "impressions", "viewables", "clicks" or "conversions"."""
    if item.goal:
        return next(unit for unit in ("impressions", "viewables", "clicks") if getattr(item.goal, unit))
    return LEARNED.get(item.price.model, "impressions") if item.price else "impressions"


def _has_floor(item: LineItem) -> bool:
    """House ads, and line items without a price per event, have nothing to compare with a floor."""
    return item.tier is not Tier.HOUSE and item.price is not None and item.price.model is not PriceModel.FLAT


def _choices(item: LineItem, position: int, ids: Ids) -> Iterator[Choice]:
    model, micros = (item.price.model, item.price.per_event_micros) if item.price else (None, 0)
    for creative in item.creative:
        if creative.approved:
            yield Choice(
                item,
                creative,
                ids["line_item", item.name],
                ids["creative", creative.name],
                model=model,
                price_micros=micros,
                position=position,
            )


def _contenders(owned: Sequence[_Owned], ids: Ids) -> tuple[Caps, tuple[Contender, ...]]:
    caps: dict[int, tuple[tuple[int, int], ...]] = {}
    contenders = []
    # Of campaigns with caps: what one of its line items uses up, the others on the page lack.
    size_of = Counter((advertiser.name, campaign.name) for advertiser, campaign, _ in owned)
    for position, (advertiser, campaign, item) in enumerate(owned):
        subjects = []
        for path, given in (
            (("line_item", item.name), item.caps),
            (("campaign", advertiser.name, campaign.name), campaign.caps),
        ):
            if given:
                caps[ids[path]] = tuple((cap.impressions, cap.seconds) for cap in given)
                subjects.append(ids[path])
        labels = frozenset(item.labels) or None
        alone = not campaign.caps or size_of[advertiser.name, campaign.name] == 1
        plain = alone and not item.repeat and not item.companions
        contenders.append(
            Contender(position, tuple(subjects) or None, labels, item.repeat, item.companions, plain)
        )
    return caps, tuple(contenders)


def _subject_positions(contenders: Sequence[Contender]) -> Mapping[int, Sequence[int]]:
    """Subject of caps → the line items that count under it."""
    positions: dict[int, list[int]] = {}
    for contender in contenders:
        for subject in contender.subjects or ():
            positions.setdefault(subject, []).append(contender.position)
    return positions


def _zones(catalog: Catalog, items: Sequence[LineItem]) -> tuple[ZoneInfo, ...]:
    """Each line item's own time zone: that of the first site it targets, in the order of the catalog.

    Its days (of a daily budget, say) are cut there.
    """
    zones = {site.name: site.zone for site in catalog.site}
    first = next(iter(zones.values()), ZoneInfo("UTC"))
    return tuple(
        first
        if item.target.site is None
        else next((z for s, z in zones.items() if s in item.target.site), first)
        for item in items
    )
