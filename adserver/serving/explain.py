"""`GET /api/v1/explain`: a page request, as a query → why each line item would serve there now, or would not.

The page is decided by this worker's own decider as the next request for it would be, which takes no longer
than a request; what there is to tell of it is put together in another thread, one question at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import structlog
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adserver.accounts.model import Principal
from adserver.accounts.ownership import reads_pages, told_on
from adserver.catalog.model import Catalog
from adserver.decision.explain import Explanation
from adserver.decision.look import Look
from adserver.engines.catalog_store import Stored
from adserver.errors import InvalidInput
from adserver.forecast.past import Busy, NotTheirs
from adserver.serving.answer import answer_question, explain_question, look_for
from adserver.serving.parts import Parts
from adserver.serving.question import Question, read_question
from adserver.settings import Settings
from adserver.web.door import principal_of
from adserver.web.problems import problem, sentence

PATH = "/api/v1/explain"
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_BUSY = "Other pages are being explained just now; ask again in a moment."
_NOT_YOURS = "The site of this page is not yours."
_FAILED = "This page cannot be explained: a fault of ours, which is in the server's log."
_log = structlog.get_logger()
Told = TypeVar("Told")


class Explainer:
    """Explains pages, one at a time. `stored`: the catalog in service."""

    def __init__(self, parts: Parts, stored: Callable[[], Stored]) -> None:
        self._parts = parts
        self._stored = stored
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    async def ask(self, principal: Principal, given: Mapping[str, str]) -> Explanation:
        """Explain the page that is asked about (`serving.question.KEYS`).

        Raises InvalidInput; NotTheirs where its site's reports are not theirs to read; Busy.
        """
        return await self._ask(principal, given, explain_question)

    async def answer(self, principal: Principal, given: Mapping[str, str]) -> bytes:
        """The same as JSON."""
        return await self._ask(principal, given, answer_question)

    async def _ask(
        self,
        principal: Principal,
        given: Mapping[str, str],
        tell: Callable[[Look, Catalog, Question, Settings], Told],
    ) -> Told:
        if self._waiting >= self._parts.settings.max_explanations_waiting:
            raise Busy(_BUSY)
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                return await self._told(principal, given, tell)
        finally:
            self._waiting -= 1

    async def _told(
        self,
        principal: Principal,
        given: Mapping[str, str],
        tell: Callable[[Look, Catalog, Question, Settings], Told],
    ) -> Told:
        parts, settings = self._parts, self._parts.settings
        served = self._stored().catalog
        told = partial(told_on, principal, served)
        question = await asyncio.to_thread(read_question, given, served, settings, told)
        if not reads_pages(principal, question.request.site):
            raise NotTheirs(_NOT_YOURS)
        # There is no pause until the page is decided, so that catalog and index are of one version.
        catalog, now = self._stored().catalog, question.at or parts.clock()
        looked = look_for(parts.steering.decider, parts.tally_key, question, settings, now, parts.rng)
        return await asyncio.to_thread(tell, looked, catalog, question, settings)


def explain_route(explainer: Explainer, guard: Middleware) -> Route:
    """The route; `guard` is the door."""

    async def explain_page(request: Request) -> Response:
        try:
            body = await explainer.answer(principal_of(request), dict(request.query_params))
        except InvalidInput as error:
            return problem(sentence(error.faults), 400, faults=error.faults)
        except NotTheirs as error:
            return problem(str(error), 403)
        except Busy as error:
            return problem(str(error), 503, {"retry-after": "1"})
        except Exception:
            _log.exception("page not explained")
            return problem(_FAILED, 500)
        return Response(body, headers=_HEADERS, media_type="application/json")

    return Route(PATH, explain_page, methods=["GET"], middleware=[guard])
