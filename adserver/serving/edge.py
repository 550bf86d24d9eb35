"""`/v1/fill`, `/v1/events`, `/v1/conversion`, `/v1/click/…` → answers, as plain ASGI in front of all else.

A page must never break because of us. What can be read is answered 200, and an unexpected fault of ours turns
into slots that stay empty (`error`), logged and counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adserver.clock import to_ms
from adserver.errors import Overloaded, StorageFailed
from adserver.measurement.event import Event, Kind, Validity, event_of
from adserver.measurement.token import FillToken
from adserver.serving.conversions import SENTENCES, order_of, record
from adserver.serving.fill import answer_errors, answer_fill
from adserver.serving.parts import Parts
from adserver.serving.visitor import visitor_of
from adserver.serving.wire import Unreadable, read_conversion, read_events, read_fill

_log = structlog.get_logger()
Headers = list[tuple[bytes, bytes]]

_OPEN: Headers = [(b"access-control-allow-origin", b"*"), (b"cache-control", b"no-store")]
_JSON: Headers = [(b"content-type", b"application/json"), *_OPEN]
_TEXT: Headers = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"x-content-type-options", b"nosniff"),
    *_OPEN,
]
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"content-type"),
    (b"access-control-max-age", b"86400"),
    *_OPEN,
]
_KINDS = {
    "impression": Kind.IMPRESSION,
    "measurable": Kind.MEASURABLE,
    "viewable": Kind.VIEWABLE,
    "unfilled": Kind.UNFILLED,
    "no_answer": Kind.NO_ANSWER,
}
_CLICK = "/v1/click/"


class TooLarge(Exception):
    """A body is longer than the setting allows."""


class Edge:
    """ASGI: answers the hot paths, and hands all others to the application behind it."""

    def __init__(self, parts: Parts, app: ASGIApp) -> None:
        self.parts = parts
        self._app = app
        self._posts: dict[str, Callable[[Scope, bytes, Send], Awaitable[None]]] = {
            "/v1/fill": self._fill,
            "/v1/events": self._events,
            "/v1/conversion": self._conversion,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "http":
            path: str = scope["path"]
            endpoint = self._posts.get(path)
            if endpoint is not None:
                await self._post(endpoint, scope, receive, send)
                return
            if path.startswith(_CLICK):
                await self._click(scope, path[len(_CLICK) :], send)
                return
        await self._app(scope, receive, send)

    async def _post(
        self,
        endpoint: Callable[[Scope, bytes, Send], Awaitable[None]],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        if scope["method"] == "OPTIONS":
            await respond(send, 204, _PREFLIGHT)
            return
        if scope["method"] != "POST":
            await respond(send, 405, [(b"allow", b"POST, OPTIONS"), *_TEXT], b"Use POST.")
            return
        try:
            body = await read_body(receive, self.parts.settings.max_body_bytes)
        except TooLarge:
            bound = self.parts.settings.max_body_bytes
            await respond(send, 413, _TEXT, f"The body is longer than {bound} bytes.".encode())
            return
        if body is None:
            return
        try:
            await endpoint(scope, body, send)
        except Unreadable as error:
            self.parts.counts.unreadable += 1
            await respond(send, 400, _TEXT, str(error).encode("utf-8", "replace"))

    async def _fill(self, scope: Scope, body: bytes, send: Send) -> None:
        parts = self.parts
        request = read_fill(body, parts.settings)
        parts.counts.page_requests += 1
        began = perf_counter()
        try:
            text = answer_fill(parts, request, scope)
        except Exception:
            parts.counts.errors += 1
            _log.exception("page request failed", site=request.site)
            text = answer_errors(parts, request)
        parts.took(perf_counter() - began)
        await respond(send, 200, _JSON, text)

    async def _events(self, scope: Scope, body: bytes, send: Send) -> None:
        parts = self.parts
        now_ms = to_ms(parts.clock())
        events: list[Event] = []
        asks = read_events(body, parts.settings)
        found = parts.screen.events(visitor_of(scope), now_ms, len(asks))
        parts.counts.count_invalid(found)
        read, windows, day_of = parts.key.read, parts.windows, parts.day_of
        for ask in asks:
            token = read(ask.fill)
            if token is None:
                parts.counts.forged += 1
            else:
                events.append(event_of(token, _KINDS[ask.type], now_ms, windows, day_of, found))
        if events:
            try:
                await parts.log.append(events)
            except (Overloaded, StorageFailed):
                sentence = b"The events could not be written; send them again."
                await respond(send, 503, [(b"retry-after", b"1"), *_TEXT], sentence)
                return
        await respond(send, 204, _OPEN)

    async def _conversion(self, scope: Scope, body: bytes, send: Send) -> None:
        """An order from an advertiser's server, which is no browser and is not judged as one."""
        ask = read_conversion(body)
        order = order_of(ask, self.parts.settings.max_order_chars)
        status = await record(self.parts, ask.fill, order, Validity.VALID)
        if status in SENTENCES:
            await respond(send, status, _TEXT, SENTENCES[status].encode())
            return
        await respond(send, status, _OPEN)

    async def _click(self, scope: Scope, text: str, send: Send) -> None:
        """Redirect to the stored URL whatever becomes of the recording, and nowhere else."""
        if scope["method"] not in ("GET", "HEAD"):
            await respond(send, 405, [(b"allow", b"GET, HEAD"), *_TEXT], b"Use GET.")
            return
        parts = self.parts
        token = parts.key.read(text)
        pieces = parts.live.clicks.get(token.creative_id) if token else None
        if token is None or pieces is None:
            parts.counts.forged += 1
            await respond(send, 404, _TEXT, b"There is no such click.")
            return
        parts.counts.clicks += 1
        try:
            self._record_click(scope, token)
        except Overloaded:
            pass  # counted as shed by the log
        except Exception:
            parts.counts.errors += 1
            _log.exception("click not recorded")
        await respond(send, 302, [(b"location", text.encode().join(pieces)), *_OPEN])

    def _record_click(self, scope: Scope, token: FillToken) -> None:
        """Queue a click with what it was found to be; nobody waits for it. Raises Overloaded."""
        parts = self.parts
        now_ms = to_ms(parts.clock())
        found = parts.screen.click(visitor_of(scope), now_ms, head=scope["method"] == "HEAD")
        parts.counts.count_invalid(found)
        parts.log.append([event_of(token, Kind.CLICK, now_ms, parts.windows, parts.day_of, found)])


async def read_body(receive: Receive, bound: int) -> bytes | None:
    """The whole body; None when the client went away. Raises TooLarge without reading on."""
    message: Message = await receive()
    if message["type"] != "http.request":
        return None
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > bound:
            raise TooLarge
        return body
    pieces, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > bound:
            raise TooLarge
    return b"".join(pieces)


async def respond(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """Send a whole response at once. A 204 has no length (RFC 9110, 8.6)."""
    start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": headers}
    if status != 204:
        start["headers"] = [(b"content-length", str(len(body)).encode()), *headers]
    await send(start)
    await send({"type": "http.response.body", "body": body})
