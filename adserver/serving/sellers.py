"""The catalog's sites → `/ads.txt`, `/sellers.json` and the supply chain that begins with one of them.

A crawler asks for `ads.txt` at the publisher's own domain: a proxy passes that on, or the publisher redirects
it to `/ads.txt?site=NAME` here. The record by which a site authorises this server itself is added by us.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from adserver.catalog.model import Site
from adserver.catalog.seller import record_of
from adserver.decision.index import Index
from adserver.serving.parts import Parts
from adserver.serving.trackers import base_of, system_in

#: Browsers and crawlers may keep what is answered for an hour.
_HEADERS = {
    "cache-control": "public, max-age=3600",
    "access-control-allow-origin": "*",
    "x-content-type-options": "nosniff",
}
_NOWHERE = "Name a site: ?site=NAME."


def routes(parts: Parts) -> list[BaseRoute]:
    """What crawlers read, and what a page gives to Prebid.js."""

    async def ads_txt(request: Request) -> Response:
        site = site_asked(request, parts.live.index)
        lines = list(ads_txt_lines(site, system_in(base_of(request.scope, parts.settings)))) if site else []
        if not lines:
            # An empty file would say that nobody may sell (ads.txt 1.1, section 3.2.1).
            return PlainTextResponse("There is no ads.txt." if site else _NOWHERE, 404, _HEADERS)
        return PlainTextResponse("\n".join(lines) + "\n", headers=_HEADERS)

    async def sellers_json(request: Request) -> Response:
        sites = [indexed.site for indexed in parts.live.index.sites.values()]
        sellers = {entry["seller_id"]: entry for site in sites for entry in sellers_of(site)}
        contact = parts.settings.contact_email
        head: dict[str, Any] = {"contact_email": contact} if contact else {}
        return JSONResponse({**head, "version": "1.0", "sellers": list(sellers.values())}, headers=_HEADERS)

    async def supply_chain(request: Request) -> Response:
        site = site_asked(request, parts.live.index)
        if site is None or site.seller is None:
            return PlainTextResponse("The site has no seller." if site else _NOWHERE, 404, _HEADERS)
        return JSONResponse(
            chain_of(site, system_in(base_of(request.scope, parts.settings))), headers=_HEADERS
        )

    return [
        Route("/ads.txt", ads_txt),
        Route("/sellers.json", sellers_json),
        Route("/schain.json", supply_chain),
    ]


def site_asked(request: Request, index: Index) -> Site | None:
    """The site that a query names, that of the host that was asked, or the only one."""
    name = request.query_params.get("site")
    if name is None:
        host = request.headers.get("host", "").partition(":")[0].lower().removeprefix("www.")
        name = index.domains.get(host)
    if name is None and len(index.sites) == 1:
        name = next(iter(index.sites))
    found = index.sites.get(name or "")
    return found.site if found else None


def ads_txt_lines(site: Site, system: str) -> Iterator[str]:
    """The catalog's lines, and the record that authorises this server where none of them does."""
    yield from site.ads_txt
    if site.seller:
        own = (system, seller_id(site), "DIRECT")
        if own not in {record_of(line) for line in site.ads_txt}:
            yield ", ".join(own)


def sellers_of(site: Site) -> Iterator[Mapping[str, Any]]:
    """The site's entry in `sellers.json`, if it has one."""
    seller = site.seller
    if seller is None:
        return
    entry: dict[str, Any] = {"seller_id": seller_id(site), "seller_type": seller.type.upper()}
    if seller.confidential:
        yield {**entry, "is_confidential": 1}
    else:
        yield {**entry, "name": seller.name, "domain": seller.domain}


def chain_of(site: Site, system: str) -> dict[str, Any]:
    """The SupplyChain object of what is sold here first (OpenRTB SupplyChain 1.0)."""
    assert site.seller, "a chain begins with a seller"
    node: dict[str, Any] = {"asi": system, "sid": seller_id(site), "hp": 1}
    if not site.seller.confidential:
        node |= {"name": site.seller.name, "domain": site.seller.domain}
    return {"ver": "1.0", "complete": 1, "nodes": [node]}


def seller_id(site: Site) -> str:
    """The id under which the site's seller is known here."""
    return (site.seller and site.seller.id) or site.name
