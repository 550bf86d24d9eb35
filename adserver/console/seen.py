"""What was asked for of a site's or slot's tag → the words that say whether pages ask for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.catalog.plan import Path
from adserver.clock import Clock
from adserver.console.pages import fragment, message
from adserver.console.words import ago
from adserver.editing.objects import Objects
from adserver.measurement.slots import SlotWatch, Trend
from adserver.web.door import principal_of


class TagsSeen:
    """Behind the door; asked again by pages of slots that nobody has asked for yet."""

    def __init__(self, watch: SlotWatch, objects: Objects, clock: Clock) -> None:
        self._watch = watch
        self._objects = objects
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        return [Route("/slots/seen/{site}/{slot}", self._answer)]

    async def _answer(self, request: Request) -> Response:
        path: Path = ("slot", request.path_params["site"], request.path_params["slot"])
        if path not in (await self._objects.seen_by(principal_of(request))).entries:
            return message("There is no such slot", "It is not there, or not yours to see.", 404)
        return fragment("seen.html", **await self.told(path))

    async def told(self, path: Path) -> dict[str, Any]:
        """Of a slot, or of all slots of a site; nothing of any other object."""
        if path[0] not in ("site", "slot"):
            return {"asked": None}
        traffic = await self._watch.traffic()
        own = [one for slot, one in traffic.items() if slot[: len(path)] == ("slot", *path[1:])]
        last: datetime | None = max((one.last_at for one in own if one.last_at), default=None)
        asked = {
            "name": "/".join(path[1:]),
            "kind": path[0],
            "never": last is None,
            "last": ago(last, self._clock()) if last else "",
            "recent": sum(one.recent_count for one in own),
            "usual": round(sum(one.usual_count or 0 for one in own)),
            "wrong": [one.slot[2] for one in own if one.trend in (Trend.SILENT, Trend.DROPPING)],
            "missing": [one.slot[2] for one in own if one.trend is Trend.NEVER],
        }
        return {"asked": asked}
