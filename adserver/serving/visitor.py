"""Request headers and address → what is known of the visitor: device, country, bot, prefetch, no more."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import maxminddb
from starlette.types import Scope

from adserver.catalog.targeting import COUNTRIES
from adserver.errors import AdserverError
from adserver.serving.agents import Agent, agent_of
from adserver.settings import Settings

#: (raw headers, address of the client) → ISO 3166-1 alpha-2 code, or None when it is not known.
CountryOf = Callable[[Iterable[tuple[bytes, bytes]], str | None], str | None]
_PURPOSES = frozenset((b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"))
_TELLING = _PURPOSES | {b"user-agent", b"sec-gpc"}
_AHEAD = (b"prefetch", b"prerender", b"preview")


class Visitor(NamedTuple):
    """What a request's headers tell of who sent it.

    `told`: there is a user agent. `prefetch`: nobody looks at the page yet (Fetch Standard, `Sec-Purpose`;
    the other headers are older browsers'). `gpc`: the value of `Sec-GPC`.
    """

    agent: Agent
    told: bool
    prefetch: bool
    gpc: bytes
    address: str | None


def visitor_of(scope: Scope) -> Visitor:
    """Read a request's headers, once for all that is asked about them."""
    agent, gpc, prefetch = b"", b"", False
    for name, value in scope["headers"]:
        if name not in _TELLING:
            continue
        if name == b"user-agent":
            agent = value
        elif name == b"sec-gpc":
            gpc = value
        else:
            purpose = value.lower()
            prefetch = prefetch or any(word in purpose for word in _AHEAD)
    client = scope.get("client")
    return Visitor(agent_of(agent), bool(agent.strip()), prefetch, gpc, client[0] if client else None)


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
