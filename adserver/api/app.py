"""Services → the management API at `/api/v1`, described in OpenAPI 3.1, its refusals as problem details."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import Request
from fastapi.exceptions import HTTPException, RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from adserver.accounts.model import Scope
from adserver.api import changes, objects, past, people, proofs, sheet
from adserver.api.described import Described
from adserver.api.once import Once
from adserver.api.services import Services
from adserver.api.shapes import ProblemShape
from adserver.editing.editor import Forbidden
from adserver.editing.edits import Conflict
from adserver.errors import AdserverError, Fault, InvalidInput, NotThere, StorageFailed
from adserver.web.door import Door
from adserver.web.problems import problem, refuse, sentence

#: Largest body, in bytes: a catalog file of some hundred thousand line items.
_MAX_BODY_BYTES = 200_000_000
#: The same of a request with an Idempotency-Key, which is read before it is passed on.
_MAX_KEYED_BYTES = 10_000_000
_log = structlog.get_logger()
_ABOUT = """\
Create, read, change and archive what the ad server sells and shows. Send an API token as
`Authorization: Bearer`. A change is served within a second. `If-Match` with the version that you have seen
keeps you from overwriting others. With an `Idempotency-Key`, any text of your own, a request that is sent
again is done once: for a day, the first answer is given again.
"""
_WORDS = {
    400: "The request cannot be read.",
    401: "Nobody is known by this token.",
    403: "The token, or whose it is, may not do this.",
    404: "There is no such thing, or it is not yours to see.",
    409: "Somebody was faster: look again.",
    413: "The body is too long.",
    422: "Something is wrong with what was given; `faults` says all of it.",
    503: "The database cannot be reached just now.",
}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemShape"}}}


def build(services: Services) -> ASGIApp:
    """The API behind the door."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": words, "model": ProblemShape, "content": _PROBLEM}
        for status, words in _WORDS.items()
    }
    app = Described(
        title="adserver",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        responses=responses,
        redirect_slashes=False,
        max_body_size=_MAX_BODY_BYTES,
    )
    app.state.services = services
    for router in (
        changes.router,
        sheet.router,
        past.router,
        proofs.router,
        people.router,
        *objects.routers(),
    ):
        app.include_router(router)
    app.add_exception_handler(AdserverError, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(StarletteHTTPException, _stopped)
    scopes = {False: Scope.READ, True: Scope.WRITE}
    once = Once(app, services.answers, services.clock, _MAX_KEYED_BYTES)
    return Door(once, services.accounts, services.settings, refuse, scopes)


async def _refused(_: Request, error: Exception) -> Response:
    if isinstance(error, Conflict):
        versions = {"/".join(path): version for path, version in error.versions.items()}
        return problem(str(error), 409, versions=versions)
    if isinstance(error, Forbidden):
        return problem(sentence(error.faults), 403, faults=error.faults)
    if isinstance(error, NotThere):
        return problem(sentence(error.faults), 404, faults=error.faults)
    if isinstance(error, InvalidInput):
        return problem(sentence(error.faults), 422, faults=error.faults)
    assert isinstance(error, StorageFailed), f"{type(error).__name__} has no answer"
    _log.error("the API cannot reach the database", error=str(error))
    return problem(_WORDS[503], 503)


async def _unreadable(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "registered for these only"
    faults = [
        Fault("", ".".join(map(str, fault["loc"][1:])) or str(fault["loc"][0]), fault["msg"])
        for fault in error.errors()
    ]
    return problem(sentence(faults), 422, faults=faults)


async def _stopped(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException | HTTPException), "registered for these only"
    return problem(str(error.detail), error.status_code, error.headers)
