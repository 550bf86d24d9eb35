"""A database that no server need have open → what a server that starts on it would decide by."""

from __future__ import annotations

from random import Random

from adserver.clock import Clock
from adserver.decision.rates import Seen
from adserver.decision.saved import unpack
from adserver.decision.steering import Steering
from adserver.decision.tally import TallyKey
from adserver.engines.catalog_store import Stored, sqlite_url
from adserver.engines.migrate import migrate
from adserver.engines.sqlite_log import SqliteLog
from adserver.engines.sqlite_progress import SqliteProgress
from adserver.loop import STATE, Loop, expectations_of
from adserver.measurement.limits import limits_of
from adserver.measurement.log import EventLog
from adserver.measurement.token import FillIds
from adserver.serving.jobs import Jobs
from adserver.serving.live import build as build_live
from adserver.settings import Settings


async def steering_of(settings: Settings, stored: Stored, clock: Clock) -> tuple[Steering, TallyKey]:
    """What a server that is started on this database would decide by, and the key of its tallies."""
    await migrate(sqlite_url(settings.db), "events")
    engine, progress = SqliteLog(settings.db), SqliteProgress(settings.db)
    try:
        learned = unpack(engine.load_state(STATE))
        learned.seen = [Seen(*row) for row in await progress.read_creatives()]
        index = build_live(stored, settings).index
        steering = Steering(index, learned, expectations_of(settings), clock(), Random(0))
        log = EventLog(engine, max_waiting=1, flush_seconds=settings.request_flush_seconds)
        await Loop(settings, clock, progress, log, steering, limits_of(stored), Jobs(), FillIds(0)).begin()
        return steering, TallyKey(engine.secret(), max_chars=settings.max_tally_chars)
    finally:
        await progress.close()
        engine.close()
