"""Page requests and counted events → what the next minute's decisions go by: the loop of the second river.

Everything that changes while a catalog version serves is held here: ledger, pacing, what was learned of
traffic and of creatives, and a sample of page requests. `Decider` reads it; `tick` renews it once a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import numpy as np

from adserver.clock import bucket_of
from adserver.decision.context import Ask, Context
from adserver.decision.index import EXPECTED_CONVERSION_RATE, Index
from adserver.decision.ledger import Ledger, Terms, terms_of
from adserver.decision.pacing import Memory, Pacing
from adserver.decision.page import Decider
from adserver.decision.plan import Planned, plan
from adserver.decision.rates import Rates, Seen
from adserver.decision.standing import Standing
from adserver.decision.traffic import Level, Profile, bucket_of_week
from adserver.decision.week import WEEK, Sample, Week

RATES_EVERY = timedelta(minutes=5)
PLAN_EVERY = timedelta(hours=1)
#: A week is not planned from less.
_LEAST_SAMPLES = 50


@dataclass(frozen=True, slots=True)
class Expectations:
    """What holds until something is learned, and bounds."""

    ctr: float = 0.001
    conversion_rate: float = EXPECTED_CONVERSION_RATE
    viewability: float = 0.7
    reservation_seconds: int = 600
    offer_seconds: int = 60
    max_memo: int = 20_000
    max_samples: int = 2_000
    worker_count: int = 1


@dataclass
class Learned:
    """What outlives a catalog version, and in its own form a restart."""

    memories: dict[int, Memory] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    level: Level = field(default_factory=Level)
    seen: Sequence[Seen] = ()
    """What was counted of each creative in each slot; looked at every few minutes."""
    samples: list[Sample] = field(default_factory=list)


def _is_due(age: timedelta, every: timedelta) -> bool:
    """Whether something so old is to be renewed; a clock that was set back must not make it last longer."""
    return not timedelta(0) <= age < every


class Prepared(NamedTuple):
    """What steers the line items of one index, before it knows what was learned of them."""

    pacing: Pacing
    week: Week
    terms: Sequence[Terms]


class Plan(NamedTuple):
    """A plan of the week, and whose it is."""

    pacing: Pacing
    planned: Planned


class Steering:
    """One worker's decisions and what steers them."""

    def __init__(
        self, index: Index, learned: Learned, expectations: Expectations, now: datetime, rng: Random
    ) -> None:
        self.learned = learned
        self.expectations = expectations
        self._rng = rng
        self._number = 0
        self._pages: dict[str, int] = {}
        """Page requests of each site since the last tick."""
        self._noted_count = 0
        self._bucket = bucket_of(now)
        self._bucket_pages: dict[str, int] = {}
        self._ticked_at = now
        self.share = 1 / expectations.worker_count
        """This worker's part of all pages."""
        self.ledger = Ledger(
            reservation_seconds=expectations.reservation_seconds,
            offer_seconds=expectations.offer_seconds,
            leased=expectations.worker_count > 1,
        )
        self._begin(self.prepare(index, now), now)

    def prepare(self, index: Index, now: datetime) -> Prepared:
        """All that takes time to take an index into service; changes nothing, and may run in a thread."""
        profiles = {name: self.learned.profiles.setdefault(name, Profile()) for name in index.sites}
        pacing = Pacing(index, profiles, now, share=self.share)
        return Prepared(pacing, Week(index, pacing.rows), terms_of(index))

    def follow(self, prepared: Prepared, now: datetime) -> None:
        """Take a new catalog version into service."""
        self.remember()
        self._begin(prepared, now)

    def _begin(self, prepared: Prepared, now: datetime) -> None:
        self.pacing, self._week, terms = prepared
        index = self.pacing.index
        self.ledger.bind(index, terms)
        self.pacing.recall(self.learned.memories)
        self._learn_rates(now)
        self._planned_at = now - PLAN_EVERY
        self.decider = Decider(index, self.ledger, self._standing(), max_memo=self.expectations.max_memo)
        self.ledger.tick(now)

    def learn_profiles(self, pages: Mapping[str, Mapping[int, int]]) -> None:
        """Learn the shape of each site's week from its page requests by bucket; none named: none came."""
        for site, counts in pages.items():
            profile = self.learned.profiles.setdefault(site, Profile())
            for bucket in range(min(counts), min(max(counts) + 1, self._bucket)):
                profile.learn(bucket, counts.get(bucket, 0))
        self.pacing.schedule.learn(self._ticked_at)

    def note(self, context: Context, asks: Sequence[Ask], now: datetime) -> None:
        """A page was asked for. Some are kept as a sample of the week, without anything of the visitor's."""
        site = context.site
        self._pages[site] = self._pages.get(site, 0) + 1
        self._noted_count += 1
        samples, most = self.learned.samples, self.expectations.max_samples
        weekly = max(self.learned.level.per_hour * 168, self._noted_count)
        if len(samples) < most:
            samples.append(Sample(now, context._replace(bids=()), tuple(asks)))
        elif self._rng.random() * weekly < most:
            samples[int(self._rng.random() * most)] = Sample(now, context._replace(bids=()), tuple(asks))

    def count(
        self,
        item_id: int,
        unit: str,
        count: int,
        revenue_micros: int,
        *,
        day: int,
        minute: int,
        own: bool = True,
    ) -> None:
        """Valid events are on disk now, of fills of a day and minute (since 1970).

        `unit`: "impressions", "viewables", "clicks" or other kinds.
        """
        self.ledger.count(item_id, unit, count, revenue_micros, day=day, minute=minute, own=own)

    def take_share(self, share: float) -> None:
        """Take note of which part of all pages this worker is asked."""
        self.share = self.pacing.share = share

    def learn_rates(self, now: datetime) -> None:
        """Look at `learned.seen` now."""
        self._learn_rates(now)
        self.decider.standing = self._standing()

    def rates_are_due(self, now: datetime) -> bool:
        """Whether the next tick looks at `learned.seen`."""
        return _is_due(now - self._rated_at, RATES_EVERY)

    def remember(self) -> Learned:
        """All that was learned, as of the last tick."""
        self.learned.memories.update(self.pacing.memories())
        return self.learned

    def tick(self, now: datetime) -> None:
        """Renew what decisions go by; once a minute."""
        self._learn_traffic(now)
        if self.rates_are_due(now):
            self._learn_rates(now)
        self.ledger.tick(now)
        asked, self.decider.asked = self.decider.asked, []
        missed, self.decider.missed = self.decider.missed, {}
        self.pacing.tick(now, self.ledger, asked, missed)
        for candidates in asked:
            candidates.asked_count = candidates.unstored_count = 0
        self.decider.standing = self._standing()
        self._ticked_at = now

    def planning(self, now: datetime) -> Callable[[], Plan] | None:
        """Once an hour what finds a new plan of the week; it changes nothing, and may run in a thread."""
        if not _is_due(now - self._planned_at, PLAN_EVERY):
            return None
        samples = self.learned.samples = [s for s in self.learned.samples if now - s.at <= WEEK]
        if len(samples) < _LEAST_SAMPLES:
            return None
        self._planned_at = now
        pacing, week, rates = self.pacing, self._week, self._rates
        booked, kept = pacing.booked(self.ledger), tuple(samples)
        pages_per_week = self.learned.level.per_hour * 168
        return lambda: Plan(pacing, plan(week.supply(kept, rates, now, pages_per_week), booked))

    def adopt(self, found: Plan, now: datetime) -> None:
        """Take over a plan, unless a new catalog came while it was made."""
        if found.pacing is self.pacing:
            found.pacing.follow(found.planned, now)
            self.decider.standing = self._standing()

    def _standing(self) -> Standing:
        self._number += 1
        bids, multipliers = self.pacing.bids()
        return Standing(self.pacing.index, self._rates, bids, multipliers, number=self._number, rng=self._rng)

    def _learn_rates(self, now: datetime) -> None:
        self._rated_at = now
        self._rates = Rates(
            self.pacing.index,
            self.learned.seen,
            self._rng,
            expected_ctr=self.expectations.ctr,
            expected_viewability=self.expectations.viewability,
            expected_conversion_rate=self.expectations.conversion_rate,
        )
        self.ledger.learn(self._rates)

    def _learn_traffic(self, now: datetime) -> None:
        hours = max(timedelta(0), now - self._ticked_at) / timedelta(hours=1)
        # What other workers are asked for is like what this one is.
        pages = {site: round(count / self.share) for site, count in self._pages.items()}
        self._pages = {}
        shapes = [profile.shape[bucket_of_week(self._bucket)] for profile in self.learned.profiles.values()]
        self.learned.level.learn(sum(pages.values()), hours * float(np.mean(shapes or [1.0])))
        for site, count in pages.items():
            self._bucket_pages[site] = self._bucket_pages.get(site, 0) + count
        bucket = bucket_of(now)
        if bucket != self._bucket:
            for site in self.pacing.index.sites:
                self.learned.profiles[site].learn(self._bucket, self._bucket_pages.get(site, 0))
            self._bucket, self._bucket_pages = bucket, {}
            self.pacing.schedule.learn(now)
