"""The address of a page with `.pdf` or `.png` behind it → the page, printed, for whoever may read it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import structlog
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.answers import HEADERS
from dashboards.frame import PRINTS, START
from dashboards.printing import NotPrinted, Printer

_log = structlog.get_logger()
_FORMS = {".pdf": "application/pdf", ".png": "image/png"}
_ADDRESS = re.compile(r"(?P<page>.*/(?P<name>[\w-]+))(?P<form>\.pdf|\.png)")
#: Of a query, what names the file.
_NAMING = ("site", "advertiser", "line_item", "section", "period", "month", "from", "to")
_NO_BROWSER = "This server cannot print: it needs Chromium and `pip install adserver[export]`."
_NO_PAGE = "There is no page of this name to be printed."
_NOT_PRINTED = "The page could not be printed just now; try again in a moment."


class PrintForms:
    """Asks the application behind it for the page, as whoever asked for its print."""

    def __init__(self, app: ASGIApp, printer: Printer | None, name: str = "") -> None:
        """`name`: what files are called where an address is a secret; else by the address."""
        self._app = app
        self._printer = printer
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = _ADDRESS.fullmatch(scope["path"])
        if found is None or scope["method"] != "GET":
            PRINTS.set(self._printer is not None)
            await self._app(scope, receive, send)
            return
        answer = await self._printed(scope, receive, found)
        await answer(scope, receive, send)

    async def _printed(self, scope: Scope, receive: Receive, found: re.Match[str]) -> Response:
        if self._printer is None:
            return PlainTextResponse(f"{_NO_BROWSER}\n", 501, HEADERS)
        page, form, name = found["page"], found["form"], self._name or found["name"]
        if found["name"] == START:
            page = page.removesuffix(START)
        status, headers, body = await _answer(self._app, {**scope, "path": page}, receive)
        media_type = headers.pop("content-type", "")
        if status != 200:
            return Response(body, status, headers, media_type)
        if not media_type.startswith("text/html"):
            return PlainTextResponse(f"{_NO_PAGE}\n", 404, HEADERS)
        print_as = self._printer.pdf if form == ".pdf" else self._printer.picture
        query = scope["query_string"].decode("latin-1")
        try:
            printed = await print_as(body.decode(), f"{page}?{query}")
        except NotPrinted as error:
            _log.error("a page was not printed", page=name, error=str(error))
            return PlainTextResponse(f"{_NOT_PRINTED}\n", 503, {**HEADERS, "Retry-After": "5"})
        asked = dict(parse_qsl(query))
        parts = [name, *(asked[name] for name in _NAMING if name in asked)]
        named = "-".join(word for part in parts for word in re.findall(r"[\w.-]+", part, re.ASCII))
        headers["content-disposition"] = f'inline; filename="{named[:120]}{form}"'
        return Response(printed, 200, headers, _FORMS[form])


async def _answer(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[int, dict[str, str], bytes]:
    """Status, headers without those of the body's form, and body, uncompressed."""
    asked = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    inner = {**scope, "headers": asked, "raw_path": scope["path"].encode()}
    await app(inner, receive, keep)
    start = messages[0]
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    headers.pop("content-length", None)
    return start["status"], headers, b"".join(message.get("body", b"") for message in messages[1:])
