"""`GET /api/v1/explain`: a page request, as a query → why each line item would serve there now, or would not.

The page is decided by this worker's own decider as the next request for it would be, which takes no longer
than a request; what there is to tell of it is put together in another thread, one question at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec
import structlog
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adserver.engines.catalog_store import Stored
from adserver.errors import Fault, InvalidInput
from adserver.serving.answer import answer_question, look_for
from adserver.serving.parts import Parts
from adserver.serving.question import read_question

PATH = "/api/v1/explain"
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_BUSY = "Other pages are being explained just now; ask again in a moment."
_FAILED = "This page cannot be explained: a fault of ours, which is in the server's log."
_log = structlog.get_logger()


def explain_route(parts: Parts, stored: Callable[[], Stored], guard: Middleware) -> Route:
    """The route. `stored`: the catalog in service; `guard` lets pass whoever may see reports."""
    one_at_a_time = asyncio.Lock()
    waiting = 0

    async def explain_page(request: Request) -> Response:
        nonlocal waiting
        if waiting >= parts.settings.max_explanations_waiting:
            return problem(_BUSY, 503, {"retry-after": "1"})
        waiting += 1
        try:
            async with one_at_a_time:
                return await _answer(parts, stored, dict(request.query_params))
        except InvalidInput as error:
            return problem(_sentence(error), 400, faults=error.faults)
        except Exception:
            _log.exception("page not explained")
            return problem(_FAILED, 500)
        finally:
            waiting -= 1

    return Route(PATH, explain_page, methods=["GET"], middleware=[guard])


async def _answer(parts: Parts, stored: Callable[[], Stored], given: Mapping[str, str]) -> Response:
    question = await asyncio.to_thread(read_question, given, stored().catalog, parts.settings)
    # From here on there is no pause until the page is decided, so that catalog and index are of one version.
    catalog, now = stored().catalog, question.at or parts.clock()
    looked = look_for(parts.steering.decider, parts.tally_key, question, parts.settings, now, parts.rng)
    body = await asyncio.to_thread(answer_question, looked, catalog, question, parts.settings)
    return Response(body, headers=_HEADERS, media_type="application/json")


def problem(
    detail: str, status: int, headers: Mapping[str, str] | None = None, faults: list[Fault] | None = None
) -> Response:
    """A refusal as problem details (RFC 9457); `faults` say each what is wrong at which key."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail.strip(),
    }
    if faults:
        body["faults"] = [{"key": fault.key, "problem": fault.problem} for fault in faults]
    content = msgspec.json.encode(body)
    return Response(content, status, {**_HEADERS, **(headers or {})}, media_type="application/problem+json")


def _sentence(error: InvalidInput) -> str:
    return "; ".join(f"{fault.key}: {fault.problem}" for fault in error.faults) + "."
