"""Counted events → leases, pacing and rates → the next minute's decisions: the design's only loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from adserver.clock import BUCKETS_PER_DAY, Clock, bucket_of, to_ms
from adserver.decision.index import Index
from adserver.decision.ledger import Delivered
from adserver.decision.rates import Seen
from adserver.decision.saved import pack
from adserver.decision.steering import PLAN_EVERY, RATES_EVERY, Expectations, Prepared, Steering
from adserver.engines.sqlite_limits import Counted, Limit
from adserver.engines.sqlite_progress import Progress
from adserver.measurement.flat import FlatDays
from adserver.measurement.limits import GOAL_KINDS
from adserver.measurement.log import EventLog
from adserver.measurement.period import DayOf, local_days
from adserver.measurement.token import FillIds
from adserver.serving.jobs import Jobs
from adserver.settings import Settings

STATE = "steering"
#: How much of the past shapes the traffic profiles, in buckets: four weeks.
PROFILE_BUCKETS = 4 * 7 * BUCKETS_PER_DAY
_UNITS = {int(kind): unit for unit, kind in GOAL_KINDS.items()}


class Source(Protocol):
    """What the loop reads of an engine: sums over all of its workers."""

    async def read_progress(self) -> Sequence[Progress]:
        """What was counted of each line item over all days."""
        ...

    async def read_days(self, first_day: int) -> Sequence[tuple[int, int, int]]:
        """(line item, day, revenue in micros) from a day on."""
        ...

    async def restated_count(self) -> int:
        """How often what was counted before has changed."""
        ...

    async def request_counts(self, since_bucket: int) -> Sequence[tuple[int, int, int]]:
        """(bucket, slot, requests) from a bucket on."""
        ...

    async def read_creatives(self) -> Sequence[tuple[int, int, int, int, int, int, int]]:
        """(slot, creative, impressions, measurables, viewables, clicks, conversions) of all time."""
        ...


class Loop:
    """Ticks while the server runs; on virtual time whoever owns the clock calls `tick`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        source: Source,
        log: EventLog,
        steering: Steering,
        limits: Sequence[Limit],
        jobs: Jobs,
        ids: FillIds,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._source = source
        self._log = log
        self._steering = steering
        self._jobs = jobs
        self._ids = ids
        self._restated_count = 0
        jobs.expect("tick", settings.tick_seconds)
        jobs.expect("rates", RATES_EVERY.total_seconds())
        jobs.expect("plan", PLAN_EVERY.total_seconds())
        self._limit(limits)

    def prepare(self, index: Index) -> Prepared:
        """All that takes time to take an index into service; may run in a thread."""
        return self._steering.prepare(index, self._clock())

    def follow(self, prepared: Prepared, limits: Sequence[Limit]) -> None:
        """Take a new catalog version into service, its limits, and the days of its line items."""
        self._steering.follow(prepared, self._clock())
        self._limit(limits)

    def _limit(self, limits: Sequence[Limit]) -> None:
        index = self._steering.pacing.index
        self.day_of: DayOf = local_days(dict(zip(index.item_ids, index.zones, strict=True)))
        self._flat = FlatDays(index, self._ids)
        self._log.set_limits(limits)

    def counted(self, counted: Sequence[Counted]) -> None:
        """New valid events are on disk."""
        alone = self._settings.workers == 1
        for one in counted:
            self._steering.count(
                one.item,
                _UNITS.get(one.kind, ""),
                one.event_count,
                one.revenue_micros,
                day=one.day,
                minute=one.minute,
                own=alone or one.node == self._ids.node,
            )

    async def begin(self) -> None:
        """Take over what was delivered, asked for and learned before this worker started."""
        sites = {
            slot.id: name
            for name, site in self._steering.pacing.index.sites.items()
            for slot in site.slots.values()
        }
        counts = await self._source.request_counts(bucket_of(self._clock()) - PROFILE_BUCKETS)
        self._steering.learn_profiles(pages_of(counts, sites))
        await self._restate()
        await self._learn()
        self._steering.learn_rates(self._clock())

    async def run(self) -> None:
        """Tick until cancelled. What a tick that fails leaves behind is the standing of before."""
        while True:
            await asyncio.sleep(self._settings.tick_seconds)
            with suppress(Exception):
                await self.tick()

    async def tick(self) -> None:
        """Renew what decisions go by, and save what was learned."""
        with self._jobs.attempt("tick"):
            if self._settings.workers > 1 or await self._source.restated_count() != self._restated_count:
                await self._restate()
            now = self._clock()
            if self._steering.rates_are_due(now):
                await self._learn()
            self._steering.tick(now)
            self.accrue()
            await self._plan(now)
            self.save()

    def accrue(self) -> None:
        """Queue the flat days that fall due now."""
        self._log.accrue(self._flat.due(self._clock(), self._steering.ledger.closed))

    async def _plan(self, now: datetime) -> None:
        planning = self._steering.planning(now)
        if planning:
            with self._jobs.attempt("plan"):
                # It takes a tenth of a second or more, in which requests are answered.
                self._steering.adopt(await asyncio.to_thread(planning), now)

    def save(self) -> None:
        """Queue what was learned for the next commit."""
        self._log.save_state(STATE, pack(self._steering.remember()), to_ms(self._clock()))

    async def _learn(self) -> None:
        with self._jobs.attempt("rates"):
            rows = await self._source.read_creatives()
            self._steering.learned.seen = [Seen(*row) for row in rows]

    async def _restate(self) -> None:
        """Take over what the log says was delivered, between two commits, so that no event counts twice."""
        async with self._log.committing:
            self._restated_count = await self._source.restated_count()
            self._steering.ledger.restate(await self._delivered())

    async def _delivered(self) -> list[Delivered]:
        bucket = bucket_of(self._clock())
        progress = await self._source.read_progress()
        # Yesterday in UTC is the earliest date that it is anywhere.
        days = {
            (item, day): micros
            for item, day, micros in await self._source.read_days(bucket // BUCKETS_PER_DAY - 1)
        }
        delivered = []
        for one in progress:
            day = self.day_of(one.item, bucket)
            delivered.append(
                Delivered(
                    one.item,
                    one.impression_count,
                    one.viewable_count,
                    one.click_count,
                    one.revenue_micros,
                    day,
                    days.get((one.item, day), 0),
                )
            )
        return delivered


def expectations_of(settings: Settings) -> Expectations:
    """What decisions go by until something is learned, and their bounds."""
    return Expectations(
        ctr=settings.expected_ctr,
        conversion_rate=settings.expected_conversion_rate,
        viewability=settings.expected_viewability,
        reservation_seconds=settings.reservation_seconds,
        offer_seconds=settings.bid_seconds,
        max_memo=settings.max_candidate_memo,
        max_samples=settings.max_page_samples,
        worker_count=settings.workers,
    )


def pages_of(counts: Sequence[tuple[int, int, int]], sites: Mapping[int, str]) -> dict[str, dict[int, int]]:
    """(bucket, slot, requests) → page requests of each site by bucket: those of its most asked slot."""
    pages: dict[str, dict[int, int]] = {}
    for bucket, slot, count in counts:
        if slot in sites:
            site = pages.setdefault(sites[slot], {})
            site[bucket] = max(site.get(bucket, 0), count)
    return pages
