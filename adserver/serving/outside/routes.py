"""`/v1/newsletter/…`, `/v1/rss/…`, `/v1/frame/…/KEY.png` → a picture and its link that belong together.

What is in the address, site, slot, issue and place, says which creative it is, for good: the first request
locks it. A picture is answered by a redirect to the creative's own, that nobody may keep; the one it leads to
is what its address says, and may be kept.
"""

from __future__ import annotations

from html import escape
from urllib.parse import quote, urljoin
from xml.sax.saxutils import escape as xml_escape

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adserver.decision.context import Fill
from adserver.engines.sqlite_locks import Lock
from adserver.errors import InvalidInput, StorageFailed
from adserver.serving.disclosure import Said, said_of
from adserver.serving.openrtb.markup import who_of
from adserver.serving.outside.issues import Choosing, Issues, Place, place_of
from adserver.serving.parts import Parts
from adserver.serving.trackers import base_of, pixel
from adserver.web.numbers import register as register_number

register_number()
_log = structlog.get_logger()
#: Under each of these the same places are found; the word is for people and for proxies' rules.
PREFIXES = ("newsletter", "rss", "frame")
HEADERS = {
    "cache-control": "no-store, max-age=0",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
    "cross-origin-resource-policy": "cross-origin",
}
_LABEL = "margin:0;font:11px/16px sans-serif;color:#767676"
_IMAGE = "display:block;border:0;max-width:100%;height:auto"


def routes(parts: Parts, issues: Issues) -> list[BaseRoute]:
    """Pictures, links and what to paste, with and without a position, under each prefix."""
    door = _Door(parts, issues)
    found: list[BaseRoute] = []
    for prefix in PREFIXES:
        for place in ("{issue}", "{issue}/{position:number}"):
            path = f"/v1/{prefix}/{{site}}/{{slot}}/{place}"
            found += [
                Route(f"{path}.png", door.picture),
                Route(f"{path}/click", door.click),
                Route(f"{path}.html", door.snippet),
                Route(f"{path}.xml", door.item),
            ]
    return found


class _Door:
    """The four answers of a place."""

    def __init__(self, parts: Parts, issues: Issues) -> None:
        self._parts = parts
        self._issues = issues

    async def picture(self, request: Request) -> Response:
        """A redirect to the picture; an empty one where nothing stands there."""
        place = self._place(request)
        if place is None:
            return pixel(404)
        lock = (await self._standing(place, count=True)).lock
        if lock is None:
            return pixel()
        if request.method == "GET":
            await self._issues.open(lock, request.scope)
        image = self._image(request, lock, dark=request.query_params.get("theme") == "dark")
        return RedirectResponse(image, 302, HEADERS)

    async def click(self, request: Request) -> Response:
        """A redirect to the landing page of what stands there, and to the site itself where nothing does."""
        place = self._place(request)
        if place is None:
            return Response("There is no such link.", 404, HEADERS, "text/plain")
        parts = self._parts
        lock = (await self._standing(place)).lock
        pieces = parts.live.clicks.get(lock.creative) if lock else None
        if lock is None or pieces is None:
            domain = parts.live.index.sites[place.site].site.domain
            return RedirectResponse(f"https://{domain}/", 302, HEADERS)
        try:
            token = self._issues.click(place, lock, request.scope)
        except Exception:
            parts.counts.errors += 1
            _log.exception("click not recorded")
            token = ""
        return Response(
            status_code=302, headers={**HEADERS, "location": token.encode().join(pieces).decode()}
        )

    async def snippet(self, request: Request) -> Response:
        """HTML to put into a mail or an entry of a feed; empty where nothing stands there. Counts nothing."""
        place = self._place(request)
        if place is None:
            return Response("There is no such place.", 404, HEADERS, "text/plain")
        lock = (await self._standing(place)).lock
        return HTMLResponse(self._markup(request, place, lock) if lock else "", headers=HEADERS)

    async def item(self, request: Request) -> Response:
        """The same as an entry of its own for an RSS feed; empty where nothing stands there."""
        place = self._place(request)
        if place is None:
            return Response("There is no such place.", 404, HEADERS, "text/plain")
        lock = (await self._standing(place)).lock
        text = self._entry(request, place, lock) if lock else ""
        return Response(text, headers=HEADERS, media_type="application/xml")

    def _place(self, request: Request) -> Place | None:
        """The place that an address names, if the catalog has its slot."""
        asked = request.path_params
        index, position = self._parts.live.index, asked.get("position", 1)
        site = index.sites.get(asked["site"])
        if site is None or asked["slot"] not in site.slots:
            return None
        try:
            return place_of(index, asked["site"], asked["slot"], asked["issue"], position)
        except InvalidInput:
            return None

    async def _standing(self, place: Place, *, count: bool = False) -> Choosing:
        """What stands there; nothing, too, where the database cannot be read. `count`: empty slots are."""
        try:
            made = await self._issues.standing(place)
        except StorageFailed as error:
            _log.error("place not locked", error=str(error))
            made = Choosing(None, "error")
        except Exception:
            self._parts.counts.errors += 1
            _log.exception("place not locked")
            made = Choosing(None, "error")
        if count and made.lock is None:
            self._issues.count_empty(place, made.reason)
        return made

    def _image(self, request: Request, lock: Lock, *, dark: bool) -> str:
        """Its creative's picture of now, or that of when it was locked if the creative is archived."""
        creative = self._parts.live.creatives.get(lock.creative)
        image, image_dark = lock.image, lock.image_dark
        if creative is not None and creative.image:
            image, image_dark = creative.image, creative.image_dark
        chosen = image_dark if dark and image_dark else image
        return urljoin(f"{base_of(request.scope, self._parts.settings)}/", chosen)

    def _address(self, request: Request, place: Place) -> str:
        prefix = request.url.path.split("/")[2]
        end = f"/{place.position}" if place.position > 1 else ""
        where = f"{quote(place.site)}/{quote(place.slot)}/{place.issue}{end}"
        return f"{base_of(request.scope, self._parts.settings)}/v1/{prefix}/{where}"

    def _markup(self, request: Request, place: Place, lock: Lock) -> str:
        address = escape(self._address(request, place))
        width, height = lock.size.split("x")
        dark = ""
        if lock.image_dark:
            dark = f'<source srcset="{address}.png?theme=dark" media="(prefers-color-scheme: dark)">'
        return (
            f'<p style="{_LABEL}">{_told(self._said(place, lock))}</p>'
            f'<a href="{address}/click" rel="sponsored nofollow"><picture>{dark}<img src="{address}.png"'
            f' alt="{escape(lock.alt)}" width="{width}" height="{height}" style="{_IMAGE}"></picture></a>'
        )

    def _entry(self, request: Request, place: Place, lock: Lock) -> str:
        address = xml_escape(self._address(request, place))
        label = self._said(place, lock).label
        return (
            f"<item><title>{xml_escape(f'{label}: {lock.alt}')}</title><link>{address}/click</link>"
            f'<guid isPermaLink="false">{address}</guid><category>{xml_escape(label)}</category>'
            f"<description>{xml_escape(self._markup(request, place, lock))}</description></item>"
        )

    def _said(self, place: Place, lock: Lock) -> Said:
        """The label, and who is behind the ad as far as the catalog of now says."""
        index = self._parts.live.index
        label = index.sites[place.site].slots[place.slot].slot.label
        position = index.positions.get(lock.item)
        choices = () if position is None else index.choices[position]
        for choice in choices:
            if choice.creative_id == lock.creative:
                return said_of(index, Fill(place.slot, place.slot_id, label, choice))
        return Said(label, ())


def _told(said: Said) -> str:
    """What stands above an ad, all of it: in a mail nothing can be opened."""
    lines = [f"{escape(what)}: {who_of(*who)}" for what, *who in said.lines]
    return " · ".join([escape(said.label), *lines])
