"""The last minutes of all workers and of one site → whether serving is healthy now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from adserver.clock import to_ms
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_minutes import MinuteCounts
from adserver.measurement.pulse import MINUTES, PULSE_STATE, Beat, merge
from adserver.measurement.report import Choice

_MINUTE_MS = 60_000


class Source(Protocol):
    """Where the newest is read."""

    async def minutes(self, since_ms: int, slots: Sequence[int], /) -> Sequence[MinuteCounts]:
        """Events of fills from a moment on, by the minute of the fill."""
        ...

    async def states(self, prefix: str, since_ms: int, /) -> Sequence[bytes]:
        """What workers keep of themselves and renewed since a moment."""
        ...

    async def last_event_ms(self, slots: Sequence[int], /) -> int | None:
        """When the newest event of some slots came."""
        ...


@dataclass(frozen=True, slots=True)
class Vitals:
    """The last 60 minutes, that of now last: of the whole server (None: not theirs to see), and of a site.

    `age_seconds`: since the site's newest event; None before the first.
    """

    choice: Choice
    server: tuple[Beat, ...] | None
    site: tuple[MinuteCounts, ...]
    age_seconds: float | None


class AllVitals:
    """Answers whether serving is healthy."""

    def __init__(self, source: Source, catalog: Callable[[], Stored]) -> None:
        self._source = source
        self._catalog = catalog

    async def read(self, choice: Choice, sites: frozenset[str] | None) -> Vitals:
        """Of the chosen site. `sites`: whose numbers somebody may read; None: all, and so the server's."""
        now_ms = to_ms(choice.asked_at)
        first = now_ms // _MINUTE_MS - MINUTES + 1
        ids = self._catalog().ids
        slots = [
            number
            for path, number in ids.items()
            if path[:2] == ("slot", choice.site.name) and choice.slot in (None, path[2])
        ]
        found = {row.minute: row for row in await self._source.minutes(first * _MINUTE_MS, slots)}
        last_ms = await self._source.last_event_ms(slots)
        server = None
        if sites is None:
            states = await self._source.states(PULSE_STATE, first * _MINUTE_MS)
            server = tuple(merge(states, now_ms))
        return Vitals(
            choice,
            server,
            tuple(
                found.get(minute, MinuteCounts(minute, 0, 0, 0)) for minute in range(first, first + MINUTES)
            ),
            None if last_ms is None else max(0.0, (now_ms - last_ms) / 1000),
        )
