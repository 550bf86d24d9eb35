"""Sampled page requests → what they say of a line item: why it did not serve, what its targeting matches.

The samples are those from which the week is planned, of this worker; nothing in them tells who made them.
What somebody is shown of them is of the sites whose reports they may read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adserver.accounts.model import Principal
from adserver.accounts.ownership import reads_pages
from adserver.catalog.model import LineItem
from adserver.catalog.probe import probe
from adserver.clock import Clock, bucket_of, bucket_start
from adserver.decision.explain import Explanation
from adserver.decision.look import scratch
from adserver.decision.matching import Matched, matching
from adserver.decision.reasons import Replayed, replay_pages
from adserver.decision.rule_words import not_approved
from adserver.decision.steering import Steering
from adserver.decision.week import Sample, thinned
from adserver.engines.catalog_store import Stored
from adserver.errors import AdserverError, InvalidInput
from adserver.settings import Settings

#: (first bucket) → (bucket, slot, requests) from it on, over all workers.
RequestCounts = Callable[[int], Awaitable[Sequence[tuple[int, int, int]]]]


#: Somebody, and a question about a page (as `GET /api/v1/explain` takes it) → what there is to tell of it.
#: Raises InvalidInput, NotTheirs and Busy.
ExplainPage = Callable[[Principal, Mapping[str, str]], Awaitable[Explanation]]


class NotTheirs(AdserverError):
    """A page of a site that is not theirs."""


class Busy(AdserverError):
    """Too many wait for an explanation already."""


@dataclass(frozen=True, slots=True)
class DayReplayed:
    """One local day of a line item's."""

    day: date
    replayed: Replayed


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a line item did not serve, by day, today first."""

    line_item: str
    zone: ZoneInfo
    catalog: int
    never: str
    """Why it can serve nowhere, in a sentence; then there are no days. Else empty."""
    days: Sequence[DayReplayed]


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many of yesterday's page requests a targeting matches, on the sites that may be seen."""

    page_count: int
    """Page requests of yesterday, all of them."""
    match_count: int
    """Of these, by estimate, those that match."""
    match_rate: float
    """The part of the page requests that match, in [0, 1]; also where none was counted yesterday."""
    sampled_count: int
    """Sampled page requests that the estimate goes by: of yesterday or, where these are few, of the week."""
    lost: Mapping[str, float]
    """Rule → the part of all page requests that pass every rule before it and fail it."""


class PastPages:
    """What the sampled page requests of one worker tell. `current`: the catalog in service."""

    def __init__(
        self,
        steering: Steering,
        current: Callable[[], Stored],
        counts: RequestCounts,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._steering = steering
        self._current = current
        self._counts = counts
        self._clock = clock
        self._settings = settings
        self._one_at_a_time = asyncio.Lock()

    def recent(self, principal: Principal, most: int) -> list[Sample]:
        """The last page requests that were sampled, the newest first."""
        return sorted(self._samples(principal), key=lambda sample: sample.at, reverse=True)[:most]

    async def reasons(self, principal: Principal, name: str) -> Reasons | None:
        """Of today and yesterday, in the line item's time zone; None where the catalog has no such line item.

        Whether the line item is theirs to see is asked elsewhere.
        """
        index, catalog = self._steering.decider.index, self._current().catalog
        item = next((item for _, _, item in catalog.line_items() if item.name == name), None)
        if item is None:
            return None
        position = next((p for p, one in enumerate(index.items) if one.name == name), None)
        if position is None:
            return Reasons(name, ZoneInfo("UTC"), index.version, not_approved(item), ())
        async with self._one_at_a_time:
            days = await self._replayed(principal, item, position)
        return Reasons(name, index.zones[position], index.version, "", days)

    async def _replayed(self, principal: Principal, item: LineItem, position: int) -> list[DayReplayed]:
        decider, zone = self._steering.decider, self._steering.decider.index.zones[position]
        now, meant = self._clock(), item.target.site
        samples = [
            sample for sample in self._samples(principal) if meant is None or sample.context.site in meant
        ]
        days = []
        for day in (_day(now, zone), _day(now, zone) - timedelta(days=1)):
            own = [sample for sample in samples if _day(sample.at, zone) == day]
            own = thinned(own, self._settings.max_replayed_pages)
            elsewhen = own[0].at if own and day != _day(now, zone) else None
            mine = scratch(decider, elsewhen, max_memo=len(own) + 1)
            days.append(DayReplayed(day, await asyncio.to_thread(replay_pages, mine, position, own)))
        return days

    async def estimate(
        self, principal: Principal, target: Mapping[str, Any], allow_topics: Sequence[str] = ()
    ) -> Estimate:
        """How many of yesterday's page requests a target, as in the catalog file, matches.

        Raises InvalidInput for a target that is none.
        """
        item = probe(target, allow_topics)
        index = self._steering.decider.index
        yesterday = {
            name: _day(self._clock(), site.zone) - timedelta(days=1) for name, site in index.sites.items()
        }
        samples = [sample for sample in self._samples(principal) if sample.context.site in yesterday]
        of_day = [
            sample
            for sample in samples
            for site in (index.sites[sample.context.site],)
            if _day(sample.at, site.zone) == yesterday[site.site.name]
        ]
        enough = of_day if len(of_day) >= self._settings.least_estimate_samples else samples
        found = await asyncio.to_thread(matching, item, index, enough)
        return _estimate(found, await self._pages_of(yesterday))

    async def _pages_of(self, days: Mapping[str, date]) -> dict[str, int]:
        """Site → its page requests on a local day: in each quarter hour those of its most asked slot."""
        index = self._steering.decider.index
        since = bucket_of(self._clock() - timedelta(days=3))
        most: dict[tuple[str, int], int] = {}
        for bucket, slot, count in await self._counts(since):
            site = index.slot_sites.get(slot)
            if site is not None and _day(bucket_start(bucket), site.zone) == days[site.name]:
                most[site.name, bucket] = max(most.get((site.name, bucket), 0), count)
        pages: dict[str, int] = {}
        for (name, _), count in most.items():
            pages[name] = pages.get(name, 0) + count
        return pages

    def _samples(self, principal: Principal) -> list[Sample]:
        return [one for one in self._steering.learned.samples if reads_pages(principal, one.context.site)]


def _estimate(found: Mapping[str, Matched], pages: Mapping[str, int]) -> Estimate:
    """Each site counts by how many pages it had; where none had any yesterday, by how many were sampled."""
    counted = any(pages.get(name) for name in found)
    total = match = 0.0
    lost: dict[str, float] = {}
    for name, matched in found.items():
        each = pages.get(name, 0) / matched.page_count if counted else 1.0
        total += each * matched.page_count
        match += each * matched.match_count
        for rule, count in matched.lost.items():
            lost[rule] = lost.get(rule, 0.0) + each * count
    sampled = sum(matched.page_count for matched in found.values())
    ranked = sorted(lost.items(), key=lambda pair: -pair[1])
    return Estimate(
        page_count=round(total) if counted else 0,
        match_count=round(match) if counted else 0,
        match_rate=match / total if total else 0.0,
        sampled_count=sampled,
        lost={rule: amount / total for rule, amount in ranked if total},
    )


def target_in(text: str) -> dict[str, Any]:
    """A target as JSON, with keys as in the catalog file. Raises InvalidInput for what is no table."""
    try:
        target = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput.one("", "target", f"is not JSON: {error}") from None
    if not isinstance(target, dict):
        raise InvalidInput.one("", "target", "is not a table of rules")
    return target


def question_of(sample: Sample) -> dict[str, str]:
    """A sampled page request as the question that explains it."""
    context = sample.context
    facts = {
        "url": context.url,
        "section": context.section,
        "topics": context.topics,
        "values": context.values,
    }
    asks = [{"slot": ask.slot, "sizes": ask.sizes, "width": ask.width} for ask in sample.asks]
    page = {
        "site": context.site,
        "page": {key: value for key, value in facts.items() if value},
        "slots": [{key: value for key, value in ask.items() if value is not None} for ask in asks],
        "tally": "",
        "theme": context.theme,
        # A page on which no network could be asked; which of the two reasons it was is not kept.
        "passback": not context.network,
    }
    given = {"country": context.country, "device": context.device}
    told = {key: value for key, value in given.items() if value}
    return {"page": json.dumps(page, ensure_ascii=False), "at": sample.at.isoformat(), **told}


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()
