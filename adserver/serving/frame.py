"""`GET /v1/frame/{site}/{slot}` → a document for an iframe that shows one fill, with script or without.

Its impression is an image of its own, so that it needs no script; where there is one, it also reports whether
it was seen, as far as a frame can know that. What it is made of comes from this server alone, by its
Content-Security-Policy; HTML of an advertiser stands in a frame of its own within, without an origin.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from adserver.catalog.creative import Creative
from adserver.decision.context import Ask
from adserver.serving.disclosure import said_of
from adserver.serving.openrtb.markup import FRAME, Looks, label_of, ratio_of, with_click
from adserver.serving.parts import Parts
from adserver.serving.single import Filled, fill_one, request_in, sizes_in
from adserver.serving.trackers import base_of

_log = structlog.get_logger()
#: Images may be anywhere; all else is this server's.
_POLICY = (
    "default-src 'none'; img-src * data:; media-src *; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'"
)
DOCUMENT_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}
#: Of HTML of an advertiser, wherever it is opened: no origin, and so no hold on this server or any other.
CREATIVE_HEADERS = {
    **DOCUMENT_HEADERS,
    "content-security-policy": f"sandbox {FRAME}; base-uri 'none'; form-action 'none'",
}
_LOOKS = Looks('class="label"', 'class="label"', "")


def routes(parts: Parts) -> list[BaseRoute]:
    """The document, and the files that it is made of."""

    async def frame(request: Request) -> Response:
        return HTMLResponse(_answer(parts, request), headers=DOCUMENT_HEADERS)

    async def creative(request: Request) -> Response:
        return _html_of_fill(parts, request)

    return [
        Route("/v1/frame.js", _file("auction.js", "text/javascript", parts.settings.tag_cache_seconds)),
        Route("/v1/frame.css", _file("frame.css", "text/css", parts.settings.tag_cache_seconds)),
        Route("/v1/frame/{site}/{slot}", frame),
        Route("/v1/creative/{token}", creative),
    ]


def _file(name: str, media_type: str, seconds: int) -> Response:
    """A file of ours as an ASGI app: a response of Starlette answers any number of requests."""
    body = files("adserver.serving").joinpath(f"static/{name}").read_bytes()
    headers = {"cache-control": f"public, max-age={seconds}", "x-content-type-options": "nosniff"}
    return Response(body, media_type=media_type, headers=headers)


def _answer(parts: Parts, request: Request) -> str:
    """The document; an empty one where nothing fills the slot, and where that is a fault of ours."""
    site, slot = request.path_params["site"], request.path_params["slot"]
    theme = request.query_params.get("theme")
    if request.method == "HEAD":
        return document("", theme)  # nobody will see anything
    parts.counts.page_requests += 1
    try:
        ask = Ask(slot[:200], sizes_in(request.query_params))
        made = fill_one(parts, request_in(site, ask, request.query_params, parts.settings), request.scope)
        return document(_unit(parts, made, theme) if isinstance(made, Filled) else "", theme)
    except Exception:
        parts.counts.errors += 1
        _log.exception("frame failed", site=site)
        return document("", theme)


def document(body: str, theme: str | None) -> str:
    """A whole document; `theme` "light" or "dark", or else as the reader's system says."""
    shown = f' class="{theme}"' if theme in ("light", "dark") else ""
    return (
        f'<!doctype html><html lang="en"{shown}><head><meta charset="utf-8"><title>Advertisement</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/v1/frame.css">'
        f"</head><body>{body}</body></html>"
    )


def _unit(parts: Parts, filled: Filled, theme: str | None) -> str:
    fill, token = filled
    creative = fill.choice.creative
    width, height = map(int, creative.size.split("x"))
    label = label_of(said_of(parts.live.index, fill), _LOOKS)
    drawn = drawing(creative, f"/v1/creative/{token}", f"/v1/click/{token}", theme)
    facts = f'data-base="" data-fill="{token}" data-ratio="{ratio_of(width, height)}"'
    return (
        f'<div class="unit">{drawn}{label}</div>'
        f'<img class="pixel" src="/v1/events/impression/{token}" alt="">'
        f'<script src="/v1/frame.js" {facts}></script>'
    )


def drawing(creative: Creative, source: str, click: str, theme: str | None) -> str:
    """A creative: an image that is a link, or a frame of HTML. `source`: where its HTML is answered."""
    width, height = creative.size.split("x")
    if creative.html is not None:
        return (
            f'<iframe sandbox="{FRAME}" src="{escape(source)}" width="{width}" height="{height}"'
            ' scrolling="no" referrerpolicy="no-referrer" title="Advertisement"></iframe>'
        )
    image, dark = creative.image or "", creative.image_dark
    if dark and theme == "dark":
        image = dark
    switches = bool(dark) and theme not in ("light", "dark")
    variant = (
        f'<source srcset="{escape(dark or "")}" media="(prefers-color-scheme: dark)">' if switches else ""
    )
    return (
        f'<a href="{escape(click)}" target="_blank" rel="noopener sponsored nofollow"><picture>{variant}'
        f'<img src="{escape(image)}" alt="{escape(creative.alt or "")}" width="{width}" height="{height}">'
        "</picture></a>"
    )


def _html_of_fill(parts: Parts, request: Request) -> Response:
    """The HTML of a fill's creative. Only a token of ours opens it, so nobody can have it show another's."""
    token = request.path_params["token"]
    fill = parts.key.read(token)
    creative = parts.live.creatives.get(fill.creative_id) if fill else None
    if creative is None or creative.html is None:
        return Response("There is no such creative.", 404, DOCUMENT_HEADERS, "text/plain")
    click = f"{base_of(request.scope, parts.settings)}/v1/click/{token}" if creative.click else ""
    return HTMLResponse(with_click(creative.html, click), headers=CREATIVE_HEADERS)
