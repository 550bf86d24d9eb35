"""Addresses below /demo → pages of the invented newspaper, on which the demo's ads are seen."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adserver.clock import Clock, to_ms
from adserver.demo.articles import SECTIONS, article_at
from adserver.demo.catalog import ZONE
from adserver.demo.pages import Draft, Pages
from adserver.demo.readers import Readers

STATIC = Path(__file__).parent / "static"
MAX_FORM_BYTES = 16_384
MAX_FORM_FIELDS = 8
#: An html creative comes in a sandboxed srcdoc frame that inherits this policy; its styles are its own inline
#: ones, so 'unsafe-inline' must be allowed for styles. The pages themselves hold none.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self' about:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_ADVERTISER = re.compile(r"[a-z0-9-]{1,63}")
_FILL = re.compile(r"[A-Za-z0-9_-]{1,200}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NOWHERE = "This page is not in the paper"
_NOWHERE_SENTENCE = "The address may be mistyped, or the article has been withdrawn."


def routes(clock: Clock) -> list[BaseRoute]:
    """The newsroom at /demo, and a redirect from / to it. `clock` gives aware UTC now."""
    readers = Readers()
    pages = Pages(clock, readers)
    inner: list[BaseRoute] = [
        Mount("/static", StaticFiles(directory=STATIC)),
        *_reading(pages, clock),
        *_writing(pages, readers, clock),
    ]

    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException), "only what the router and the static files refuse comes here"
        if error.status_code == 404:
            return _not_found(pages)
        sentence = "The newsroom does not answer this kind of request."
        return HTMLResponse(pages.message(error.detail, sentence), error.status_code, error.headers)

    middleware = [
        Middleware(Guarded),
        Middleware(ExceptionMiddleware, handlers={HTTPException: refused}),
    ]

    async def home(_request: Request) -> Response:
        return RedirectResponse("/demo/", 302)

    return [Route("/", home), Mount("/demo", routes=inner, middleware=middleware)]


class Guarded:
    """Puts the policy and its companions on every answer below /demo, static files included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_guarded)


def _reading(pages: Pages, clock: Clock) -> list[BaseRoute]:
    async def front(_request: Request) -> Response:
        return _page(pages.front())

    async def archive(request: Request) -> Response:
        text = request.query_params.get("date", "")
        day = _date(text) if text else clock().astimezone(ZONE).date()
        if day is None:
            sentence = "Please give the day as year, month and day, for example 2026-11-24."
            return _page(pages.archive_refused(sentence), 400)
        return _page(pages.archive(day))

    async def section(request: Request) -> Response:
        name = request.path_params["section"]
        return _page(pages.section(name)) if name in SECTIONS else _not_found(pages)

    async def article(request: Request) -> Response:
        found = article_at(**request.path_params)
        return _page(pages.article(found)) if found else _not_found(pages)

    async def advertiser(request: Request) -> Response:
        return _landing(pages, request, "")

    async def order(request: Request) -> Response:
        return _landing(pages, request, f"demo-{to_ms(clock())}")

    async def newsletter(_request: Request) -> Response:
        return _page(pages.newsletter())

    return [
        Route("/", front),
        Route("/archive", archive),
        Route("/newsletter", newsletter, methods=["GET"]),
        Route("/advertiser/{name}", advertiser),
        Route("/advertiser/{name}/order", order),
        Route("/{section}", section),
        Route("/{section}/{slug}", article),
    ]


def _writing(pages: Pages, readers: Readers, clock: Clock) -> list[BaseRoute]:
    async def sign_up(request: Request) -> Response:
        fields = await _form(request)
        if fields is None:
            return _too_large(pages)
        email = fields.get("email", "")
        problem = readers.sign_up(email)
        if problem:
            return _page(pages.newsletter(problem, email), 400)
        return _page(pages.newsletter_thanks())

    async def comment(request: Request) -> Response:
        article = article_at(**request.path_params)
        if article is None:
            return _not_found(pages)
        fields = await _form(request)
        if fields is None:
            return _too_large(pages)
        name, text = fields.get("name", ""), fields.get("comment", "")
        problem = readers.comment(article, name, text, clock())
        if problem:
            return _page(pages.article(article, Draft(name, text, problem)), 400)
        return RedirectResponse(f"{article.path}#comments", 303)

    return [
        Route("/newsletter", sign_up, methods=["POST"]),
        Route("/{section}/{slug}/comments", comment, methods=["POST"]),
    ]


def _landing(pages: Pages, request: Request, order: str) -> Response:
    """An advertiser's page, for whoever came there by an ad, or without."""
    name, fill = request.path_params["name"], request.query_params.get("ad", "")
    if not _ADVERTISER.fullmatch(name):
        return _not_found(pages)
    return _page(pages.advertiser(name, fill, order) if _FILL.fullmatch(fill) else pages.advertiser(name))


def _page(html: str, status: int = 200) -> Response:
    return HTMLResponse(html, status, {"Cache-Control": "no-cache"})


def _not_found(pages: Pages) -> Response:
    return _page(pages.message(_NOWHERE, _NOWHERE_SENTENCE), 404)


def _too_large(pages: Pages) -> Response:
    return _page(pages.message("That was too much", "Please send us something shorter."), 413)


def _date(text: str) -> date | None:
    """What a date picker sends → the day, None when it is not one."""
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a URL-encoded form, the last of each name, others empty; None when it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return None
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=MAX_FORM_FIELDS)
    except ValueError:  # more fields than any form of ours has
        return None
    return {name: values[-1] for name, values in fields.items()}
