"""Rollups in quarter hours and two numbers of days → hours, and then the local days of each slot's site.

Reports cut time by local days, and a thinned row lies in the day that it sums, so they say the same before
and after. An hour is counted from the start of its local day, as that may be a quarter past an hour in UTC.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from adserver.clock import BUCKETS_PER_DAY, bucket_of, bucket_start, day_start
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_thinning import HOUR, Span, SqliteThinning
from adserver.settings import Settings

_PAUSE_SECONDS = 0.005


class Thinned(NamedTuple):
    """How many days of a slot were thinned to hours, how many to one row, and how many rows that saved."""

    hour_count: int
    day_count: int
    saved_count: int


def zones_of(stored: Stored) -> dict[int, ZoneInfo]:
    """Id of every slot there ever was → the time zone of its site, as it is now or was last."""
    zones = {site.name: site.zone for site in stored.catalog.site}
    for path, body in stored.archived.items():
        if path[0] == "site":
            zones.setdefault(path[1], ZoneInfo(str(body["timezone"])))
    slots = {path: number for path, number in stored.ids.items() if path[0] == "slot"}
    return {number: zones[path[1]] for path, number in slots.items() if path[1] in zones}


def thin(
    settings: Settings,
    zones: Mapping[int, ZoneInfo],
    now: datetime,
    stopped: Callable[[], bool] = lambda: False,
) -> Thinned:
    """Thin what is old enough of each slot; blocks, so give it a thread. Raises StorageFailed.

    Slots that are not in `zones` keep their quarter hours. What is counted later for a day that is thinned
    stands beside its sums. Ends early, between two days of a slot, once `stopped` says so.
    """
    hour_count = day_count = saved_count = 0
    if not settings.keep_quarters_days:
        return Thinned(0, 0, 0)
    today = bucket_of(now)
    with SqliteThinning(settings.db) as rollups:
        for slot, zone in zones.items():
            end = today - settings.keep_quarters_days * BUCKETS_PER_DAY
            since = rollups.thinned_until(slot)
            while (span := _next_day(rollups, slot, zone, since, end)) and not stopped():
                saved_count += _thin(rollups, span, HOUR)
                hour_count += 1
                since = span.hi
        if settings.keep_hours_days:
            for span in rollups.in_hours(today - settings.keep_hours_days * BUCKETS_PER_DAY):
                if stopped():
                    break
                saved_count += _thin(rollups, span, span.hi - span.lo)
                day_count += 1
    return Thinned(hour_count, day_count, saved_count)


def _next_day(rollups: SqliteThinning, slot: int, zone: ZoneInfo, since: int, end: int) -> Span | None:
    """The next local day with anything in it that ended by a bucket, less what is thinned already."""
    bucket = rollups.next_bucket(since)
    if bucket is None or bucket >= end:
        return None
    day = bucket_start(bucket).astimezone(zone).date()
    lo, hi = (bucket_of(day_start(one, zone)) for one in (day, day + timedelta(days=1)))
    return Span(slot, max(lo, since), hi) if hi <= end else None


def _thin(rollups: SqliteThinning, span: Span, width: int) -> int:
    began = time.monotonic()
    saved = rollups.thin(span, width)
    time.sleep(max(_PAUSE_SECONDS, time.monotonic() - began))
    return saved
