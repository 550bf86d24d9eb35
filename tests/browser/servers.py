"""An ASGI app → a real server on a free port; and two small apps: a publisher, a misbehaving ad server.

The misbehaving one exists for what the real server cannot be made to do: answer late, wrongly or not at all.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adserver.catalog.model import Catalog
from adserver.clock import system_clock
from adserver.engines.catalog_store import CatalogStore, sqlite_url
from adserver.measurement.event import Kind, Validity
from adserver.serving.tag import tag_source

Json = dict[str, Any]
CORS = {"Access-Control-Allow-Origin": "*"}


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Runs an app in a thread → its base URL, such as "http://127.0.0.1:40123"."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="warning", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server stopped before it had started"
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive(), "the server did not stop"


class InPieces:
    """An app whose HTML comes tag by tag, as on a slow line or to a parser that a busy machine interrupts."""

    #: Longer than a frame, so that the browser paints the page after each piece.
    PAUSE_SECONDS = 0.02
    #: What follows comes at once; with these, the masthead and all that is above the fold has come.
    PIECES = 140

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        html = False

        async def send_pieces(message: Message) -> None:
            nonlocal html
            if message["type"] == "http.response.start":
                html = any(value.startswith(b"text/html") for _, value in message["headers"])
            elif html:
                *pieces, rest = re.split(rb"(?<=>)", message["body"], maxsplit=self.PIECES)
                for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    await asyncio.sleep(self.PAUSE_SECONDS)
                message = {**message, "body": rest}
            await send(message)

        await self._app(scope, receive, send_pieces)


@dataclass
class PageHost:
    """A publisher's own web server; it also has the creatives' images and the advertiser's page."""

    pages: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    """Path → HTML and response headers."""

    def app(self) -> Starlette:
        """The routes that a reader meets."""
        return Starlette(
            routes=[
                Route("/image/{size}.svg", _image),
                Route("/image/{size}/{variant}.svg", _image),
                Route("/favicon.ico", _nothing),
                Route("/slow.css", _slow_css),
                Route("/advertiser", _advertiser),
                Route("/{path:path}", self._page),
            ]
        )

    async def _page(self, request: Request) -> Response:
        html, headers = self.pages.get(request.url.path, ("", {}))
        return HTMLResponse(html, headers=headers) if html else Response(status_code=404)


async def _nothing(_: Request) -> Response:
    return Response(status_code=204)


async def _slow_css(_: Request) -> Response:
    await asyncio.sleep(0.5)
    return Response(".narrow { width: 300px }", media_type="text/css")


async def _advertiser(_: Request) -> Response:
    return HTMLResponse("<!doctype html><title>Advertiser</title><h1>Buy</h1>")


async def _fill_all(body: Json) -> Response:
    return answer(
        [image_fill(asked["slot"], asked["sizes"][0], f"fill-{i}") for i, asked in enumerate(body["slots"])]
    )


async def _accept(_: Json) -> Response:
    return Response(status_code=204, headers=CORS)


def answer(fills: list[Json]) -> Response:
    """What the real server says, for these fills."""
    return JSONResponse({"request": "r", "catalog": 1, "fills": fills}, headers=CORS)


def image_fill(slot: str, size: str, token: str, **creative: str) -> Json:
    """One entry of an answer, with a drawable image unless `creative` says otherwise."""
    drawn = {"kind": "image", "image": f"/image/{size}.svg", "alt": "An ad", "click": f"/v1/click/{token}"}
    return {
        "slot": slot,
        "fill": token,
        "tier": "house",
        "line_item": "own",
        "size": size,
        "label": "Advertisement",
        "creative": drawn | creative,
    }


@dataclass
class ScriptedAds:
    """An ad server whose two endpoints answer as a test says; it remembers what it was sent."""

    on_fill: Callable[[Json], Awaitable[Response]] = _fill_all
    on_events: Callable[[Json], Awaitable[Response]] = _accept
    fill_requests: list[Json] = field(default_factory=list)
    event_requests: list[Json] = field(default_factory=list)

    def app(self) -> Starlette:
        """The routes that a page meets."""
        return Starlette(
            routes=[
                Route("/tag.js", self._tag),
                Route("/v1/fill", self._fill, methods=["POST"]),
                Route("/v1/events", self._events, methods=["POST"]),
                Route("/image/{size}.svg", _image),
            ]
        )

    def events(self) -> list[tuple[str, str]]:
        """(fill, type) of all events that arrived, repeated ones included."""
        return [(event["fill"], event["type"]) for body in self.event_requests for event in body["events"]]

    async def _tag(self, _: Request) -> Response:
        return Response(tag_source({}), media_type="text/javascript", headers=CORS)

    async def _fill(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.fill_requests.append(body)
        return await self.on_fill(body)

    async def _events(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.event_requests.append(body)
        return await self.on_events(body)


async def _image(request: Request) -> Response:
    width, height = request.path_params["size"].split("x")
    dark = request.path_params.get("variant") == "dark"
    fill = "#123" if dark else "#bdf"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<rect width="100%" height="100%" fill="{fill}"/></svg>'
    )
    return Response(svg, media_type="image/svg+xml")


def after(
    seconds: float, then: Callable[[Json], Awaitable[Response]]
) -> Callable[[Json], Awaitable[Response]]:
    """The same answer, later."""

    async def late(body: Json) -> Response:
        await asyncio.sleep(seconds)
        return await then(body)

    return late


@dataclass(frozen=True)
class RealAds:
    """The real ad server: its base URL, and the file in which its log is."""

    url: str
    db: Path

    def logged(self, kind: Kind) -> int:
        """Events of one kind that count."""
        with closing(sqlite3.connect(self.db)) as connection:
            query = "SELECT count(*) FROM event WHERE kind = ? AND validity = ?"
            count: int = connection.execute(query, (int(kind), int(Validity.VALID))).fetchone()[0]
        return count


def apply_catalog(db: Path, catalog: Catalog) -> None:
    """Puts a catalog into a database, in a thread of its own: Playwright has this one's event loop."""

    async def apply() -> None:
        store = await CatalogStore.open(sqlite_url(db))
        try:
            await store.apply(catalog, author="test", at=system_clock())
        finally:
            await store.close()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, apply()).result()
