"""How often slots are asked for now, a day and a week ago → slots that fell silent or are asked for less.

A template that loses its tag earns nothing and says nothing: it is found by comparing the last two whole
hours with the same two hours of yesterday and of a week ago.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from adserver.catalog.plan import Path
from adserver.clock import BUCKET_SECONDS, Clock, bucket_of, bucket_start
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_progress import SlotAsks

#: (first bucket that is not over yet) → sums of every slot that was asked for within eight days.
AsksOf = Callable[[int], Awaitable[Sequence[SlotAsks]]]
#: Below so many requests in two hours it may be chance that none came, or only half of them.
_LEAST_TO_BE_SILENT, _LEAST_TO_DROP = 10, 50
_DROPPED_TO = 0.5
_KEPT = timedelta(seconds=10)


class Trend(StrEnum):
    """How a slot is asked for, beside how it usually is."""

    NEVER = "never"
    """Not once within eight days: the tag is on no page yet, or the slot is on none any more."""
    SILENT = "silent"
    DROPPING = "dropping"
    """By half or more."""
    STEADY = "steady"


@dataclass(frozen=True, slots=True)
class SlotTraffic:
    """Requests for one slot, invalid traffic left out."""

    slot: Path
    trend: Trend
    last_at: datetime | None
    """End of the last quarter hour in which it was asked for; now, if it still runs."""
    recent_count: int
    """In the last two whole hours."""
    usual_count: float | None
    """In the same hours of yesterday and a week ago, on average; None where nothing came then."""


class SlotWatch:
    """Watches the slots of the catalog in service."""

    def __init__(self, asks: AsksOf, current: Callable[[], Stored], clock: Clock) -> None:
        self._asks = asks
        self._current = current
        self._clock = clock
        self._known: tuple[datetime, int, Mapping[Path, SlotTraffic]] | None = None

    async def traffic(self) -> Mapping[Path, SlotTraffic]:
        """Every slot of the catalog, as of ten seconds ago at most. Raises StorageFailed."""
        now, stored = self._clock(), self._current()
        if self._known is not None:
            at, version, traffic = self._known
            if version == stored.version and timedelta(0) <= now - at < _KEPT:
                return traffic
        found = {asks.slot: asks for asks in await self._asks(bucket_of(now))}
        paths: list[Path] = [
            ("slot", site.name, slot.name) for site in stored.catalog.site for slot in site.slot
        ]
        traffic = {path: _traffic(path, found.get(stored.ids[path]), now) for path in paths}
        self._known = (now, stored.version, traffic)
        return traffic


def _traffic(path: Path, asks: SlotAsks | None, now: datetime) -> SlotTraffic:
    if asks is None:
        return SlotTraffic(path, Trend.NEVER, None, 0, None)
    known = [count for count in (asks.day_ago_count, asks.week_ago_count) if count]
    usual = sum(known) / len(known) if known else None
    last_at = min(now, bucket_start(asks.last_bucket) + timedelta(seconds=BUCKET_SECONDS))
    trend = Trend.STEADY
    if usual is not None and usual >= _LEAST_TO_BE_SILENT and not asks.recent_count:
        trend = Trend.SILENT
    elif usual is not None and usual >= _LEAST_TO_DROP and asks.recent_count <= usual * _DROPPED_TO:
        trend = Trend.DROPPING
    return SlotTraffic(path, trend, last_at, asks.recent_count, usual)
