"""A log and a number of days → its older raw events in Parquet files, and no longer in the log.

A day's file is on disk before the first of its events is removed, and what is removed is read back from the
file. So each event is in the log, in the file, or, after a crash, in both, where it is known by its fill,
kind and arrival; doing it again finishes. Sums stay as they are: what was counted was counted.

A repeat of an event that was removed is not known again. It is late by then, as settings see to, and counts
for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from adserver.clock import to_ms
from adserver.engines.files import locked, remove_partial
from adserver.engines.parquet_archive import KeptEvent, need_pyarrow, read_day, write_day
from adserver.engines.sqlite_retention import SqliteRetention
from adserver.errors import InvalidInput, StorageFailed
from adserver.settings import Settings

DAY_MS = 86_400_000
#: Events removed in one transaction: a few milliseconds.
_AT_ONCE = 500
#: The least that the log is left to others after each, so that a writer who waits for it gets it.
_PAUSE_SECONDS = 0.02


class ArchiveInUse(InvalidInput):
    """Another program writes to the folder of the archive."""


class _Stopped(Exception):
    """There is to be an end, in the middle of a file."""


class RetiredDay(NamedTuple):
    """One UTC day, in days since 1970, whose events went to a file, and how many the log held of it."""

    day: int
    file: Path
    event_count: int


class Retired(NamedTuple):
    """What was done, and for how long the writer was held at most, in ms. `stopped`: there is more to do."""

    days: tuple[RetiredDay, ...]
    longest_ms: float
    stopped: bool


def archive_folder(settings: Settings) -> Path:
    """Where the files are: as set, or beside the database."""
    return settings.archive_dir or settings.db.parent / "archive"


def retire(settings: Settings, now: datetime, stopped: Callable[[], bool] = lambda: False) -> Retired:
    """Move the events of UTC days that ended `keep_events_days` ago to files; blocks, so give it a thread.

    Ends early, in any step, once `stopped` says so. When there is something to do, raises InvalidInput
    without pyarrow, ArchiveInUse when another program is at it, StorageFailed when a disk refuses.
    """
    # A day that ended so long ago, and all before it.
    end = to_ms(now) // DAY_MS - settings.keep_events_days
    if not settings.keep_events_days:
        return Retired((), 0.0, False)
    with SqliteRetention(settings.db) as log:
        day = log.first_day()
        if day is None or day >= end:
            return Retired((), 0.0, False)
        need_pyarrow()
        folder = _made(archive_folder(settings))
        with locked(folder / ".lock", alone=True) as alone:
            if not alone:
                raise ArchiveInUse.one(str(folder), "", "another program is writing to it")
            remove_partial(folder)
            return _retire_days(log, folder, range(day, end), stopped)


def _retire_days(log: SqliteRetention, folder: Path, days: range, stopped: Callable[[], bool]) -> Retired:
    """Each of the days that has events, the oldest first."""
    done: list[RetiredDay] = []
    longest_ms = 0.0
    following: int | None = days.start
    while following is not None and following in days and not stopped():
        day = following
        try:
            file = write_day(folder, day, _until(stopped, log.events_of(day)))
        except _Stopped:
            break
        count, held_ms = _remove(log, day, file, stopped)
        done.append(RetiredDay(day, file, count))
        longest_ms = max(longest_ms, held_ms)
        following = log.first_day(day + 1)
    return Retired(tuple(done), longest_ms, stopped())


def _until(
    stopped: Callable[[], bool], batches: Iterable[Sequence[KeptEvent]]
) -> Iterator[Sequence[KeptEvent]]:
    for rows in batches:
        if stopped():
            raise _Stopped
        yield rows


def _remove(log: SqliteRetention, day: int, file: Path, stopped: Callable[[], bool]) -> tuple[int, float]:
    """Remove from the log what a file holds; how many events that were, and the longest transaction in ms."""
    count, longest = 0, 0.0
    for rows in read_day(file):
        for start in range(0, len(rows), _AT_ONCE):
            if stopped():
                return count, longest * 1000
            began = time.monotonic()
            count += log.remove(day, rows[start : start + _AT_ONCE])
            held = time.monotonic() - began
            longest = max(longest, held)
            time.sleep(max(_PAUSE_SECONDS, held))
    return count, longest * 1000


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"{folder}: cannot be made: {error.strerror}") from error
    return folder
