"""The nouns of the glossary → one immutable, validated `Catalog`.

The field names are those of the catalog file, so that the file, the store and the API speak one language.
Money is integer micros in memory and decimal text outside; times are aware.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from adserver.catalog.targeting import Target, Text
from adserver.money import format_micros, parse_micros


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


_AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")


def _money(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError('write amounts as text, such as "4.50", so that no digit is lost')
    if not _AMOUNT.fullmatch(str(value)):
        raise ValueError(f'{value!r} is not an amount such as "4.50"')
    return parse_micros(str(value))


def _thousandth(micros: int) -> int:
    if micros % 1000:
        raise ValueError("must be a multiple of 0.001, so that one impression is a whole number of micros")
    return micros


def _no_number(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError(f"{value!r} is not a date and time such as 2026-11-01T00:00:00")
    return value


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999 in UTC") from None


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f'{value!r} is not an IANA time zone such as "Asia/Kathmandu"') from None
    return value


def _url(value: str) -> str:
    """An absolute http(s) URL, or a path on this server (`/…`), that no browser could read otherwise."""
    if any(unicodedata.category(c) in ("Cc", "Zs", "Zl", "Zp") or c in '\\"<>`' for c in value):
        raise ValueError(f"{value!r} has a character that does not belong in a URL")
    if value.startswith("/") and not value.startswith("//"):
        return value
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{value!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or "@" in parts.netloc:
        raise ValueError(f'{value!r} is not a URL such as "https://bank.example/savings"')
    return value


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Size = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$")]
Micros = Annotated[
    int,
    BeforeValidator(_money),
    PlainSerializer(format_micros, return_type=str),
    Field(json_schema_extra={"type": "string"}),
]
#: An amount per thousand.
Mille = Annotated[Micros, AfterValidator(_thousandth)]
Instant = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_to_utc)]
Flag = Annotated[bool, Field(strict=True)]
Url = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_url)]
Zone = Annotated[str, AfterValidator(_zone)]
Window = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}[mhd]$")]
Count = Annotated[int, Field(ge=1, le=10**12, strict=True)]


class Part(BaseModel):
    """Common to every object of the catalog: frozen, and an unknown key is a fault, never ignored.

    Rules about which keys go together are checked on what was given, so that they are reported together with
    faults in the values (pydantic alone would report them only once every value is right).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Sentences about keys that are missing or do not go together, from the keys given."""
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _report_every_fault(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        wrong = list(cls.missing_or_extra(value)) if isinstance(value, dict) else []
        if not wrong:
            return handler(value)
        faults = [InitErrorDetails(type=PydanticCustomError(RULE, text), input=value) for text in wrong]
        try:
            handler(value)
        except ValidationError as error:
            faults = [*map(_detail, error.errors(include_url=False)), *faults]
        raise ValidationError.from_exception_data(cls.__name__, faults)


#: Type of the errors that `Part.missing_or_extra` makes.
RULE = "catalog_rule"


class Slot(Part):
    """A named hole in a page template, sold at a CPM of `floor` or more. `label` is shown with an ad."""

    name: Name
    sizes: tuple[Size, ...] = Field(min_length=1, max_length=20)
    floor: Micros = 0
    label: Text = "Advertisement"


class Site(Part):
    """A publisher's property. Days are cut in its time zone, money is in its currency."""

    name: Name
    domain: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$")]
    timezone: Zone
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    exclude_topics: tuple[Text, ...] = ()
    slot: tuple[Slot, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


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
        return next(model for model in PriceModel if getattr(self, model) is not None)

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


class Creative(Part):
    """What is drawn. `image` is data that the page draws; `html` is drawn in a sandboxed frame."""

    name: Name
    kind: Literal["image", "html"]
    size: Size
    image: Url | None = None
    image_dark: Url | None = None
    alt: Text | None = None
    html: Annotated[str, Field(min_length=1, max_length=100_000)] | None = None
    click: Url | None = None
    weight: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 1

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Each kind has keys of its own."""
        keys = {"image": ("image", "alt", "click"), "html": ("html",)}
        foreign = {"image": ("html",), "html": ("image", "image_dark", "alt")}
        kind = given.get("kind")
        if kind not in ("image", "html"):
            return
        yield from (f"kind {kind} needs {key}" for key in keys[kind] if given.get(key) is None)
        yield from (f"kind {kind} has no {key}" for key in foreign[kind] if given.get(key) is not None)


class LineItem(Part):
    """Goal, price, targeting and tier of what one campaign bought. Half-open in time: start ≤ now < end."""

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
    caps: tuple[Cap, ...] = Field(default=(), max_length=10)
    labels: tuple[Text, ...] = ()
    together: Flag = False
    trusted: Flag = False
    allow_topics: tuple[Text, ...] = ()
    target: Target = Target()
    creative: tuple[Creative, ...] = ()

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """What the tier needs, and what would have no meaning in it."""
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


class Campaign(Part):
    """A purpose for which an advertiser buys line items."""

    name: Name
    line_item: tuple[LineItem, ...] = ()


class Advertiser(Part):
    """Who buys."""

    name: Name
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


def _detail(fault: Any) -> InitErrorDetails:
    """One of pydantic's reported errors → what it can be reported from again."""
    kind = PydanticCustomError(RULE, fault["msg"]) if fault["type"] == RULE else fault["type"]
    return InitErrorDetails(type=kind, loc=fault["loc"], input=fault["input"], ctx=fault.get("ctx", {}))


def live_at(item: LineItem, at: datetime) -> bool:
    """Whether an aware instant lies in the line item's flight (half-open), and it is not paused."""
    return (
        not item.paused and (item.start is None or item.start <= at) and (item.end is None or at < item.end)
    )
