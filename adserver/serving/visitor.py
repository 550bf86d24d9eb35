"""Request headers and address → what is known about the visitor: device class and country, nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import maxminddb

from adserver.catalog.targeting import COUNTRIES
from adserver.errors import AdserverError
from adserver.settings import Settings

#: (raw headers, address of the client) → ISO 3166-1 alpha-2 code, or None when it is not known.
CountryOf = Callable[[Iterable[tuple[bytes, bytes]], str | None], str | None]
_LONGEST_AGENT = 500


@lru_cache(maxsize=10_000)
def device_of(agent: bytes) -> str | None:
    """User agent → "desktop", "mobile" or "tablet"; None when it does not say.

    The marks are those that MDN names ("Browser detection using the user agent"): `Mobi` for phones; Android
    without it, and iPads, for tablets.
    """
    agent = agent[:_LONGEST_AGENT]
    if b"iPad" in agent or b"Tablet" in agent or (b"Android" in agent and b"Mobi" not in agent):
        return "tablet"
    if b"Mobi" in agent or b"iPhone" in agent:
        return "mobile"
    if any(mark in agent for mark in (b"Windows NT", b"Macintosh", b"X11", b"CrOS", b"Linux x86_64")):
        return "desktop"
    return None


def country_lookup(settings: Settings) -> CountryOf:
    """How this installation learns a visitor's country: a proxy's header, a country file, or not at all."""
    if settings.country_header:
        return _by_header(settings.country_header.lower().encode())
    if settings.country_db:
        return _by_address(settings.country_db)
    return lambda headers, address: None


def _by_header(name: bytes) -> CountryOf:
    def country(headers: Iterable[tuple[bytes, bytes]], address: str | None) -> str | None:
        for key, value in headers:
            if key == name:
                code = value.decode("latin-1").strip().upper()
                return code if code in COUNTRIES else None
        return None

    return country


def _by_address(path: Path) -> CountryOf:
    try:
        reader = maxminddb.open_database(str(path))
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise AdserverError(f"ADSERVER_COUNTRY_DB: {path}: {error}") from None

    @lru_cache(maxsize=50_000)
    def lookup(address: str) -> str | None:
        try:
            found = reader.get(ipaddress.ip_address(address))
        except (ValueError, maxminddb.InvalidDatabaseError):
            return None
        country = found.get("country") if isinstance(found, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return code if isinstance(code, str) and code in COUNTRIES else None

    return lambda headers, address: lookup(address) if address else None
