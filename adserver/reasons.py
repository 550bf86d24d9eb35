"""Page requests of the last minutes → why line items did not serve on them, kept by local hour and day.

They are looked at while the catalog, bids and limits are still those that decided: what kept a line item
away last week is not to be found out any more today.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from zoneinfo import ZoneInfo

from adserver.clock import Clock, local_hour
from adserver.decision.look import scratch
from adserver.decision.page import Decider
from adserver.decision.reasons import count_reasons
from adserver.decision.steering import Steering
from adserver.decision.week import Sample, thinned
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_reasons import Kept, ReasonLog
from adserver.serving.jobs import Jobs
from adserver.settings import Settings

JOB = "reasons"
#: Hours are asked for today and yesterday, whatever the time zone.
_KEPT_HOURS = 72


class ReasonKeeper:
    """Looks at what one worker's pages asked for, while it runs. `current`: the catalog in service."""

    def __init__(
        self,
        settings: Settings,
        steering: Steering,
        current: Callable[[], Stored],
        clock: Clock,
        jobs: Jobs,
    ) -> None:
        self._settings = settings
        self._steering = steering
        self._current = current
        self._clock = clock
        self._jobs = jobs
        self._rng = Random(0)
        self._since = clock()
        jobs.expect(JOB, settings.reason_seconds)

    async def run(self) -> None:
        """Again and again until cancelled; pages of a time that failed are not looked at."""
        while True:
            await asyncio.sleep(self._settings.reason_seconds)
            with suppress(Exception):
                await self.keep()

    async def keep(self) -> None:
        """Keep the reasons of the pages since the last time. Raises StorageFailed."""
        with self._jobs.attempt(JOB):
            since, self._since = self._since, self._clock()
            samples = [one for one in self._steering.learned.samples if since <= one.at < self._since]
            if samples:
                some = thinned(samples, self._settings.max_reason_pages)
                await asyncio.to_thread(self._keep, scratch(self._steering.decider), some, self._current())

    def _keep(self, decider: Decider, samples: Sequence[Sample], stored: Stored) -> None:
        zones = {name: site.zone for name, site in decider.index.sites.items()}
        by_hour: dict[tuple[int, int], list[Sample]] = {}
        for one in samples:
            name = one.context.site
            if name in zones and ("site", name) in stored.ids:
                hour = local_hour(one.at, zones[name])
                by_hour.setdefault((stored.ids["site", name], hour), []).append(one)
        found = [
            Kept(site, hour, item, rule, count)
            for (site, hour), some in by_hour.items()
            for (item, rule), count in count_reasons(decider, some, self._rng).items()
        ]
        hour = local_hour(self._since, ZoneInfo("UTC"))
        with ReasonLog(self._settings.db) as log:
            log.add(found, hour - _KEPT_HOURS, hour // 24 - self._settings.reason_days)
