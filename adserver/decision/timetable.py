"""Flights and hours of all line items → the bitmap of those that may serve at an instant.

Bit i of a bitmap stands for line item i of the index. Dates are checked at the decision itself: nothing has
to run for a line item to start or stop. Between two boundaries the answer is the same, so it is kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from adserver.catalog.model import LineItem
from adserver.catalog.targeting import MINUTES_PER_WEEK, parse_hours
from adserver.clock import BUCKET_SECONDS, to_us
from adserver.decision import bitmap

_FOREVER_US = 1 << 62
#: So many stretches of time between two changes of flights are remembered.
_MOST_SEGMENTS = 1000


class Flights:
    """Which line items are in flight: start ≤ now < end, and not paused."""

    def __init__(self, items: Sequence[LineItem]) -> None:
        self._spans = [
            (
                i,
                to_us(item.start) if item.start else -_FOREVER_US,
                to_us(item.end) if item.end else _FOREVER_US,
            )
            for i, item in enumerate(items)
            if not item.paused
        ]
        self._boundaries = sorted({edge for _, start, end in self._spans for edge in (start, end)})
        self._count = len(items)
        self._live: dict[int, int] = {}

    def segment(self, now_us: int) -> int:
        """Number of the stretch of time, between two boundaries, in which an instant (us since 1970) lies."""
        return bisect_right(self._boundaries, now_us)

    def live(self, segment: int) -> int:
        """Bitmap of the line items in flight in a segment."""
        bits = self._live.get(segment)
        if bits is None:
            inside = self._boundaries[segment - 1] if segment else -_FOREVER_US - 1
            live = (i for i, start, end in self._spans if start <= inside < end)
            if len(self._live) > _MOST_SEGMENTS:
                self._live.clear()
            bits = self._live[segment] = bitmap.of_positions(live, self._count)
        return bits


class Hours:
    """Which line items' `hours` (and `not` hours) admit a minute of the site's week."""

    def __init__(self, items: Sequence[LineItem]) -> None:
        self._wanted = [(i, _spans(item.target.hours)) for i, item in enumerate(items) if item.target.hours]
        self._unwanted = [
            (i, _spans(item.target.exclude.hours))
            for i, item in enumerate(items)
            if item.target.exclude and item.target.exclude.hours
        ]
        edges = {edge for _, spans in self._wanted + self._unwanted for span in spans for edge in span}
        self._boundaries = sorted(edges - {0, MINUTES_PER_WEEK})
        self._count = len(items)
        self._admitted: dict[int, int] = {}
        self._weeks: dict[tuple[str, int], int] = {}

    def segment(self, zone: ZoneInfo, now_us: int) -> int:
        """Number of the stretch of a site's week, between two boundaries, in which an instant lies."""
        if not self._boundaries:
            return 0
        bucket, rest_us = divmod(now_us, BUCKET_SECONDS * 1_000_000)
        minute = self._minute_of_week(zone, bucket) + rest_us // 60_000_000
        return bisect_right(self._boundaries, minute)

    def _minute_of_week(self, zone: ZoneInfo, bucket: int) -> int:
        """Local minute of week at a bucket's start. Zones change their offset at whole buckets only."""
        key = (zone.key, bucket)
        minute = self._weeks.get(key)
        if minute is None:
            local = (
                datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=bucket * BUCKET_SECONDS)
            ).astimezone(zone)
            minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
            if len(self._weeks) > 1000:
                self._weeks.clear()
            self._weeks[key] = minute
        return minute

    def admitted(self, segment: int) -> int:
        """Bitmap of the line items that may serve in a segment of the week."""
        bits = self._admitted.get(segment)
        if bits is None:
            minute = self._boundaries[segment - 1] if segment else 0
            closed = bitmap.of_positions(
                (i for i, spans in self._wanted if not _within(spans, minute)), self._count
            )
            shut = bitmap.of_positions(
                (i for i, spans in self._unwanted if _within(spans, minute)), self._count
            )
            bits = self._admitted[segment] = ((1 << self._count) - 1) & ~(closed | shut)
        return bits


def _spans(hours: Sequence[str]) -> tuple[tuple[int, int], ...]:
    return tuple(span for text in hours for span in parse_hours(text))


def _within(spans: Sequence[tuple[int, int]], minute: int) -> bool:
    return any(start <= minute < end for start, end in spans)
