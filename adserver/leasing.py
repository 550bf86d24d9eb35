"""What the other workers hold and count → what this one may serve of line items with limits, round by round.

While the store does not answer, a worker serves what it holds, and then none of these line items; all others
go on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from adserver.clock import Clock, to_ms
from adserver.decision.lease import Leases, Round, Settled, Want
from adserver.decision.steering import Steering
from adserver.serving.jobs import Jobs

JOB = "leases"
#: A worker's part of the pages is found over some while: seconds say little where pages are few.
_PAGE_HALF_LIFE_SECONDS = 600.0


class Store(Protocol):
    """What is asked of an engine that knows what all workers hold. Each call raises StorageFailed."""

    def settle(self) -> list[Settled]:
        """What of this worker's fills others counted since it last asked."""
        ...

    def lease(self, wants: Sequence[Want], now_ms: int, page_pace: float, /) -> Round:
        """Tell that this worker lives and how many pages ask it; give it what it may hold of its wants."""
        ...

    def release(self, outstanding: Sequence[tuple[int, int]], /) -> None:
        """Hand back all but (line item, fills that are served and not counted)."""
        ...


class Leasing:
    """The leases of one worker, while it runs."""

    def __init__(
        self,
        store: Store,
        steering: Steering,
        clock: Clock,
        jobs: Jobs,
        page_count: Callable[[], int],
        *,
        every_seconds: float,
        trust_seconds: float,
    ) -> None:
        """`page_count`: of pages that asked this worker. `trust_seconds`: what it holds is surely its own for
        so long after a round.
        """
        self._store = store
        self._steering = steering
        self._leases = Leases(steering.ledger)
        self._pages_before = 0
        self._page_pace = 0.0
        self._page_kept: float = 0.5 ** (every_seconds / _PAGE_HALF_LIFE_SECONDS)
        self._clock = clock
        self._jobs = jobs
        self._page_count = page_count
        self._every_seconds = every_seconds
        self._trust_seconds = trust_seconds
        self._renewed_at = time.monotonic()
        jobs.expect(JOB, every_seconds)

    async def run(self) -> None:
        """Round after round until cancelled; one that fails leaves this worker with what it holds."""
        while True:
            await asyncio.sleep(self._every_seconds)
            with suppress(Exception):
                await self.renew()
            if time.monotonic() - self._renewed_at > self._trust_seconds:
                # The others may soon be given it.
                self._leases.drop()

    async def renew(self) -> None:
        """One round. Raises StorageFailed."""
        with self._jobs.attempt(JOB):
            self._leases.settle(await asyncio.to_thread(self._store.settle))
            pages = self._page_count()
            self._page_pace = self._page_kept * self._page_pace + pages - self._pages_before
            self._pages_before = pages
            wants, now_ms = self._leases.wants(pages), to_ms(self._clock())
            grants, share = await asyncio.to_thread(self._store.lease, wants, now_ms, self._page_pace)
            self._leases.take(grants)
            self._steering.take_share(share)
            self._renewed_at = time.monotonic()

    async def end(self) -> None:
        """Hand back what is not served: readers of the other workers may have it at once."""
        with suppress(Exception), self._jobs.attempt(JOB):
            await asyncio.to_thread(self._store.release, self._leases.outstanding())
