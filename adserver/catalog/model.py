"""The nouns of the glossary → one immutable, validated `Catalog`.

The field names are those of the catalog file, so that the file, the store and the API speak one language.
Money is integer micros in memory and decimal text outside; times are aware.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from adserver.catalog.consent import SiteConsent
from adserver.catalog.creative import Creative
from adserver.catalog.disclosure import Disclosure, DisclosureWords
from adserver.catalog.fields import (
    Category,
    Count,
    Domain,
    Flag,
    Instant,
    Micros,
    Mille,
    Name,
    Size,
    Text,
    Window,
    Zone,
)
from adserver.catalog.part import Part
from adserver.catalog.seller import AdsTxt, Seller
from adserver.catalog.targeting import Target


class Tier(StrEnum):
    """Who goes first. Order of the members is order of service."""

    SPONSORSHIP = "sponsorship"
    GUARANTEED = "guaranteed"
    PRICE = "price"
    NETWORK = "network"
    HOUSE = "house"


class PriceModel(StrEnum):
    """What an advertiser pays for: a thousand impressions or viewable ones, a click, a conversion, a day."""

    CPM = "cpm"
    VCPM = "vcpm"
    CPC = "cpc"
    CPA = "cpa"
    FLAT = "flat"


class Slot(Part):
    """A named hole in a page template, sold at a CPM of `floor` or more. `label` is shown with an ad.

    With `refresh_seconds` an ad is followed by another once it was in view for so long.
    """

    name: Name
    sizes: tuple[Size, ...] = Field(min_length=1, max_length=20)
    floor: Micros = 0
    label: Text = "Advertisement"
    refresh_seconds: Annotated[int, Field(ge=30, le=3600, strict=True)] | None = None


class Site(Part):
    """A publisher's property. Days are cut in its time zone, money is in its currency."""

    name: Name
    domain: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$")]
    timezone: Zone
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    exclude_topics: tuple[Text, ...] = ()
    #: The part of what advertisers owe that is the publisher's; the rest is whose server this is.
    revenue_share: Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)] = 1.0
    consent: SiteConsent = SiteConsent()
    seller: Seller | None = None
    ads_txt: AdsTxt = ()
    disclosure_words: DisclosureWords = DisclosureWords()
    slot: tuple[Slot, ...] = ()

    @property
    def host(self) -> str:
        """Its domain without "www." and port."""
        return self.domain.partition(":")[0].removeprefix("www.")

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


#: To go through an enum anew for each price of a large catalog takes a third of the time to compile it.
_MODELS = tuple((model, str(model)) for model in PriceModel)


class Price(Part):
    """One amount under one price model; `cpm` and `vcpm` are per thousand, `flat` is per day."""

    cpm: Mille | None = None
    vcpm: Mille | None = None
    cpc: Micros | None = None
    cpa: Micros | None = None
    flat: Micros | None = None

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Exactly one price model."""
        yield from _not_exactly_one(given, tuple(PriceModel))

    @property
    def model(self) -> PriceModel:
        """Which of the amounts is given."""
        for model, name in _MODELS:
            if getattr(self, name) is not None:
                return model
        raise AssertionError("a price has one of its amounts")

    @property
    def micros(self) -> int:
        """The amount as bought: per thousand for cpm and vcpm, else per click, conversion or day."""
        amount: int = getattr(self, self.model)
        return amount

    @property
    def per_event_micros(self) -> int:
        """What one billable event earns, exactly. A `flat` day is not earned by an event: 0."""
        if self.model in (PriceModel.CPM, PriceModel.VCPM):
            return self.micros // 1000
        return 0 if self.model is PriceModel.FLAT else self.micros


class Goal(Part):
    """What was bought, in one unit."""

    impressions: Count | None = None
    viewables: Count | None = None
    clicks: Count | None = None

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Exactly one unit."""
        yield from _not_exactly_one(given, ("impressions", "viewables", "clicks"))


class Cap(Part):
    """At most `impressions` per visitor within a sliding window such as `"1d"`."""

    impressions: Count
    per: Window

    @property
    def seconds(self) -> int:
        """Length of the window in seconds."""
        return seconds_of(self.per)


_UNIT_SECONDS: Mapping[str, int] = {"m": 60, "h": 3600, "d": 86_400}


def seconds_of(window: str) -> int:
    """Length of a window in seconds: `"30m"` → 1800."""
    return int(window[:-1]) * _UNIT_SECONDS[window[-1]]


def _one_per_window(caps: tuple[Cap, ...]) -> tuple[Cap, ...]:
    first: dict[int, str] = {}
    for cap in caps:
        if cap.seconds in first:
            raise ValueError(f"has two caps for one window ({first[cap.seconds]!r} and {cap.per!r})")
        first[cap.seconds] = cap.per
    return caps


Caps = Annotated[tuple[Cap, ...], Field(max_length=10), AfterValidator(_one_per_window)]


class LineItem(Part):
    """Goal, price, targeting and tier of what one campaign bought. Half-open in time: start ≤ now < end.

    On a page it stands once, or: in any number of its slots (`repeat`), in all of them or none (`together`),
    or, once it has won one, in the others before anybody else (`companions`).
    """

    name: Name
    tier: Tier
    paused: Flag = False
    start: Instant | None = None
    end: Instant | None = None
    price: Price | None = None
    goal: Goal | None = None
    budget: Micros | None = None
    daily_budget: Micros | None = None
    share: Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)] | None = None
    pacing: Literal["even", "frontloaded", "asap"] = "even"
    caps: Caps = ()
    labels: tuple[Text, ...] = ()
    repeat: Flag = False
    together: Flag = False
    companions: Flag = False
    rotation: Literal["even", "weighted", "sequential", "optimised"] = "weighted"
    optimise_for: Literal["clicks", "viewables"] = "clicks"
    trusted: Flag = False
    allow_topics: tuple[Text, ...] = ()
    categories: Annotated[tuple[Category, ...], Field(max_length=20)] = ()
    disclosure: Disclosure | None = None
    target: Target = Target()
    creative: tuple[Creative, ...] = ()

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """What the tier needs, what would have no meaning in it, and what contradicts itself."""
        yield from _contradictions(given)
        tier = given.get("tier")
        if not isinstance(tier, str) or tier not in _NEEDED:
            return
        yield from (f"tier {tier} needs {key}" for key in _NEEDED[tier] if given.get(key) is None)
        for key, owner in _ONLY_IN.items():
            if given.get(key) is not None and owner != tier:
                yield f"{key} belongs to tier {owner}, not {tier}"

    @field_validator("end")
    @classmethod
    def _ends_after_start(cls, end: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("start")
        if start and end and end <= start:
            raise ValueError("is not after start")
        return end

    @field_validator("daily_budget")
    @classmethod
    def _within_budget(cls, daily: int | None, info: ValidationInfo) -> int | None:
        budget = info.data.get("budget")
        if daily is not None and budget is not None and daily > budget:
            raise ValueError("is more than budget")
        return daily


def _contradictions(given: Mapping[str, Any]) -> Iterator[str]:
    sets = [key for key in ("together", "companions") if given.get(key) is True]
    if len(sets) == 2:
        yield "together and companions do not go together: give one of them"
    target = given.get("target")
    slots = target.get("slot") if isinstance(target, Mapping) else None
    only = slots[0] if isinstance(slots, list | tuple) and len(slots) == 1 else slots
    if sets and isinstance(only, str):
        yield f"{' and '.join(sets)} needs two slots or more: target names only {only!r}"
    if "network" in _kinds(given) and not (
        given.get("trusted") is True and given.get("tier") == Tier.NETWORK
    ):
        yield "a creative of kind network runs in the page itself: it needs tier network and trusted = true"
    rotation = given.get("rotation", "weighted")
    if given.get("optimise_for") is not None and isinstance(rotation, str) and rotation != "optimised":
        yield f"optimise_for belongs to rotation optimised, not {rotation}"


def _kinds(given: Mapping[str, Any]) -> Iterator[Any]:
    """The kinds of a line item's creatives, which may be tables or objects already."""
    creatives = given.get("creative")
    for creative in creatives if isinstance(creatives, list | tuple) else ():
        yield creative.get("kind") if isinstance(creative, Mapping) else getattr(creative, "kind", None)


_NEEDED: Mapping[str, tuple[str, ...]] = {
    Tier.SPONSORSHIP: ("share",),
    Tier.GUARANTEED: ("price", "goal", "start", "end"),
    Tier.PRICE: ("price",),
    Tier.NETWORK: ("price",),
    Tier.HOUSE: (),
}
_ONLY_IN = {
    "share": Tier.SPONSORSHIP,
    "goal": Tier.GUARANTEED,
    "budget": Tier.PRICE,
    "daily_budget": Tier.PRICE,
}


#: A longer memory than any click deserves.
_LONGEST_LOOKBACK_DAYS = 90


def _within_lookback(window: str) -> str:
    if seconds_of(window) > _LONGEST_LOOKBACK_DAYS * 86_400:
        raise ValueError(f"is more than {_LONGEST_LOOKBACK_DAYS} days")
    return window


LookbackWindow = Annotated[Window, AfterValidator(_within_lookback)]


class Lookback(Part):
    """How long after a click an order is its conversion, such as `"30d"`; with `view`, after a view too.

    What is not given is as in the settings.
    """

    click: LookbackWindow | None = None
    view: LookbackWindow | None = None


class Campaign(Part):
    """A purpose for which an advertiser buys line items. Its `caps` count all of them together."""

    name: Name
    caps: Caps = ()
    lookback: Lookback | None = None
    disclosure: Disclosure | None = None
    line_item: tuple[LineItem, ...] = ()


class Advertiser(Part):
    """Who buys. With `sites`, on these only: each line item must name some of them in its target.

    `domain` is told to exchanges; without one it is that of the click URLs.
    """

    name: Name
    sites: tuple[Name, ...] = ()
    domain: Domain | None = None
    disclosure: Disclosure | None = None
    campaign: tuple[Campaign, ...] = ()


class Catalog(Part):
    """Everything ad ops configure, as one immutable value."""

    site: tuple[Site, ...] = ()
    advertiser: tuple[Advertiser, ...] = ()

    def line_items(self) -> Iterator[tuple[Advertiser, Campaign, LineItem]]:
        """Every line item with its owners, in the order of the file."""
        for advertiser in self.advertiser:
            for campaign in advertiser.campaign:
                for item in campaign.line_item:
                    yield advertiser, campaign, item


def _not_exactly_one(given: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    found = [str(key) for key in keys if given.get(key) is not None]
    if len(found) != 1:
        yield f"give exactly one of {', '.join(keys)}" + (f" (not {' and '.join(found)})" if found else "")


def live_at(item: LineItem, at: datetime) -> bool:
    """Whether an aware instant lies in the line item's flight (half-open), and it is not paused."""
    return (
        not item.paused and (item.start is None or item.start <= at) and (item.end is None or at < item.end)
    )
