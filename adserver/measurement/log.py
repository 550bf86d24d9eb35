"""Events and counts of requests → the durable log, many per disk sync, each answered after its own commit.

While one batch is being synced the next one gathers, so the disk sets the pace and nobody waits for a timer.
An event that was acknowledged is on disk. One that could not be written is not acknowledged, yet kept and
tried again, since single use makes a repeat harmless.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from adserver.engines.sqlite_conversions import Conversion
from adserver.engines.sqlite_limits import Counted, Limit
from adserver.engines.sqlite_log import Committed, State
from adserver.errors import Overloaded, StorageFailed
from adserver.measurement.event import Event, Validity

#: Outcome under which a filled slot is counted; the others are the reasons of decisions.
FILLED = "filled"
#: Outcome under which a slot is counted that went to a bid of the page's own header bidding.
HEADER_BID = "header_bid"
#: Before `BID` or the reason for none: outcome of a slot that an auction elsewhere asked for.
AUCTION = "auction."
BID = "bid"
#: Before the rule's name: outcome of a slot of a page request that is invalid traffic, filled or not.
INVALID = "invalid."

_log = structlog.get_logger()
#: Events per transaction: enough to share a disk sync, few enough that none waits long for its neighbours.
_BATCH = 5_000
#: Orders per transaction; each costs as much as some dozens of events.
_ORDERS = 200
_RETRY_SECONDS = 0.25
#: So long at most a commit waits for those who come at the same time.
_GATHER_SECONDS = 0.005
#: Upper bounds, included, by which commits are counted by their time; what is slower has a place of its own.
COMMIT_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Store(Protocol):
    """What the log needs of an engine. Each call returns when its work is durable, or raises."""

    def commit(
        self,
        rows: Sequence[Event],
        requests: dict[tuple[int, int, str], int],
        states: Sequence[State],
        conversions: Sequence[Conversion],
        days: Sequence[Sequence[Event]],
        /,
    ) -> Committed:
        """Write events, counts of requests, states, orders and flat days at once; which are new and count.

        Raises StorageFailed with nothing written.
        """
        ...

    def limit(self, limits: Sequence[Limit], /) -> None:
        """Make these the limits of all that is written from now on. Raises StorageFailed."""
        ...


@dataclass(slots=True)
class LogCounts:
    """What the log did since it was opened; the metrics page reads it."""

    committed: int = 0
    commits: int = 0
    shed: int = 0
    failed_commits: int = 0
    decisions: dict[str, int] = field(default_factory=dict)
    """Slots decided, by outcome."""
    marked: dict[str, int] = field(default_factory=dict)
    """Events on disk that do not count, by reason; repeats are duplicates."""
    commits_by_time: list[int] = field(default_factory=lambda: [0] * (len(COMMIT_BOUNDS_SECONDS) + 1))
    """Commits that took longer than one bound and not longer than the next; `COMMIT_BOUNDS_SECONDS`."""
    commit_seconds: float = 0.0
    """Of all commits together."""

    def count_commit(self, event_count: int, seconds: float, marked: Mapping[int, int]) -> None:
        """Add one transaction: its events, how long it took, and which validity how many of them have."""
        self.commits += 1
        self.committed += event_count
        self.commits_by_time[bisect_left(COMMIT_BOUNDS_SECONDS, seconds)] += 1
        self.commit_seconds += seconds
        for validity, count in marked.items():
            reason = Validity(validity).name.lower()
            self.marked[reason] = self.marked.get(reason, 0) + count

    def count_decisions(self, requests: Mapping[tuple[int, int, str], int]) -> None:
        """Add counts of requests that were written."""
        for (_, _, outcome), count in requests.items():
            self.decisions[outcome] = self.decisions.get(outcome, 0) + count


@dataclass(slots=True)
class Waiting:
    """What is to be written, in the order in which it came."""

    events: list[Event] = field(default_factory=list)
    requests: dict[tuple[int, int, str], int] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    conversions: list[Conversion] = field(default_factory=list)
    days: list[list[Event]] = field(default_factory=list)
    """Flat days, each in its parts."""

    def __bool__(self) -> bool:
        return bool(self.events or self.requests or self.states or self.conversions or self.days)

    @property
    def event_count(self) -> int:
        """Events, orders included, that somebody waits for."""
        return len(self.events) + len(self.conversions)

    def take_batch(self) -> Waiting:
        """What one transaction is to write; it no longer waits."""
        batch = Waiting(self.events[:_BATCH], self.requests, self.states, days=self.days)
        self.events, self.requests, self.states, self.days = self.events[_BATCH:], {}, {}, []
        if not self.events:
            # Orders come last: what led to them may be among the events.
            batch.conversions, self.conversions = self.conversions[:_ORDERS], self.conversions[_ORDERS:]
        return batch

    def add(self, later: Waiting) -> None:
        """Have what came later wait behind this."""
        self.events += later.events
        self.conversions += later.conversions
        self.days += later.days
        self.states |= later.states
        for key, count in later.requests.items():
            self.requests[key] = self.requests.get(key, 0) + count


class EventLog:
    """One writer for all of a worker's events. `start` it inside the loop; `stop` writes what is left."""

    def __init__(
        self,
        store: Store,
        *,
        max_waiting: int,
        flush_seconds: float,
        on_counted: Callable[[Sequence[Counted]], None] | None = None,
        last_event_age_seconds: float | None = None,
    ) -> None:
        """`on_counted` is told inside the event loop, after each commit, which new events count.

        `last_event_age_seconds`: how old the newest event on disk is; None for an empty log.
        """
        self._store = store
        self._max_waiting = max_waiting
        self._flush_seconds = flush_seconds
        self._on_counted = on_counted
        self._waiting = Waiting()
        self._limits: Sequence[Limit] | None = None
        self._acknowledged: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._stopping = False
        self.committing = asyncio.Lock()
        """Held until what a commit wrote is told: whoever has it finds on disk what was told, and no more."""
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="event-log")
        self._last_event_at = (
            None if last_event_age_seconds is None else time.monotonic() - last_event_age_seconds
        )
        self._failing_since: float | None = None
        self.counts = LogCounts()

    def start(self) -> None:
        """Begin to write; must be called inside the running event loop."""
        self._writer = asyncio.get_running_loop().create_task(self._write())

    async def stop(self) -> None:
        """Write what waits, once, and end."""
        self._stopping = True
        self._wake.set()
        if self._writer:
            await self._writer
        self._thread.shutdown()

    @property
    def waiting_count(self) -> int:
        """Events that are not on disk yet."""
        return self._waiting.event_count

    @property
    def failing(self) -> bool:
        """Whether the last transaction failed; what it was to write waits, and is tried again and again."""
        return self._failing_since is not None

    @property
    def last_event_age_seconds(self) -> float | None:
        """How long ago the newest event was written; None before the first one."""
        return None if self._last_event_at is None else time.monotonic() - self._last_event_at

    def append(self, events: Sequence[Event], conversions: Sequence[Conversion] = ()) -> asyncio.Future[None]:
        """Queue events, and orders with theirs; the future is done when they are on disk, or fails.

        Raises Overloaded, with nothing queued and the events counted as shed, when too many wait.
        """
        count = len(events) + len(conversions)
        if self.waiting_count + count > self._max_waiting:
            self.counts.shed += count
            raise Overloaded(f"{self.waiting_count} events wait for the disk")
        if self._acknowledged is None:
            self._acknowledged = asyncio.get_running_loop().create_future()
            # Clicks do not wait for their future: a failure nobody looks at is in the log already.
            self._acknowledged.add_done_callback(lambda future: future.cancelled() or future.exception())
            self._wake.set()
        self._waiting.events.extend(events)
        self._waiting.conversions.extend(conversions)
        return self._acknowledged

    def count_request(self, bucket: int, slot: int, outcome: str) -> None:
        """Count that a slot was asked for; written with the next events, or soon without any."""
        key = (bucket, slot, outcome)
        requests = self._waiting.requests
        requests[key] = requests.get(key, 0) + 1

    def accrue(self, days: Sequence[list[Event]]) -> None:
        """Queue flat days that fell due, each in its parts; what the log has already stays as it is."""
        self._waiting.days.extend(days)

    def set_limits(self, limits: Sequence[Limit]) -> None:
        """Replace the limits, for every commit that begins from now on."""
        assert len({limit.item for limit in limits}) == len(limits), "a line item has one limit"
        self._limits = limits

    def save_state(self, name: str, value: bytes, at_ms: int) -> None:
        """Keep something over a restart: written with the next commit, in the same transaction.

        Of several states under one name before that, the last is written.
        """
        self._waiting.states[name] = State(name, at_ms, value)

    async def _write(self) -> None:
        while not self._stopping:
            if not self._wake.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._flush_seconds)
            self._wake.clear()
            await self._gather()
            if not await self._commit_waiting() and not self._stopping:
                await asyncio.sleep(_RETRY_SECONDS)
                self._wake.set()
        await self._commit_waiting()

    async def _gather(self) -> None:
        """Let in whoever is at the door: while more come with each turn of the loop, all share one commit."""
        count, end = -1, time.monotonic() + _GATHER_SECONDS
        while count < self._waiting.event_count < _BATCH and time.monotonic() < end:
            count = self._waiting.event_count
            await asyncio.sleep(0)

    async def _commit_waiting(self) -> bool:
        """Write all that waits, in batches; whether that worked. What failed waits on, unacknowledged."""
        waiting, acknowledged = self._waiting, self._acknowledged
        if not waiting:
            return True
        self._waiting, self._acknowledged = Waiting(), None
        while waiting:
            batch = waiting.take_batch()
            try:
                async with self.committing:
                    await self._commit(batch)
            except StorageFailed as error:
                batch.add(waiting)
                self._failed(error, batch.event_count)
                batch.add(self._waiting)
                self._waiting = batch
                if acknowledged:
                    acknowledged.set_exception(error)
                return False
        self._succeeded()
        if acknowledged:
            acknowledged.set_result(None)
        return True

    def _failed(self, error: StorageFailed, waiting_count: int) -> None:
        """Say so once, however often it is tried again."""
        self.counts.failed_commits += 1
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            _log.error("events not written; they wait", error=str(error), waiting=waiting_count)

    def _succeeded(self) -> None:
        if self._failing_since is not None:
            seconds = round(time.monotonic() - self._failing_since, 1)
            self._failing_since = None
            _log.warning("events are written again", after_seconds=seconds)

    async def _commit(self, batch: Waiting) -> None:
        """One transaction, under the newest limits; then count it and tell what counts."""
        loop = asyncio.get_running_loop()
        while (limits := self._limits) is not None:
            await loop.run_in_executor(self._thread, self._store.limit, limits)
            if self._limits is limits:
                self._limits = None
        start = time.monotonic()
        committed = await loop.run_in_executor(
            self._thread,
            self._store.commit,
            batch.events,
            batch.requests,
            list(batch.states.values()),
            batch.conversions,
            batch.days,
        )
        end = time.monotonic()
        self.counts.count_decisions(batch.requests)
        self.counts.count_commit(batch.event_count, end - start, committed.marked)
        if batch.event_count:
            self._last_event_at = end
        if self._on_counted and committed.counted:
            try:
                self._on_counted(committed.counted)
            except Exception:
                # They are on disk: whoever listens may stumble, the log goes on.
                _log.exception("what was counted was not taken up")
