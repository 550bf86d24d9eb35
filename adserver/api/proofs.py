"""Requests to `/proofs` → links by which advertisers answer for creatives, and what they answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.exceptions import HTTPException
from pydantic import BaseModel, Field

from adserver.api.services import Asking, Given
from adserver.api.shapes import Strict
from adserver.clock import from_ms
from adserver.editing.edits import path_of
from adserver.editing.proofs import creatives_in

router = APIRouter(prefix="/proofs", tags=["proofs"])
Kind = Literal["line_item", "campaign"]
Name = Annotated[str, Query(max_length=200, description="Campaigns: `advertiser/name`.")]


class ProofAskShape(Strict):
    """Whose creatives, and for how long."""

    kind: Kind
    name: Annotated[str, Field(max_length=200)]
    days: Annotated[int, Field(ge=1, le=100_000)] = 14


class ProofMadeShape(BaseModel):
    """A link; its address is told this once."""

    id: int
    url: str


class LinkShape(BaseModel):
    """A link that holds."""

    id: int
    author: str
    created_at: datetime
    expires_at: datetime


class AnswerShape(BaseModel):
    """What somebody with a link said."""

    creative: str
    verdict: str = Field(description="approved or changes.")
    comment: str
    name: str
    at: datetime
    outdated: bool = Field(description="Whether the creative was changed since.")


class ProofsShape(BaseModel):
    """Links and answers."""

    links: list[LinkShape]
    answers: list[AnswerShape]


@router.get("", summary="Proof links of a line item or campaign, and what advertisers answered")
async def listing(given: Given, asking: Asking, kind: Kind, name: Name) -> ProofsShape:
    """Links that hold, the newest first, without their secret."""
    path = path_of(kind, name)
    seen = await given.objects.seen_by(asking)
    if path not in seen.entries:
        raise HTTPException(404, f"There is no {kind.replace('_', ' ')} {name!r}.")
    links = [
        LinkShape(
            id=row.id,
            author=row.author,
            created_at=from_ms(row.created_at_ms),
            expires_at=from_ms(row.expires_at_ms),
        )
        for row in await given.proofs.links(path)
    ]
    found = await given.proofs.answers(creatives_in(seen, path))
    answers = [
        AnswerShape(
            creative=one.creative,
            verdict=one.verdict,
            comment=one.comment,
            name=one.name,
            at=one.at,
            outdated=one.outdated,
        )
        for several in found.values()
        for one in several
    ]
    return ProofsShape(links=links, answers=answers)


@router.post("", status_code=201, summary="Make a proof link")
async def make(given: Given, asking: Asking, body: ProofAskShape) -> ProofMadeShape:
    """Whoever has the address sees the creatives and answers for them, without an account."""
    proof_id, token = await given.proofs.make(asking, path_of(body.kind, body.name), body.days)
    return ProofMadeShape(id=proof_id, url=f"{given.settings.base_url}/console/proof/{token}")


@router.delete("/{proof_id}", status_code=204, summary="End a proof link at once")
async def revoke(given: Given, asking: Asking, proof_id: int) -> None:
    """What was answered stays."""
    if not 1 <= proof_id <= 2**53 or not await given.proofs.revoke(asking, proof_id):
        raise HTTPException(404, f"There is no proof link {proof_id}.")
