"""`GET /api/v1/explain`: a page request, as a query → why each line item would serve there now, or would not.

The page is decided by this worker's own decider as the next request for it would be, which takes no longer
than a request; what there is to tell of it is put together in another thread, one question at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adserver.accounts.model import Role
from adserver.accounts.ownership import report_scope
from adserver.engines.catalog_store import Stored
from adserver.errors import InvalidInput
from adserver.serving.answer import answer_question, look_for
from adserver.serving.parts import Parts
from adserver.serving.question import read_question
from adserver.web.door import principal_of
from adserver.web.problems import problem, sentence

PATH = "/api/v1/explain"
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_BUSY = "Other pages are being explained just now; ask again in a moment."
_NOT_YOURS = "The site of this page is not yours."
_FAILED = "This page cannot be explained: a fault of ours, which is in the server's log."
_log = structlog.get_logger()


def explain_route(parts: Parts, stored: Callable[[], Stored], guard: Middleware) -> Route:
    """The route. `stored`: the catalog in service; `guard` is the door."""
    one_at_a_time = asyncio.Lock()
    waiting = 0

    async def explain_page(request: Request) -> Response:
        nonlocal waiting
        if waiting >= parts.settings.max_explanations_waiting:
            return problem(_BUSY, 503, {"retry-after": "1"})
        waiting += 1
        try:
            async with one_at_a_time:
                return await _answer(parts, stored, request)
        except InvalidInput as error:
            return problem(sentence(error.faults), 400, faults=error.faults)
        except Exception:
            _log.exception("page not explained")
            return problem(_FAILED, 500)
        finally:
            waiting -= 1

    return Route(PATH, explain_page, methods=["GET"], middleware=[guard])


async def _answer(parts: Parts, stored: Callable[[], Stored], request: Request) -> Response:
    given = dict(request.query_params)
    question = await asyncio.to_thread(read_question, given, stored().catalog, parts.settings)
    principal = principal_of(request)
    if principal.role is Role.ADVERTISER or not report_scope(principal).holds_site(question.request.site):
        return problem(_NOT_YOURS, 403)
    # From here on there is no pause until the page is decided, so that catalog and index are of one version.
    catalog, now = stored().catalog, question.at or parts.clock()
    looked = look_for(parts.steering.decider, parts.tally_key, question, parts.settings, now, parts.rng)
    body = await asyncio.to_thread(answer_question, looked, catalog, question, parts.settings)
    return Response(body, headers=_HEADERS, media_type="application/json")
