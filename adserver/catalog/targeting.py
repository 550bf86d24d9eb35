"""Targeting text of a line item → checked, canonical conditions: data, never code.

A `target` names dimensions and lists values for each. It passes a page request when

- every dimension that it names has one of its listed values there,
- nothing that `not` lists is there: one match in any of its dimensions excludes,
- of the groups in `any` at least one passes, and of those in `all` every one.

A group is a target within a target: it has dimensions, `not`, `any` and `all` of its own, three levels deep
and twenty in all. `site`, `slot` and `hours` say where and when a line item is sold; they stay at the top.

| dimension | values |
|---|---|
| `site`, `slot` | names of the catalog |
| `hours` | in the site's time zone: `"mon-fri 08:00-20:00"`, `"fri 22:00-02:00"`, `"sat-sun"` |
| `section` | patterns of the page's section |
| `topic` | any of the page's topics |
| `url` | patterns of the page's address: `"news.example/2026/*"`, `"*/live/*"` |
| `country` | ISO 3166-1 alpha-2 |
| `device` | `desktop`, `mobile`, `tablet` |
| `values` | key-values that the page gives: `{ author = ["x"] }` |

In a pattern `*` stands for any run of characters, also none and also across `/`; all else stands for itself.
`"world"` is the section `world` alone, `"world/*"` is `world/asia` but not `world`. The address of a page is
its URL without scheme, query and fragment, percent-decoded, its host in lower case; the home page's is
`news.example/`.

What a request does not say fails closed. No listed value matches it; and country, device and address, which
every visit has, fail `not` too while they are unknown: who knows no country cannot know that it is not `US`.
A page without section, topics or values, on the other hand, is known to have none, and so passes their `not`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from adserver.catalog.fields import Text
from adserver.catalog.nearest import nearest
from adserver.catalog.part import Part

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
#: Bounds of the language: patterns in one list, groups in one target and how deep they nest, and how much is
#: looked at of a text that a page request gives.
MOST_PATTERNS = 200
MOST_GROUPS = 20
MOST_LEVELS = 3
MOST_FACT_CHARS = 2000
_P = TypeVar("_P", bound=Part | None)
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
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
            raise ValueError(f"{day!r} is not a day (use {', '.join(DAYS)}){nearest(day, DAYS)}")
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


def page_address(url: str) -> str:
    """A page's URL → what `url` patterns are matched with; empty without a host.

    >>> page_address("https://News.example/2026/%C3%BC?from=mail#top")
    'news.example/2026/ü'
    """
    text = re.split("[?#]", url[:MOST_FACT_CHARS], maxsplit=1)[0]
    host, _, path = _without_scheme(text).partition("/")
    host = host.rpartition("@")[2].lower()
    return f"{host}/{unquote(path)}" if host else ""


def segments(pattern: str) -> tuple[str, ...]:
    """The texts between the `*` of a `section` pattern; a single one where there is no `*`."""
    return tuple(pattern.split("*"))


def url_segments(pattern: str) -> tuple[str, ...]:
    """The texts between the `*` of a `url` pattern, as they stand in an address (`%2A` is a star itself)."""
    return tuple(map(unquote, pattern.split("*")))


def _without_scheme(text: str) -> str:
    scheme = _SCHEME.match(text)
    return text[scheme.end() :] if scheme else text


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _no_repeats(values: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({value for value in values if values.count(value) > 1}) if len(values) < 1000 else []
    if repeated:
        raise ValueError(f"repeats {', '.join(map(repr, repeated))}")
    return values


def to_country(value: str) -> str:
    """A country code as it is. Raises ValueError with a sentence where there is none such."""
    if value not in COUNTRIES:
        meant = "GB" if value.upper() == "UK" else value.upper()
        hint = f"; did you mean {meant!r}?" if meant in COUNTRIES else ""
        raise ValueError(f'{value!r} is not an ISO 3166-1 alpha-2 code such as "NP"{hint}')
    return value


def _device(value: str) -> str:
    if value not in DEVICES:
        raise ValueError(f"{value!r} is not a device (use {', '.join(DEVICES)}){nearest(value, DEVICES)}")
    return value


def _hours(value: str) -> str:
    parse_hours(value)
    return value


def _url_pattern(value: str) -> str:
    host = value.partition("/")[0]
    if "://" in value:
        raise ValueError(f'{value!r} has a scheme; write it without "https://"')
    if "?" in value or "#" in value:
        raise ValueError(f"{value!r} has a query or fragment, which are not looked at")
    if not host:
        raise ValueError(f'{value!r} has no host; begin with one, or with "*" as in "*/live/*"')
    if "*" not in value and "/" not in value:
        raise ValueError(f'{value!r} has no path; write "{value}/*" for the whole site')
    if "*" not in host and host != host.lower():
        raise ValueError(f"{value!r} never matches: hosts are in lower case")
    return value


def _few_patterns(values: tuple[str, ...]) -> tuple[str, ...]:
    if sum("*" in value for value in values) > MOST_PATTERNS:
        raise ValueError(f"has more than {MOST_PATTERNS} patterns")
    return values


#: A single text stands for a list of one.
one_or_many = BeforeValidator(_one_or_many)
no_repeats = AfterValidator(_no_repeats)
_Some = Field(min_length=1)
Values = Annotated[tuple[Text, ...], one_or_many, Field(min_length=1, max_length=5000), no_repeats]
Sections = Annotated[Values, AfterValidator(_few_patterns)]
Urls = Annotated[
    tuple[Annotated[Text, AfterValidator(_url_pattern)], ...],
    one_or_many,
    Field(min_length=1, max_length=MOST_PATTERNS),
    no_repeats,
]
Countries = Annotated[tuple[Annotated[str, AfterValidator(to_country)], ...], one_or_many, _Some, no_repeats]
Devices = Annotated[tuple[Annotated[str, AfterValidator(_device)], ...], one_or_many, _Some, no_repeats]
Hours = Annotated[tuple[Annotated[str, AfterValidator(_hours)], ...], one_or_many, _Some, no_repeats]


class Place(Part):
    """Where and when a line item is sold, per dimension; None means that the dimension is not looked at."""

    site: Values | None = None
    slot: Values | None = None
    hours: Hours | None = None


class Facts(Part):
    """Values of a page and its visitor, per dimension; None means that the dimension is not looked at."""

    section: Sections | None = None
    topic: Values | None = None
    url: Urls | None = None
    country: Countries | None = None
    device: Devices | None = None
    values: dict[Text, Values] | None = Field(default=None, max_length=50)

    @field_validator("values")
    @classmethod
    def _names_a_key(cls, values: dict[str, tuple[str, ...]] | None) -> dict[str, tuple[str, ...]] | None:
        if values == {}:
            raise ValueError("is empty")
        return values


class Conditions(Facts, Place):
    """All dimensions."""


class Group(Facts):
    """A target within a target, without place and time."""

    model_config = ConfigDict(populate_by_name=True)

    exclude: Facts | None = Field(default=None, alias="not")
    any: tuple[Group, ...] | None = Field(default=None, min_length=1)
    all: tuple[Group, ...] | None = Field(default=None, min_length=1)

    @field_validator("exclude")
    @classmethod
    def _excludes_something(cls, exclude: Facts | None) -> Facts | None:
        return _not_empty(exclude)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        return _not_empty(self)


class Target(Conditions):
    """What a page request must be (`Conditions`, groups) and must not be (`not`) for a line item to serve."""

    model_config = ConfigDict(populate_by_name=True)

    exclude: Conditions | None = Field(default=None, alias="not")
    any: tuple[Group, ...] | None = Field(default=None, min_length=1)
    all: tuple[Group, ...] | None = Field(default=None, min_length=1)

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Not more groups than anybody could keep in mind."""
        count = sum(map(len, _levels([given])))
        if count > MOST_GROUPS:
            yield f"has {count} groups, which is more than {MOST_GROUPS}"

    @field_validator("exclude")
    @classmethod
    def _excludes_something(cls, exclude: Conditions | None) -> Conditions | None:
        return _not_empty(exclude)

    @field_validator("any", "all", mode="before")
    @classmethod
    def _not_too_deep(cls, groups: Any) -> Any:
        """Checked before anything in them is, which could be nested deeper than Python can follow."""
        if len(_levels([{"any": groups}])) > MOST_LEVELS:
            raise ValueError(f"nests groups more than {MOST_LEVELS} levels deep")
        return groups


def _levels(given: Sequence[Any]) -> list[list[Any]]:
    """The groups in plain tables, then those in these and so on, down to one level more than is allowed."""
    levels: list[list[Any]] = []
    while given and len(levels) <= MOST_LEVELS:
        found: list[Any] = []
        for table in given:
            for key in ("any", "all") if isinstance(table, Mapping) else ():
                groups = table.get(key)
                found += groups if isinstance(groups, list | tuple) else ()
        if found:
            levels.append(found)
        given = found
    return levels


def _not_empty(part: _P) -> _P:
    if part is not None and not any(value is not None for _, value in part):
        raise ValueError("is empty")
    return part
