"""What a worker counts → its last hour by the minute, kept in the database for whoever watches all workers.

Page requests are timed where they are answered; everything else is read once a second from counters that are
there anyway.
"""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from adserver.clock import Clock, to_ms
from adserver.measurement.log import AUCTION, FILLED, HEADER_BID, INVALID

#: Upper bounds of the times that are told apart, in ms; what took longer is in one more.
BOUNDS_MS = (0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 1000)
MINUTES = 60
#: States in which workers keep it: this, and a number.
PULSE_STATE = "pulse."
#: So many workers are told apart; a later one takes the place of one that is long gone.
_MOST_WORKERS = 64
_MINUTE_MS = 60_000
_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Beat:
    """One minute of one worker, or of several together. `times`: page requests, by `BOUNDS_MS`."""

    request_count: int = 0
    fill_count: int = 0
    error_count: int = 0
    times: tuple[int, ...] = (0,) * (len(BOUNDS_MS) + 1)

    def __add__(self, other: Beat) -> Beat:
        return Beat(
            self.request_count + other.request_count,
            self.fill_count + other.fill_count,
            self.error_count + other.error_count,
            tuple(a + b for a, b in zip(self.times, other.times, strict=True)),
        )

    @property
    def fill_rate(self) -> float | None:
        """Of its requests; None without any."""
        return self.fill_count / self.request_count if self.request_count else None

    @property
    def p95_ms(self) -> float | None:
        """The bound that 95 of 100 page requests kept to, inf beyond the last; None without any."""
        whole = sum(self.times)
        if not whole:
            return None
        reached = [*accumulate(self.times)]
        place = next(n for n, count in enumerate(reached) if 100 * count >= 95 * whole)
        return BOUNDS_MS[place] if place < len(BOUNDS_MS) else float("inf")


#: What was counted since the start: requests of slots, filled ones, faults.
Counted = Callable[[], tuple[int, int, int]]


class Pulse:
    """The last hour of one worker."""

    def __init__(
        self, node: int, counted: Counted, clock: Clock, save: Callable[[str, bytes, int], None]
    ) -> None:
        """`save`: keeps something under a name, with its time in ms since 1970."""
        self._name = f"{PULSE_STATE}{node % _MOST_WORKERS}"
        self._counted = counted
        self._clock = clock
        self._save = save
        self._before = counted()
        self._times = [0] * (len(BOUNDS_MS) + 1)
        self._minutes: dict[int, Beat] = {}

    def took(self, seconds: float) -> None:
        """A page request was answered in so long."""
        self._times[bisect_left(BOUNDS_MS, 1000 * seconds)] += 1

    def sample(self) -> None:
        """Add what was counted since the last sample to the minute of now, and keep it if there was any."""
        now_ms, counted = to_ms(self._clock()), self._counted()
        requests, fills, errors = (now - before for now, before in zip(counted, self._before, strict=True))
        beat = Beat(requests, fills, errors, tuple(self._times))
        self._before, self._times = counted, [0] * len(self._times)
        if beat == Beat():
            return
        minute = now_ms // _MINUTE_MS
        self._minutes[minute] = self._minutes.get(minute, Beat()) + beat
        self._minutes = {at: one for at, one in self._minutes.items() if at > minute - MINUTES}
        self._save(self._name, encode(self._minutes), now_ms)

    async def run(self) -> None:
        """Sample once a second until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            self.sample()


def slots_asked(decisions: Mapping[str, int]) -> tuple[int, int]:
    """Decisions by outcome → requests of slots, and filled ones; invalid traffic and auctions left out."""
    net = {
        outcome: count for outcome, count in decisions.items() if not outcome.startswith((INVALID, AUCTION))
    }
    return sum(net.values()), net.get(FILLED, 0) + net.get(HEADER_BID, 0)


def encode(minutes: Mapping[int, Beat]) -> bytes:
    """Minutes since 1970 → what is kept."""
    rows = [
        [at, one.request_count, one.fill_count, one.error_count, *one.times] for at, one in minutes.items()
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


def merge(states: Iterable[bytes], now_ms: int) -> list[Beat]:
    """What workers keep → the last 60 minutes of all of them, that of now last."""
    last = now_ms // _MINUTE_MS
    beats = [Beat()] * MINUTES
    for state in states:
        for at, requests, fills, errors, *times in json.loads(state):
            place = at - last + MINUTES - 1
            if 0 <= place < MINUTES and len(times) == len(BOUNDS_MS) + 1:
                beats[place] += Beat(requests, fills, errors, tuple(times))
    return beats
