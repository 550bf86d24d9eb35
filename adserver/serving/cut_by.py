"""A page request → the facts that its fills carry: what reports cut their events by."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from adserver.clock import BUCKETS_PER_DAY, bucket_start, local_day
from adserver.decision.context import Context
from adserver.decision.facts import SECTION, day_shift, page_facts


def facts_of(context: Context, browser: str | None, section: int, zone: ZoneInfo, bucket: int) -> int:
    """Facts that all fills of a page have in common; `section` is its code, `zone` that of its site."""
    known = page_facts(context.country, context.device, browser, context.theme)
    return known | section << SECTION.shift | _day_shift(zone, bucket)


@lru_cache(maxsize=1_000)
def _day_shift(zone: ZoneInfo, bucket: int) -> int:
    return day_shift(local_day(bucket_start(bucket), zone), bucket // BUCKETS_PER_DAY)
