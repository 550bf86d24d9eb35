"""A source of time → aware UTC datetimes, and the two cuts of time everything shares: fills' ms and buckets.

Time is an argument on the lower floors; only the composition root chooses a clock, so that tests and the
demo's history run on virtual time through the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Rollup width. 15 minutes, because days must be cut in Kathmandu (+05:45) as well as Delhi (+05:30).
BUCKET_SECONDS = 900
BUCKETS_PER_HOUR = 3_600 // BUCKET_SECONDS
BUCKETS_PER_DAY = 86_400 // BUCKET_SECONDS


_EPOCH_DAY = EPOCH.toordinal()
_MILLISECOND, _MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)


def system_clock() -> datetime:
    """Now, aware, UTC."""
    return datetime.now(UTC)


def to_ms(at: datetime) -> int:
    """Whole milliseconds since 1970 of an aware datetime, exact (no float in between)."""
    return (at - EPOCH) // _MILLISECOND


def to_us(at: datetime) -> int:
    """Microseconds since 1970 of an aware datetime: all the precision that it has."""
    return (at - EPOCH) // _MICROSECOND


def from_ms(ms: int) -> datetime:
    """Inverse of `to_ms`."""
    return EPOCH + timedelta(milliseconds=ms)


def bucket_of_ms(ms: int) -> int:
    """Quarter hours since 1970 in which a millisecond lies; buckets are half-open."""
    return ms // (BUCKET_SECONDS * 1000)


def bucket_of(at: datetime) -> int:
    """Quarter hours since 1970 in which an aware datetime lies."""
    return bucket_of_ms(to_ms(at))


def bucket_start(bucket: int) -> datetime:
    """First instant of a bucket, aware, UTC."""
    return EPOCH + timedelta(seconds=bucket * BUCKET_SECONDS)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """First instant of a local day, aware, UTC.

    Where a clock change skips midnight, `fold=0` reads the missing hour with the offset before the change,
    which is the instant of the change; where midnight comes twice, it is the first one.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


def to_day(day: date) -> int:
    """Days since 1970-01-01 of a date."""
    return day.toordinal() - _EPOCH_DAY


def local_day(at: datetime, zone: ZoneInfo) -> int:
    """The local date of an instant, in days since 1970-01-01."""
    return at.astimezone(zone).toordinal() - _EPOCH_DAY


def local_hour(at: datetime, zone: ZoneInfo) -> int:
    """The hour that clocks of a zone show, in hours since they showed 1970-01-01 00:00."""
    return 24 * local_day(at, zone) + at.astimezone(zone).hour


def hour_shown(hour: int) -> datetime:
    """What clocks show when an hour of `local_hour` begins; naive."""
    return datetime.combine(date.fromordinal(_EPOCH_DAY + hour // 24), time(hour % 24))


def next_midnight(at: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the local date after that of an instant begins, aware, UTC."""
    return day_start(at.astimezone(zone).date() + timedelta(days=1), zone)
