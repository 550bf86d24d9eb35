"""What is known of a fill's page, browser and place in what that browser saw ⇄ one integer for token and log.

Events are cut by these facts in reports. They come from the fill, so that all events of one fill count under
the same ones, and none of them tells one reader from another. The layout is stored: add to it, never move it.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from adserver.catalog.fields import VIDEO
from adserver.catalog.targeting import DEVICES as _DEVICES

#: Impressions of one line item or campaign that are told apart for one browser, the first to this one.
MOST_ORDINAL = 30
#: Stored for every impression after those.
MORE = MOST_ORDINAL + 1

#: Values by their codes; 0 is what is not known. Codes are stored: add names at the end only.
DEVICES = (None, *_DEVICES)
#: The theme of what stands in no page: a picture in a newsletter or a feed. Its clicks need no impression.
OUTSIDE = "outside"
THEMES = (None, "light", "dark", OUTSIDE)
BROWSERS = (
    *(None, "other", "chrome", "safari", "firefox", "edge", "samsung", "opera", "facebook", "instagram"),
    *("google_app", "duckduckgo", "yandex", "uc", "vivaldi", "huawei", "miui"),
    *("gmail_proxy", "apple_mail_proxy", "yahoo_mail_proxy", "yandex_mail_proxy", "outlook", "apple_mail"),
    "thunderbird",
)
#: Codes of sections: none was given, one that is not told apart, and from here on the codes of names.
NO_SECTION, OTHER_SECTION, FIRST_SECTION = 0, 1, 2

#: No size is so small.
_VIDEO_CODE = 1
_A = ord("A")
_COUNTRY = re.compile("[A-Z]{2}")
_LETTERS = 26


class Field(NamedTuple):
    """Where a fact stands in the integer."""

    shift: int
    bits: int

    @property
    def mask(self) -> int:
        """The largest value that it holds."""
        return (1 << self.bits) - 1


#: Which impression of its line item, and of its campaign, this is to this browser: 0 where that is not known.
ITEM_ORDINAL = Field(0, 5)
CAMPAIGN_ORDINAL = Field(5, 5)
THEME = Field(10, 2)
DEVICE = Field(12, 2)
BROWSER = Field(14, 5)
COUNTRY = Field(19, 10)
SECTION = Field(29, 32)
#: How many days the fill's local date, where its site is, lies after that in UTC, modulo 3.
DAY_SHIFT = Field(61, 2)


class Dimension(IntEnum):
    """What events of a day, slot and line item are cut by. The numbers are stored; never renumber them."""

    COUNTRY = 1
    DEVICE = 2
    BROWSER = 3
    SECTION = 4
    SIZE = 5
    THEME = 6
    FREQUENCY = 7
    """Which impression of its line item this is to its browser."""
    CAMPAIGN_FREQUENCY = 8
    PRICE_MODEL = 9
    """What its advertiser pays for (`measurement.token.MODELS`)."""


#: Where each is found; size and price model stand beside the facts.
FIELDS = {
    Dimension.COUNTRY: COUNTRY,
    Dimension.DEVICE: DEVICE,
    Dimension.BROWSER: BROWSER,
    Dimension.SECTION: SECTION,
    Dimension.THEME: THEME,
    Dimension.FREQUENCY: ITEM_ORDINAL,
    Dimension.CAMPAIGN_FREQUENCY: CAMPAIGN_ORDINAL,
}


def of(field: Field, facts: int) -> int:
    """One fact's code."""
    return facts >> field.shift & field.mask


@lru_cache(maxsize=10_000)
def page_facts(country: str | None, device: str | None, browser: str | None, theme: str | None) -> int:
    """What the fills of one page have in common, without its section. Unknown values count as not known."""
    return (
        _code(THEMES, theme) << THEME.shift
        | _code(DEVICES, device) << DEVICE.shift
        | _code(BROWSERS, browser) << BROWSER.shift
        | country_code(country) << COUNTRY.shift
    )


def _code(values: tuple[str | None, ...], value: str | None) -> int:
    return values.index(value) if value in values else 0


def country_code(country: str | None) -> int:
    """ISO 3166-1 alpha-2 code → a number from 1; 0 for what is none."""
    if country is None or not _COUNTRY.fullmatch(country):
        return 0
    return 1 + _LETTERS * (ord(country[0]) - _A) + ord(country[1]) - _A


def country_of(code: int) -> str | None:
    """Inverse of `country_code`."""
    if not 0 < code <= _LETTERS**2:
        return None
    first, second = divmod(code - 1, _LETTERS)
    return chr(_A + first) + chr(_A + second)


def day_shift(day: int, utc_day: int) -> int:
    """A local date and that in UTC, in days since 1970-01-01, → the code of what lies between them."""
    return (day - utc_day) % 3 << DAY_SHIFT.shift


def size_code(size: str) -> int:
    """`970x250` → width and height, up to 9999 px each, in one number; 0 for what is no size."""
    if size == VIDEO:
        return _VIDEO_CODE
    width, cross, height = size.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        return 0
    return int(width) << 16 | int(height)


def size_of(code: int) -> str | None:
    """Inverse of `size_code`."""
    if code == _VIDEO_CODE:
        return VIDEO
    return f"{code >> 16}x{code & 0xFFFF}" if code else None
