"""Periodic jobs: how long ago each last succeeded, by a clock that is never set."""

from __future__ import annotations

from contextlib import suppress

from structlog.testing import capture_logs

from adserver.errors import StorageFailed
from adserver.serving.jobs import Jobs, JobState


def test_a_job_is_as_old_as_its_last_success_and_its_failures_are_counted_and_said_once() -> None:
    now = [100.0]
    jobs = Jobs(lambda: now[0])
    jobs.expect("tick", 60)
    assert jobs.states() == [JobState("tick", 60, None, 0, failing=False)]
    with jobs.attempt("tick"):
        now[0] = 101
    now[0] = 161
    with capture_logs() as said:
        for _ in range(2):
            with suppress(StorageFailed), jobs.attempt("tick"):
                raise StorageFailed("a.db: disk I/O error")
        now[0] = 201
        assert jobs.states() == [JobState("tick", 60, 100, 2, failing=True)]
        with jobs.attempt("tick"):
            pass
    assert jobs.states() == [JobState("tick", 60, 0, 2, failing=False)]
    assert [(line["event"], line["job"], line.get("error")) for line in said] == [
        ("job failed", "tick", "a.db: disk I/O error"),
        ("job succeeds again", "tick", None),
    ]
