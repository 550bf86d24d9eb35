"""Targeting text of a line item → checked, canonical conditions: data, never code.

A `Target` is a conjunction: every dimension that it names must match. Within a dimension one of the listed
values must match. `not` excludes a page as soon as any one of its dimensions matches. What a page request
does not say (an unknown country, no section) never matches a listed value, so inclusion fails closed.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from adserver.catalog.fields import Text

MINUTES_PER_DAY = 24 * 60
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DEVICES = ("desktop", "mobile", "tablet")
#: ISO 3166-1 alpha-2, the officially assigned codes (ISO Online Browsing Platform), and XK, as GeoIP files
#: use it.
COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI
    FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN
    IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME
    MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF
    PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK
    YE YT ZA ZM ZW
    """.split()
)
_HOURS = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))?)(?: (\d\d):(\d\d)-(\d\d):(\d\d))?")


def parse_hours(text: str) -> tuple[tuple[int, int], ...]:
    """`"mon-fri 08:00-20:00"` → half-open minute-of-week intervals (0 = Monday 00:00), in site time.

    Days may wrap (`"sat-mon"`), hours may pass midnight (`"fri 22:00-02:00"` ends on Saturday), and hours may
    be left out (`"sat-sun"`: whole days). Raises ValueError with a sentence otherwise.
    """
    match = _HOURS.fullmatch(text)
    if not match:
        raise ValueError(f'{text!r} is not of the form "mon-fri 08:00-20:00" or "sat-sun"')
    first, last, *clock = match.groups()
    for day in (first, last or first):
        if day not in DAYS:
            raise ValueError(f"{day!r} is not a day (use {', '.join(DAYS)})")
    start, end = 0, MINUTES_PER_DAY
    if clock[0] is not None:
        start, end = (_minute_of_day(int(h), int(m), text) for h, m in (clock[:2], clock[2:]))
        if start in (end, MINUTES_PER_DAY):
            raise ValueError(f"{text!r} is an empty range of hours")
        if end < start:
            end += MINUTES_PER_DAY
    day_count = (DAYS.index(last or first) - DAYS.index(first)) % 7 + 1
    spans = []
    for offset in range(day_count):
        midnight = (DAYS.index(first) + offset) % 7 * MINUTES_PER_DAY
        spans.extend(_wrap_week(midnight + start, midnight + end))
    return tuple(sorted(spans))


def _minute_of_day(hour: int, minute: int, text: str) -> int:
    if minute > 59 or hour * 60 + minute > MINUTES_PER_DAY:
        raise ValueError(f"{text!r} has a time of day outside 00:00-24:00")
    return hour * 60 + minute


def _wrap_week(start: int, end: int) -> list[tuple[int, int]]:
    if end <= MINUTES_PER_WEEK:
        return [(start, end)]
    return [(start, MINUTES_PER_WEEK), (0, end - MINUTES_PER_WEEK)]


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _no_repeats(values: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({value for value in values if values.count(value) > 1}) if len(values) < 1000 else []
    if repeated:
        raise ValueError(f"repeats {', '.join(map(repr, repeated))}")
    return values


def _country(value: str) -> str:
    if value not in COUNTRIES:
        raise ValueError(f'{value!r} is not an ISO 3166-1 alpha-2 code such as "NP"')
    return value


def _device(value: str) -> str:
    if value not in DEVICES:
        raise ValueError(f"{value!r} is not a device (use {', '.join(DEVICES)})")
    return value


def _hours(value: str) -> str:
    parse_hours(value)
    return value


Values = Annotated[
    tuple[Text, ...],
    BeforeValidator(_one_or_many),
    Field(min_length=1, max_length=5000),
    AfterValidator(_no_repeats),
]
Countries = Annotated[
    tuple[Annotated[str, AfterValidator(_country)], ...],
    BeforeValidator(_one_or_many),
    Field(min_length=1),
    AfterValidator(_no_repeats),
]
Devices = Annotated[
    tuple[Annotated[str, AfterValidator(_device)], ...],
    BeforeValidator(_one_or_many),
    Field(min_length=1),
    AfterValidator(_no_repeats),
]
Hours = Annotated[
    tuple[Annotated[str, AfterValidator(_hours)], ...],
    BeforeValidator(_one_or_many),
    Field(min_length=1),
    AfterValidator(_no_repeats),
]


class Conditions(BaseModel):
    """Values per dimension; None means that the dimension is not looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: Values | None = None
    slot: Values | None = None
    section: Values | None = None
    topic: Values | None = None
    country: Countries | None = None
    device: Devices | None = None
    hours: Hours | None = None
    values: dict[Text, Values] | None = Field(default=None, max_length=50)

    @field_validator("values")
    @classmethod
    def _names_a_key(cls, values: dict[str, tuple[str, ...]] | None) -> dict[str, tuple[str, ...]] | None:
        if values == {}:
            raise ValueError("is empty")
        return values


class Target(Conditions):
    """What a page request must be (`Conditions`) and must not be (`not`) for a line item to serve."""

    exclude: Conditions | None = Field(default=None, alias="not")

    @field_validator("exclude")
    @classmethod
    def _excludes_something(cls, exclude: Conditions | None) -> Conditions | None:
        if exclude == Conditions():
            raise ValueError("is empty")
        return exclude

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)
