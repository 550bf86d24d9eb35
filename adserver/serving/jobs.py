"""A server's periodic work → how long ago each job last succeeded, whatever the clock did since."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from adserver.errors import AdserverError

_log = structlog.get_logger()


class JobState(NamedTuple):
    """One job, and how it is.

    `every_seconds`: how often it is to succeed. `age_seconds`: since it last did; None before it ever did.
    `failing`: its last attempt failed.
    """

    name: str
    every_seconds: float
    age_seconds: float | None
    failure_count: int
    failing: bool


@dataclass(slots=True)
class _Job:
    every_seconds: float
    succeeded_at: float | None = None
    failure_count: int = 0
    failing: bool = False


class Jobs:
    """The jobs of one worker. Each is expected first, and then attempted again and again."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._jobs: dict[str, _Job] = {}

    def expect(self, name: str, every_seconds: float) -> None:
        """Say that there is a job of this name, and how often it is to succeed."""
        self._jobs[name] = _Job(every_seconds)

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Note how what is done inside ends. An exception is a failure, and goes on to whoever attempts it.

        The first of several failures is logged, and that it is over.
        """
        job = self._jobs[name]
        try:
            yield
        except Exception as error:
            if not job.failing:
                # An operator's fault says it all in its sentence.
                _log.error(
                    "job failed", job=name, exc_info=not isinstance(error, AdserverError), error=str(error)
                )
            job.failure_count += 1
            job.failing = True
            raise
        if job.failing:
            _log.warning("job succeeds again", job=name)
        job.failing = False
        job.succeeded_at = self._seconds()

    def states(self) -> list[JobState]:
        """Every job, in the order in which they were expected."""
        now = self._seconds()
        return [
            JobState(
                name,
                job.every_seconds,
                None if job.succeeded_at is None else now - job.succeeded_at,
                job.failure_count,
                job.failing,
            )
            for name, job in self._jobs.items()
        ]
