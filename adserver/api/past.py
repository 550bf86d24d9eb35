"""Requests to `/reasons`, `/estimate` → what sampled page requests say of a line item, or of a targeting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.exceptions import HTTPException
from pydantic import BaseModel, Field

from adserver.accounts.model import Role
from adserver.api.services import Asking, Given
from adserver.decision.reasons import Hindrance
from adserver.forecast.past import DayReplayed, question_of, target_in

router = APIRouter(tags=["why"])
Target = Annotated[str, Query(max_length=20_000, description="JSON, with keys as in the catalog file.")]
Topics = Annotated[Sequence[str], Query(max_length=1000, description="Sensitive topics it accepts.")]
_NOT_OPEN = "What pages tell of line items is for those who read the sites' reports."


class ReasonShape(BaseModel):
    """One rule that kept the line item from pages."""

    rule: str = Field(description="As in `GET /explain`.")
    pages: int
    share: float = Field(description="Of the sampled page requests, in [0, 1].")
    slot: str = Field(description="Of the example.")
    sentence: str
    example: dict[str, str] = Field(description="Its page request: give it to `GET /explain`.")


class DayShape(BaseModel):
    """One day in the line item's time zone."""

    date: str
    sampled: int = Field(description="Page requests that were decided again.")
    served: int = Field(description="Of these, those on which it would serve.")
    reasons: list[ReasonShape]


class ReasonsShape(BaseModel):
    """Why a line item does not serve."""

    line_item: str
    catalog: int
    timezone: str
    never: str = Field(description="Why it can serve nowhere; empty otherwise.")
    days: list[DayShape]


class EstimateShape(BaseModel):
    """How many of yesterday's page requests match."""

    page_requests: int = Field(description="Of yesterday, all of them.")
    matching: int
    share: float
    sampled: int = Field(description="Page requests that the estimate goes by.")
    lost: dict[str, float] = Field(description="Rule → part of the page requests that fail it first.")


@router.get("/reasons", summary="Why a line item did not serve, today and yesterday")
async def reasons(
    given: Given, asking: Asking, line_item: Annotated[str, Query(max_length=200)]
) -> ReasonsShape:
    """Sampled page requests are decided again, with what is in the catalog, bid and counted now."""
    if asking.role is Role.ADVERTISER:
        raise HTTPException(403, _NOT_OPEN)
    seen = await given.objects.seen_by(asking)
    found = None
    if ("line_item", line_item) in seen.entries:
        found = await given.past.reasons(asking, line_item)
    if found is None:
        raise HTTPException(404, f"There is no line item {line_item!r}.")
    days = [_day(day) for day in found.days]
    return ReasonsShape(
        line_item=line_item,
        catalog=found.catalog,
        timezone=found.zone.key,
        never=found.never,
        days=days,
    )


class PageShape(BaseModel):
    """One page request that was sampled; nothing in it tells who made it."""

    at: datetime
    site: str
    url: str
    section: str
    topics: list[str]
    country: str | None
    device: str | None
    question: dict[str, str] = Field(description="Give it to `GET /explain`.")


@router.get("/pages", summary="The last page requests that were sampled")
async def pages(
    given: Given, asking: Asking, limit: Annotated[int, Query(ge=1, le=200)] = 12
) -> list[PageShape]:
    """Of this worker, on the sites whose reports are theirs, the newest first."""
    if asking.role is Role.ADVERTISER:
        raise HTTPException(403, _NOT_OPEN)
    return [
        PageShape(
            at=one.at,
            site=one.context.site,
            url=one.context.url or "",
            section=one.context.section or "",
            topics=list(one.context.topics),
            country=one.context.country,
            device=one.context.device,
            question=question_of(one),
        )
        for one in given.past.recent(asking, limit)
    ]


class TrafficShape(BaseModel):
    """How often one slot is asked for."""

    slot: str
    trend: str = Field(description="never, silent, dropping or steady.")
    last_at: datetime | None
    recent: int = Field(description="In the last two whole hours.")
    usual: float | None = Field(description="In the same hours of yesterday and a week ago.")


@router.get("/traffic", summary="Which slots are asked for, and which fell silent")
async def traffic(given: Given, asking: Asking) -> list[TrafficShape]:
    """Every slot, as of ten seconds ago."""
    seen = await given.objects.seen_by(asking)
    found = [one for path, one in (await given.watch.traffic()).items() if path in seen.entries]
    return [
        TrafficShape(
            slot="/".join(one.slot[1:]),
            trend=one.trend,
            last_at=one.last_at,
            recent=one.recent_count,
            usual=one.usual_count,
        )
        for one in found
    ]


@router.get("/estimate", summary="How many of yesterday's page requests a targeting matches")
async def estimate(
    given: Given, asking: Asking, target: Target = "{}", allow_topic: Topics = ()
) -> EstimateShape:
    """Targeting alone is asked: no dates, sizes, floors or competitors."""
    if asking.role is Role.ADVERTISER:
        raise HTTPException(403, _NOT_OPEN)
    found = await given.past.estimate(asking, target_in(target), allow_topic)
    return EstimateShape(
        page_requests=found.page_count,
        matching=found.match_count,
        share=found.match_rate,
        sampled=found.sampled_count,
        lost=dict(found.lost),
    )


def _day(day: DayReplayed) -> DayShape:
    replayed = day.replayed
    return DayShape(
        date=day.day.isoformat(),
        sampled=replayed.page_count,
        served=replayed.served_count,
        reasons=[_reason(one, replayed.page_count) for one in replayed.hindrances],
    )


def _reason(one: Hindrance, page_count: int) -> ReasonShape:
    return ReasonShape(
        rule=one.rule,
        pages=one.page_count,
        share=one.page_count / page_count,
        slot=one.slot,
        sentence=one.sentence,
        example=question_of(one.sample),
    )
