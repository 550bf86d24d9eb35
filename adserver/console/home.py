"""Paces, slots and history → the first page of the day: what will miss its goal, and what was changed.

Line items that miss their goal when days go on as they did, those first that can be helped least long.
"""

from __future__ import annotations

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
from adserver.measurement.pace import PaceLine, Paces
from adserver.measurement.slots import SlotTraffic, SlotWatch, Trend
from adserver.web.door import principal_of

_MOST_ROWS, _MOST_STEPS = 50, 20
#: What a flight that has only begun delivered says nothing yet.
_SHORTEST = timedelta(hours=1)


class Home:
    """What needs somebody this morning."""

    def __init__(
        self, paces: Paces, watch: SlotWatch, objects: Objects, editor: Editor, clock: Clock
    ) -> None:
        self._paces = paces
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
        lines = [
            line for line in await self._paces.in_flight(now) if ("line_item", line.line_item) in seen.entries
        ]
        late = [line for line in lines if line.will_miss and now - line.start >= _SHORTEST]
        past = await self._editor.history(principal, most=_MOST_STEPS)
        steps = [step for step in past.steps if step.revision.at > now - timedelta(days=1)]
        return page(
            request,
            "home.html",
            "Home",
            late=[late_row(line, now) for line in late[:_MOST_ROWS]],
            late_count=len(late),
            in_flight_count=len(lines),
            empty=not seen.entries,
            quiet=[self._quiet(one, now) for one in await self._watched(seen)],
            steps=steps,
            more_steps=len(steps) == _MOST_STEPS and past.older is not None,
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


def late_row(line: PaceLine, now: datetime) -> dict[str, Any]:
    """A line item as the page shows it."""
    left = line.end - now
    return {
        "href": address_of(("line_item", line.line_item)),
        "line": line,
        "delivered": line.delivered_count / line.goal,
        "missed": line.short_count / line.goal,
        "left": f"{left.days} days" if left.days > 1 else f"{left // timedelta(hours=1)} hours",
    }
