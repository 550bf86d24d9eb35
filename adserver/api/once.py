"""A request with an `Idempotency-Key` → done once, however often it is sent.

As in the draft of the IETF (draft-ietf-httpapi-idempotency-key-header): the same request with the same key
gets the answer of the first one again; another request with it is refused. Keys are each user's own.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adserver.clock import Clock, to_ms
from adserver.engines.answer_store import AnswerStore, Kept
from adserver.errors import StorageFailed
from adserver.web.door import principal_of
from adserver.web.problems import problem

_KEPT = timedelta(hours=24)
_MOST_KEY_CHARS = 200
#: Answers that hold a secret, which is told once and kept nowhere.
_SECRETS = ("/tokens", "/users", "/proofs")
_BAD_KEY = f"Idempotency-Key: needs 1 to {_MOST_KEY_CHARS} printable characters."
_OTHER = "Idempotency-Key: was used for another request."
_RUNNING = "A request with this Idempotency-Key is being answered, or was cut off: look what it has done."
_TOO_LONG = "The body is too long to be sent with an Idempotency-Key."
_UNREACHABLE = "The database cannot be reached just now; send it again, with the same key."
_TOLD = "This was done already; the secret in its answer is told once only."


_log = structlog.get_logger()


class Once:
    """Around the API, behind the door."""

    def __init__(self, app: ASGIApp, store: AnswerStore, clock: Clock, most_bytes: int) -> None:
        self._app = app
        self._store = store
        self._clock = clock
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        key = request.headers.get("idempotency-key")
        if key is None:
            await self._app(scope, receive, send)
            return
        if not 1 <= len(key) <= _MOST_KEY_CHARS or not key.isprintable():
            await problem(_BAD_KEY, 422)(scope, receive, send)
            return
        body = await self._body(request)
        if body is None:
            await problem(_TOO_LONG, 413)(scope, receive, send)
            return
        try:
            await self._once(request, key, body, send)
        except StorageFailed as error:
            _log.error("a key cannot be looked up or kept", error=str(error))
            await problem(_UNREACHABLE, 503, {"retry-after": "1"})(scope, receive, send)

    async def _body(self, request: Request) -> bytes | None:
        """The whole body; None where it is too long."""
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._most_bytes:
                return None
        return bytes(body)

    async def _once(self, request: Request, key: str, body: bytes, send: Send) -> None:
        scope, user_id, now = request.scope, principal_of(request).user_id, self._clock()
        mark = _fingerprint(request, body)
        known = await self._store.begin(user_id, key, mark, to_ms(now), to_ms(now - _KEPT))
        if known is not None:
            await _again(request, known, mark)(scope, request.receive, send)
            return
        heard = _Heard()
        try:
            await self._app(scope, _replayed(body), heard)
        finally:
            # Kept before it is sent, so that whoever asks at once again finds it.
            if heard.status is None or heard.status >= 500:
                await self._store.forget(user_id, key)
            else:
                told = b"" if _holds_secret(request) else bytes(heard.body)
                await self._store.keep(user_id, key, heard.status, heard.headers, told)
        for message in heard.messages:
            await send(message)


def _again(request: Request, known: Kept, mark: str) -> Response:
    """What is answered to the second request with a key."""
    if known.fingerprint != mark:
        return problem(_OTHER, 422)
    if known.status is None:
        return problem(_RUNNING, 409)
    if known.status < 300 and _holds_secret(request):
        return problem(_TOLD, 409)
    return Response(known.body, known.status, {**known.headers, "idempotency-replayed": "true"})


def _holds_secret(request: Request) -> bool:
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return path.startswith(_SECRETS)


def _fingerprint(request: Request, body: bytes) -> str:
    """What makes two requests the same."""
    parts = (request.method, request.url.path, request.url.query, request.headers.get("if-match", ""))
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + body).hexdigest()


def _replayed(body: bytes) -> Receive:
    """The body that was read already, for the app."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


class _Heard:
    """Takes an answer down instead of sending it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in message["headers"]
                if name.lower() not in (b"content-length", b"date", b"server")
            }
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
        self.messages.append(message)
