"""A running server, once a day → old raw events in files, old rollups thinned, off the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import structlog

from adserver.clock import Clock
from adserver.engines.catalog_store import Stored
from adserver.errors import AdserverError
from adserver.measurement.retention import ArchiveInUse, retire
from adserver.measurement.thinning import thin, zones_of
from adserver.settings import Settings

_log = structlog.get_logger()
#: A server that just started has other things to do first.
_FIRST_SECONDS = 600


async def keep_up(settings: Settings, clock: Clock, catalog: Callable[[], Stored]) -> None:
    """Once a day until cancelled. Of several workers, the first to come does what they cannot do together."""
    pause = min(_FIRST_SECONDS, settings.retain_seconds)
    while True:
        await asyncio.sleep(pause)
        pause = settings.retain_seconds
        ending = threading.Event()
        try:
            await asyncio.to_thread(_retire, settings, clock, ending)
            await asyncio.to_thread(thin, settings, zones_of(catalog()), clock(), ending.is_set)
        except AdserverError as error:
            _log.error("old events or rollups stay as they are", error=str(error))
        except Exception:
            _log.exception("old events or rollups stay as they are")
        finally:
            ending.set()


def _retire(settings: Settings, clock: Clock, ending: threading.Event) -> None:
    try:
        retired = retire(settings, clock(), ending.is_set)
    except ArchiveInUse:
        return
    except AdserverError as error:
        # Such as a missing library: rollups are thinned nevertheless.
        _log.error("old events stay in the log", error=str(error))
        return
    for day in retired.days:
        _log.info("events retired", file=str(day.file), event_count=day.event_count)
