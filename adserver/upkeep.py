"""A running server → raw events retired and rollups thinned, once a day; reports read ahead, once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

import structlog

from adserver.clock import Clock
from adserver.engines.catalog_store import Stored
from adserver.errors import StorageFailed
from adserver.measurement.retention import ArchiveInUse, retire
from adserver.measurement.thinning import thin, zones_of
from adserver.serving.jobs import Jobs
from adserver.settings import Settings
from dashboards.sources import Sources

_log = structlog.get_logger()
#: A server that just started has other things to do first.
_FIRST_SECONDS = 600
_AHEAD_SECONDS = 30


async def keep_up(settings: Settings, clock: Clock, catalog: Callable[[], Stored], jobs: Jobs) -> None:
    """Once a day until cancelled. Of several workers, the first to come does what they cannot do together."""
    for name in ("retention", "thinning"):
        jobs.expect(name, settings.retain_seconds)
    pause = min(_FIRST_SECONDS, settings.retain_seconds)
    while True:
        await asyncio.sleep(pause)
        pause = settings.retain_seconds
        ending = threading.Event()
        try:
            # Each for itself: where a library is missing for the one, the other is done nevertheless.
            with suppress(Exception), jobs.attempt("retention"):
                await asyncio.to_thread(_retire, settings, clock, ending)
            with suppress(Exception), jobs.attempt("thinning"):
                await asyncio.to_thread(thin, settings, zones_of(catalog()), clock(), ending.is_set)
        finally:
            ending.set()


async def read_ahead(sources: Sources) -> None:
    """Once, a while after the start: the first report of a day is as fast as the others."""
    await asyncio.sleep(_AHEAD_SECONDS)
    # Whoever asks for a report is told what is wrong.
    with suppress(StorageFailed):
        await sources.read_ahead()


def _retire(settings: Settings, clock: Clock, ending: threading.Event) -> None:
    try:
        retired = retire(settings, clock(), ending.is_set)
    except ArchiveInUse:
        return
    for day in retired.days:
        _log.info("events retired", file=str(day.file), event_count=day.event_count)
