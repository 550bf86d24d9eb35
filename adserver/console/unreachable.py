"""A database that cannot be read or written just now → a page that says so, instead of a fault."""

from __future__ import annotations

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adserver.console.pages import message
from adserver.errors import StorageFailed

_log = structlog.get_logger()
_SENTENCE = "Nothing of what was asked for was stored. Go back and try again in a moment."


class Unreachable:
    """Around all screens, those too that are open to everybody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(part: Message) -> None:
            nonlocal begun
            begun = True
            await send(part)

        try:
            await self._app(scope, receive, noting)
        except StorageFailed as error:
            if begun:
                raise
            _log.error("a screen cannot reach the database", error=str(error))
            answer = message("The database cannot be reached", _SENTENCE, 503)
            answer.headers["Retry-After"] = "1"
            await answer(scope, receive, send)
