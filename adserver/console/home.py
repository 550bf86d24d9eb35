"""Deliveries and history → the first page of the day: what will miss its goal, and what was changed.

A line item is behind when the part of its goal that was counted is less than the part of its flight that has
passed. The ones that can be helped least long come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.clock import Clock
from adserver.console.objects import address_of
from adserver.console.pages import page
from adserver.console.words import ago
from adserver.editing.editor import Editor
from adserver.editing.objects import Objects, Seen
from adserver.measurement.delivery import Deliveries, Delivery
from adserver.measurement.slots import SlotTraffic, SlotWatch, Trend
from adserver.web.door import principal_of

#: Points of its goal by which a line item may be behind before it is said.
_TOLERATED = 0.02
_MOST_ROWS = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One line item in flight: parts of its goal and of its flight, and whole days until its end."""

    href: str
    delivery: Delivery
    delivered: float
    passed: float
    left: str

    @property
    def behind(self) -> float:
        """By how many points of its goal it is behind; 0 where it is not, or hardly."""
        short = self.passed - self.delivered
        return short if short > _TOLERATED else 0.0


class Home:
    """What needs somebody this morning."""

    def __init__(
        self, deliveries: Deliveries, watch: SlotWatch, objects: Objects, editor: Editor, clock: Clock
    ) -> None:
        self._deliveries = deliveries
        self._watch = watch
        self._objects = objects
        self._editor = editor
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        return [Route("/", self._show)]

    async def _show(self, request: Request) -> Response:
        principal, now = principal_of(request), self._clock()
        seen = await self._objects.seen_by(principal)
        rows = [
            row_of(one, now)
            for one in self._deliveries()
            if one.start <= now < one.end and ("line_item", one.line_item) in seen.entries
        ]
        late = sorted((row for row in rows if row.behind), key=lambda row: row.delivery.end)
        past = await self._editor.history(principal, most=20)
        return page(
            request,
            "home.html",
            "Home",
            late=late[:_MOST_ROWS],
            late_count=len(late),
            in_flight_count=len(rows),
            empty=not seen.entries,
            quiet=[self._quiet(one, now) for one in await self._watched(seen)],
            steps=[step for step in past.steps if step.revision.at > now - timedelta(days=1)],
        )

    async def _watched(self, seen: Seen) -> list[SlotTraffic]:
        """Slots that fell silent, then those that are asked for less, the largest loss first."""
        traffic = [one for path, one in (await self._watch.traffic()).items() if path in seen.entries]
        wrong = [one for one in traffic if one.trend in (Trend.SILENT, Trend.DROPPING)]
        wrong.sort(key=lambda one: (one.trend is Trend.DROPPING, one.recent_count - (one.usual_count or 0)))
        return wrong[:_MOST_ROWS]

    def _quiet(self, one: SlotTraffic, now: datetime) -> dict[str, Any]:
        return {
            "href": address_of(one.slot),
            "name": "/".join(one.slot[1:]),
            "trend": str(one.trend),
            "recent": one.recent_count,
            "usual": round(one.usual_count or 0),
            "last": ago(one.last_at, now) if one.last_at else "",
        }


def row_of(delivery: Delivery, now: datetime) -> Row:
    """A line item as the page shows it."""
    passed = (now - delivery.start) / (delivery.end - delivery.start)
    left = delivery.end - now
    words = f"{left.days} days" if left.days > 1 else f"{left // timedelta(hours=1)} hours"
    part = min(1.0, delivery.delivered_count / delivery.goal)
    return Row(address_of(("line_item", delivery.line_item)), delivery, part, passed, words)
