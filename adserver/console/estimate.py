"""A line item's form while it is edited → how many of yesterday's page requests its targeting matches."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.console.fields import targeting_of
from adserver.console.forms import form_of
from adserver.console.pages import fragment, message
from adserver.decision.rule_names import rule_name
from adserver.errors import InvalidInput
from adserver.forecast.past import PastPages
from adserver.web.door import principal_of

#: Rules that lose most, of which it is said how much.
_MOST_LOST = 4


class Estimates:
    """Behind the door, for those who edit; asked by the form while somebody types."""

    def __init__(self, past: PastPages) -> None:
        self._past = past

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        return [Route("/catalog/estimate", self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        principal = principal_of(request)
        if not principal.edits:
            return message("This is not open to you", "Targeting is edited by ad ops.", 403)
        try:
            target, allowed = targeting_of(await form_of(request))
            found = await self._past.estimate(principal, target, allowed)
        except InvalidInput as error:
            # With 200, as this is what the form shows: it is being typed, and not wrong yet.
            return fragment("estimate.html", found=None, faults=[str(fault) for fault in error.faults])
        lost = [(rule_name(rule), part) for rule, part in list(found.lost.items())[:_MOST_LOST]]
        return fragment("estimate.html", found=found, lost=lost, faults=[])
