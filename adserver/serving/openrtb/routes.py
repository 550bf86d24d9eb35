"""`/openrtb2/…` → bids, and what exchanges report of them.

A win changes nothing that is counted. A bid is billed when its ad was drawn, which its own impression reports
as well as the billing notice does: whichever comes first counts, once, at the price that the token proves. A
price in the address of a notice is not looked at.
"""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from adserver.serving.edge import Headers, TooLarge, read_body, respond
from adserver.serving.openrtb.bids import answer_auction
from adserver.serving.openrtb.request import read_auction
from adserver.serving.parts import Parts
from adserver.serving.trackers import base_of, pixel, record
from adserver.serving.wire import Unreadable

_log = structlog.get_logger()
_VERSION = (b"x-openrtb-version", b"2.6")
_NO_STORE = (b"cache-control", b"no-store")
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_NOSNIFF = (b"x-content-type-options", b"nosniff")


def routes(parts: Parts) -> list[BaseRoute]:
    """What exchanges, and Prebid.js, talk to."""

    async def win(request: Request) -> Response:
        """A win notice. Nothing hangs on it, so it may come twice, or never."""
        if parts.key.read(request.path_params["token"]) is None:
            parts.counts.forged += 1
        return pixel()

    async def billed(request: Request) -> Response:
        """A billing notice: the impression of a fill, as every other that is reported of it."""
        return await record(parts, request, "impression", request.path_params["token"])

    return [
        Route("/openrtb2/auction", AuctionDoor(parts)),
        Route("/openrtb2/win/{token}", win),
        Route("/openrtb2/billed/{token}", billed),
    ]


class AuctionDoor:
    """ASGI: `POST /openrtb2/auction`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 200 with bids, 204 without, 400 with a sentence."""
        parts, headers = self._parts, _open_to(scope)
        if scope["method"] == "OPTIONS":
            allowed = [(b"access-control-allow-methods", b"POST"), (b"access-control-max-age", b"86400")]
            allowed.append((b"access-control-allow-headers", b"content-type, x-openrtb-version"))
            await respond(send, 204, [*allowed, *headers])
            return
        if scope["method"] != "POST":
            await respond(send, 405, [(b"allow", b"POST, OPTIONS"), _TEXT, *headers], b"Use POST.")
            return
        try:
            body = await read_body(receive, parts.settings.max_auction_bytes)
            if body is None:
                return
            answer = self._answer(scope, body)
        except TooLarge:
            sentence = f"The body is longer than {parts.settings.max_auction_bytes} bytes."
            await respond(send, 413, [_TEXT, _NOSNIFF, *headers], sentence.encode())
        except Unreadable as error:
            parts.counts.unreadable += 1
            sentence = str(error)
            await respond(send, 400, [_TEXT, _NOSNIFF, *headers], sentence.encode("utf-8", "replace"))
        else:
            if answer is None:
                await respond(send, 204, headers)
            else:
                await respond(send, 200, [_JSON, *headers], answer)

    def _answer(self, scope: Scope, body: bytes) -> bytes | None:
        """Raises Unreadable. A fault of ours is no bid: logged and counted, as on pages."""
        auction, wanted = read_auction(body)
        try:
            return answer_auction(self._parts, auction, wanted, scope, base_of(scope, self._parts.settings))
        except Exception:
            self._parts.counts.errors += 1
            _log.exception("bid request failed")
            return None


def _open_to(scope: Scope) -> Headers:
    """Prebid.js sends its requests with credentials, so the origin must be named; no cookie is looked at."""
    origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
    headers = [_VERSION, _NO_STORE, (b"vary", b"origin")]
    if origin is not None:
        headers += [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
    return headers
