"""Texts and numbers as a catalog file has them → checked, canonical values: amounts, instants, URLs."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer

from adserver.money import format_micros, parse_micros

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


#: What nearly all URLs are made of, and nothing that does not belong in one.
_PLAIN_URL = re.compile(r"[A-Za-z0-9/:.?&=_~%#+,;@!$'()*-]*")


#: What stands in a click URL for the token of the fill that was clicked: an advertiser that has it can report
#: an order.
FILL_MACRO = "{fill}"


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f'{value!r} is not an IANA time zone such as "Asia/Kathmandu"') from None
    return value


def _foreign_to_urls(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Zs", "Zl", "Zp") or character in '\\"<>`'


def _url(value: str) -> str:
    """An absolute http(s) URL, or a path on this server (`/…`), that no browser could read otherwise."""
    if not _PLAIN_URL.fullmatch(value) and any(map(_foreign_to_urls, value)):
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


Text = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
#: The size of whatever is played by a video player, as large as that is.
VIDEO = "video"
Size = Annotated[str, Field(pattern=rf"^([1-9][0-9]{{0,3}}x[1-9][0-9]{{0,3}}|{VIDEO})$")]
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
Domain = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
#: A category of IAB Tech Lab's content taxonomy 1.0, as OpenRTB's `bcat` has them: "IAB13" or "IAB13-4".
Category = Annotated[str, Field(pattern=r"^IAB[1-9][0-9]?(-[1-9][0-9]{0,2})?$")]
#: A creative attribute of AdCOM 1.0, as OpenRTB's `battr` has them; 6 is video that plays by itself.
Attribute = Annotated[int, Field(ge=1, le=999, strict=True)]
Zone = Annotated[str, AfterValidator(_zone)]
Window = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}[mhd]$")]
Count = Annotated[int, Field(ge=1, le=10**12, strict=True)]
