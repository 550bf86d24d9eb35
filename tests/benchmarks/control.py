"""A request's body → a fixed small answer: the least that a server on uvicorn does, as a measure for ours."""

from __future__ import annotations

import sys

from starlette.types import Receive, Scope, Send

from adserver.commands.serve import run
from adserver.settings import Settings

_ANSWER = b'{"request":"0","catalog":0,"tally":"","fills":[]}'
_HEADERS = [(b"content-length", str(len(_ANSWER)).encode()), (b"content-type", b"application/json")]


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI: reads the whole body, decides nothing, answers 200."""
    if scope["type"] != "http":
        return
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


def create() -> object:
    """The application, as uvicorn asks for it."""
    return answer


if __name__ == "__main__":
    run("tests.benchmarks.control:create", Settings(port=int(sys.argv[-1])))
