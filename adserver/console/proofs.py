"""Addresses below /proof → pages for whoever has a link; and making and ending links, behind the door."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.catalog.plan import Path
from adserver.clock import Clock, from_ms
from adserver.console.forms import form_of, number, one
from adserver.console.objects import address_of
from adserver.console.pages import by_key, go_to, lone, message, page, refusal_of
from adserver.console.preview import draw, size_of
from adserver.console.words import ago, when
from adserver.editing.editor import Forbidden
from adserver.editing.edits import Conflict, path_of
from adserver.editing.proofs import Answer, Proof, Proofs
from adserver.errors import InvalidInput
from adserver.settings import Settings
from adserver.web.door import FOREIGN_PAGE, from_own_page, principal_of

_OVER = "It has expired, was revoked, or was never there. Ask whoever sent it for another."
_CHANGED = "This creative was changed since you opened it. Look at it again."


class ProofPages:
    """Open to whoever has the link."""

    def __init__(self, proofs: Proofs, clock: Clock) -> None:
        self._proofs = proofs
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        return [
            Route("/proof/{token}", self._show, methods=["GET"]),
            Route("/proof/{token}", self._answer, methods=["POST"]),
            Route("/proof/{token}/{creative}", self._draw, methods=["GET"]),
        ]

    async def _show(self, request: Request) -> Response:
        return self._page(request, await self._proofs.open(request.path_params["token"]))

    async def _draw(self, request: Request) -> Response:
        proof = await self._proofs.open(request.path_params["token"])
        bodies = {name: body for name, body, _ in proof.creatives} if proof else {}
        body = bodies.get(request.path_params["creative"])
        return draw(body) if body is not None else message("This link does not hold", _OVER, 404)

    async def _answer(self, request: Request) -> Response:
        if not from_own_page(request):
            return message("Not taken", FOREIGN_PAGE, 403)
        token, form = request.path_params["token"], await form_of(request)
        creative = one(form, "creative")
        given = {key: one(form, key).strip() for key in ("comment", "name")}
        try:
            proof = await self._proofs.answer(
                token, creative, one(form, "verdict"), version=number(form, "version"), **given
            )
        except InvalidInput as error:
            again = await self._proofs.open(token)
            typed = {"creative": creative, "faults": by_key(error.faults), **given}
            return self._page(request, again, 400, typed)
        except Conflict:
            typed = {"creative": creative, "faults": {"": [_CHANGED]}, **given}
            return self._page(request, await self._proofs.open(token), 409, typed)
        if proof is None:
            return self._page(request, None)
        return go_to(f"/console/proof/{token}?thanks=1")

    def _page(
        self, request: Request, proof: Proof | None, status: int = 200, typed: dict[str, Any] | None = None
    ) -> Response:
        if proof is None:
            return message("This link does not hold", _OVER, 404)
        blank: dict[str, Any] = {"creative": "", "faults": {}, "comment": "", "name": ""}
        creatives = [
            {
                "name": name,
                "version": version,
                "height": 2 * size_of(body)[1] + 160,
                "size": body.get("size", ""),
                "click": body.get("click", ""),
                "approved": body.get("approved", True),
                "answers": said(proof.answers.get(name, ()), self._clock),
            }
            for name, body, version in proof.creatives
        ]
        response = lone(
            "proof.html",
            "Creatives to approve",
            status,
            token=request.path_params["token"],
            subject=proof.path[-1],
            until=when(proof.expires_at),
            creatives=creatives,
            thanks="thanks" in request.query_params,
            typed=typed or blank,
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Robots-Tag"] = "noindex"
        return response


class ProofLinks:
    """Behind the door: links of a line item or campaign."""

    def __init__(self, proofs: Proofs, clock: Clock, settings: Settings) -> None:
        self._proofs = proofs
        self._clock = clock
        self._settings = settings

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        return [
            Route("/proofs", self._make, methods=["POST"]),
            Route("/proofs/{proof:number}/revoke", self._revoke, methods=["POST"]),
        ]

    async def _make(self, request: Request) -> Response:
        form = await form_of(request)
        path = path_of(one(form, "kind"), one(form, "of"))
        try:
            _, token = await self._proofs.make(principal_of(request), path, number(form, "days") or 0)
        except (InvalidInput, Forbidden) as error:
            return message("No link was made", "; ".join(map(str, error.faults)), refusal_of(error))
        return page(
            request,
            "proof_link.html",
            "A proof link",
            link=f"{self._settings.base_url}/console/proof/{token}",
            href=address_of(path),
            subject=path[-1],
            days=number(form, "days"),
        )

    async def _revoke(self, request: Request) -> Response:
        form, proof_id = await form_of(request), request.path_params["proof"]
        try:
            if not await self._proofs.revoke(principal_of(request), proof_id):
                return message("No such link", "It is not there, or not yours to end.", 404)
        except Forbidden as error:
            return message("This is not open to you", str(error), 403)
        path = path_of(one(form, "kind"), one(form, "of"))
        return go_to(address_of(path) if path[0] in ("line_item", "campaign") else "/console/line_items")

    async def told(self, path: Path, creatives: list[str]) -> dict[str, Any]:
        """What the page of an object says of its proofs: links that hold, and answers."""
        links = await self._proofs.links(path) if path[0] in ("line_item", "campaign") else []
        answers = await self._proofs.answers(creatives) if creatives else {}
        return {
            "proofs": [
                {
                    "id": row.id,
                    "author": row.author,
                    "made": ago(from_ms(row.created_at_ms), self._clock()),
                    "until": when(from_ms(row.expires_at_ms)),
                }
                for row in links
            ],
            "answers": [answer for name in creatives for answer in said(answers.get(name, ()), self._clock)],
            "proof_days": min(14, self._settings.max_proof_days),
        }


def said(answers: Any, clock: Clock) -> list[dict[str, Any]]:
    """Answers as a page shows them."""

    def shown(answer: Answer) -> dict[str, Any]:
        return {
            "creative": answer.creative,
            "verdict": str(answer.verdict),
            "comment": answer.comment,
            "name": answer.name,
            "when": ago(answer.at, clock()) or when(answer.at),
            "outdated": answer.outdated,
        }

    return [shown(answer) for answer in answers]
