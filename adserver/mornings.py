"""A running server, each morning of each site → what is told of it once: alerts, and reports by mail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Protocol

import structlog

from adserver.catalog.model import Site
from adserver.clock import Clock, to_day, to_ms
from adserver.engines.sqlite_claims import Claims
from adserver.settings import Settings

_log = structlog.get_logger()
_LOOK_SECONDS = 300
Sites = Callable[[], Sequence[Site]]
Tell = Callable[[], Awaitable[None]]


class Task(Protocol):
    """Something that is told of a site on some days, once."""

    name: str

    def due(self, local: datetime) -> date | None:
        """The day whose telling is due at a time of the site's; None: nothing is."""
        ...

    async def prepare(self, site: Site, day: date) -> Tell | None:
        """What tells it, once it is read; None where there is nothing to say."""
        ...


class Mornings:
    """Looks at each site, and tells what is due. Of several workers, one tells."""

    def __init__(self, settings: Settings, clock: Clock, sites: Sites, tasks: Sequence[Task]) -> None:
        """`sites`: those of the catalog in service."""
        self._settings = settings
        self._clock = clock
        self._sites = sites
        self._tasks = tasks
        self._told: dict[str, date] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.look()
            except Exception:
                _log.exception("sites could not be looked at this morning; they are again soon")

    async def look(self) -> None:
        """Tell what is due and was not told yet."""
        now = self._clock()
        for site in self._sites():
            for task in self._tasks:
                day, name = task.due(now.astimezone(site.zone)), f"{task.name}.{site.name}"
                if day is None or self._told.get(name) == day:
                    continue
                try:
                    await self._tell(task, site, day, name, to_ms(now))
                except Exception:
                    # Such as a site that left the catalog meanwhile: the others are looked at all the same.
                    _log.exception("a site's morning was not told", task=name)

    async def _tell(self, task: Task, site: Site, day: date, name: str, now_ms: int) -> None:
        tell = await task.prepare(site, day)
        mine = await asyncio.to_thread(self._claim, name, to_day(day), now_ms)
        self._told[name] = day
        if mine and tell:
            await tell()

    def _claim(self, name: str, day: int, at_ms: int) -> bool:
        with Claims(self._settings.db) as claims:
            return claims.claim(name, day, at_ms)
