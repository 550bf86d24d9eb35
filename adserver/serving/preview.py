"""A signed address that expires → one creative, in its size, light and dark, for whoever was sent it.

Nothing of it is counted, and nobody needs an account: it shows one creative, approved or not, to those who
have the address, and for as long as that says. Its links lead to the landing page itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from adserver.catalog.creative import Creative
from adserver.catalog.fields import FILL_MACRO
from adserver.clock import from_ms, to_ms
from adserver.serving.frame import CREATIVE_HEADERS, DOCUMENT_HEADERS, document, drawing
from adserver.serving.openrtb.markup import with_click
from adserver.serving.parts import Parts
from adserver.serving.preview_token import Preview

_HEADERS = {**DOCUMENT_HEADERS, "referrer-policy": "no-referrer"}
_THEMES = ("light", "dark")


def routes(parts: Parts) -> list[BaseRoute]:
    """The page, the two frames in it, and what they are made of."""

    def opened(
        answer: Callable[[Request, Preview, Creative], Response],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            preview = parts.preview_key.read(request.path_params["token"])
            creative = parts.live.creatives.get(preview.creative_id) if preview else None
            if preview is None or creative is None:
                return _sorry("There is no such preview.", 404)
            if to_ms(parts.clock()) >= preview.until * 1000:
                return _sorry("This preview has expired. Ask whoever sent it for another.", 410)
            return answer(request, preview, creative)

        return checked

    def page(request: Request, preview: Preview, creative: Creative) -> Response:
        return HTMLResponse(_page(request.path_params["token"], preview, creative), headers=_HEADERS)

    def frame(request: Request, _preview: Preview, creative: Creative) -> Response:
        theme, token = request.path_params["theme"], request.path_params["token"]
        if theme not in _THEMES:
            return _sorry("There is no such theme.", 404)
        return HTMLResponse(document(_unit(creative, token, theme), theme), headers=_HEADERS)

    def html(_request: Request, _preview: Preview, creative: Creative) -> Response:
        text = with_click(creative.html or "", _landing(creative))
        return HTMLResponse(text, headers=CREATIVE_HEADERS)

    style = files("adserver.serving").joinpath("static/preview.css").read_bytes()
    age = {"cache-control": f"public, max-age={parts.settings.tag_cache_seconds}"}
    return [
        Route("/v1/preview.css", Response(style, media_type="text/css", headers=age)),
        Route("/v1/preview/{token}", opened(page)),
        Route("/v1/preview/{token}/html", opened(html)),
        Route("/v1/preview/{token}/{theme}", opened(frame)),
    ]


def _sorry(sentence: str, status: int) -> Response:
    return HTMLResponse(_outline("Preview", f"<main><p>{sentence}</p></main>"), status, _HEADERS)


def _outline(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="/v1/preview.css">'
        f"</head><body>{body}</body></html>"
    )


def _page(token: str, preview: Preview, creative: Creative) -> str:
    until = from_ms(preview.until * 1000)
    width, height = _room(creative)
    panes = "".join(
        f'<figure class="{theme}"><figcaption>{theme.capitalize()}</figcaption>'
        '<div class="scroll" tabindex="0">'
        f'<iframe src="/v1/preview/{token}/{theme}" width="{width}" height="{height}"'
        f' title="{theme.capitalize()} variant"></iframe></div></figure>'
        for theme in _THEMES
    )
    facts = [creative.kind.capitalize(), creative.size.replace("x", " × ")]
    facts.append("approved" if creative.approved else "not approved yet")
    landing = _landing(creative)
    leads = f'<p>Leads to <a href="{escape(landing)}">{escape(landing)}</a></p>' if landing else ""
    return _outline(
        creative.name,
        f"<main><header><h1>{escape(creative.name)}</h1><p>{escape(' · '.join(facts))}</p>{leads}</header>"
        f'{panes}<footer>For whoever has this address, until <time datetime="{until:%Y-%m-%dT%H:%MZ}">'
        f"{until:%-d %B %Y, %H:%M} UTC</time>. Nothing here is counted.</footer></main>",
    )


def _room(creative: Creative) -> tuple[int, int]:
    """The frame's size: a video's is that of its first file, within a page's width."""
    if creative.media:
        file = creative.media[0]
        width = min(file.width, 640)
        return width, width * file.height // file.width
    width, height = map(int, creative.size.split("x"))
    return width, height


def _unit(creative: Creative, token: str, theme: str) -> str:
    label = '<div class="label">Advertisement</div>'
    if creative.media:
        width, height = _room(creative)
        sources = "".join(
            f'<source src="{escape(file.url)}" type="{escape(file.type)}">' for file in creative.media
        )
        return f'<div class="unit"><video controls width="{width}" height="{height}">{sources}</video></div>'
    if creative.kind == "network":
        return '<div class="unit"><p>An ad unit of AdSense, which is filled on the site only.</p></div>'
    drawn = drawing(creative, f"/v1/preview/{token}/html", _landing(creative), theme)
    return f'<div class="unit">{drawn}{label}</div>'


def _landing(creative: Creative) -> str:
    return (creative.click or "").replace(FILL_MACRO, "")
