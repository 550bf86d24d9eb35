"""What a running server tells of itself: metrics, readiness with its periodic jobs, and its log."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from tests.newsroom import PAID, apply_catalog, catalog_of, line_item, server
from tests.processes import serving

ASK = {"site": "daily", "slots": [{"slot": "top"}, {"slot": "side"}]}


def metrics_of(client: TestClient) -> dict[tuple[str, str], float]:
    """(name, value of the only label) → value."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


def report(client: TestClient, *events: tuple[str, str]) -> None:
    body = {"events": [{"fill": token, "type": kind} for token, kind in events]}
    assert client.post("/v1/events", json=body).status_code == 204


def test_events_are_counted_by_what_they_are_and_commits_by_their_time(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        assert ("adserver_last_event_age_seconds", "") not in metrics_of(client)
        top, side = (one["fill"] for one in client.post("/v1/fill", json=ASK).json()["fills"])
        report(client, (top, "impression"), (side, "impression"), (top, "impression"))
        report(client, (top, "impression"), (top, "viewable"))
        client.get(f"/v1/click/{top}", headers={"user-agent": "curl/8"})
        report(client, (side, "viewable"))
        found = metrics_of(client)
        assert found["adserver_events_committed_total", ""] == 7
        assert found["adserver_events_marked_total", "duplicate"] == 2
        assert found["adserver_events_marked_total", "bot"] == 1
        assert found["adserver_invalid_requests_total", "bot"] == 1
        assert found["adserver_commit_seconds_count", ""] == found["adserver_commits_total", ""] >= 3
        assert found["adserver_commit_seconds_bucket", "+Inf"] == found["adserver_commits_total", ""]
        assert 0 < found["adserver_commit_seconds_sum", ""] < 30
        assert 0 <= found["adserver_last_event_age_seconds", ""] < 30
        assert found["adserver_events_waiting", ""] == found["adserver_events_shed_total", ""] == 0
    with server(tmp_path / "a.db", catalog=None) as client:
        # After a restart it is known to the quarter hour.
        assert 0 <= metrics_of(client)["adserver_last_event_age_seconds", ""] < 930


def test_readiness_tells_of_each_periodic_job(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", tick_seconds=0.02, catalog_poll_seconds=0.02) as client:
        until(client, lambda jobs: jobs["tick"]["last_success_age_seconds"] is not None)
        body = client.get("/readyz").json()
        assert (body["status"], body["catalog"]) == ("ready", 1)
        assert body["events"] == {"waiting": 0, "written": True, "last_event_age_seconds": None}
        jobs = body["jobs"]
        assert [*jobs] == [
            *("tick", "rates", "plan", "reasons", "catalog", "fill_ids", "retention", "thinning"),
        ]
        assert (jobs["tick"]["every_seconds"], jobs["retention"]["every_seconds"]) == (0.02, 86_400)
        assert not any(job["failing"] or job["failures"] for job in jobs.values())
        # Learned at the start; planned when there is enough to plan from; the rest is done once a day.
        assert 0 <= jobs["rates"]["last_success_age_seconds"] < 30
        assert (
            jobs["plan"]["last_success_age_seconds"] is jobs["thinning"]["last_success_age_seconds"] is None
        )
        assert ("adserver_job_last_success_age_seconds", "tick") in metrics_of(client)


def test_a_job_that_fails_is_seen_and_pages_are_answered(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", tick_seconds=0.02) as client:
        loop: Any = client.app
        tick, loop._loop._steering.tick = loop._loop._steering.tick, None  # the fault: ticks raise
        until(client, lambda jobs: jobs["tick"]["failing"])
        assert client.post("/v1/fill", json=ASK).status_code == 200
        assert metrics_of(client)["adserver_job_failures_total", "tick"] >= 1
        loop._loop._steering.tick = tick
        until(client, lambda jobs: not jobs["tick"]["failing"])


def until(client: TestClient, holds: Any) -> None:
    """Ask until something holds of the jobs."""
    for _ in range(2_000):
        if holds(client.get("/readyz").json()["jobs"]):
            return
    raise AssertionError("asked in vain")


def test_every_line_of_the_log_is_json_whoever_says_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    db = tmp_path / "a.db"
    apply_catalog(db, PAID)
    with serving(db) as running:
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            connection.sendall(b"this is not HTTP\r\n\r\n")
            connection.recv(1000)
        apply_catalog(db, catalog_of(line_item("new", "house", "300x250")))
        while httpx2.get(f"{running.base}/readyz").json()["catalog"] != 2:
            pass
    said = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["event"] for line in said] == [
        "serving",
        "Invalid HTTP request received.",
        "catalog in service",
        "stopping",
    ]
    assert all(line["level"] and line["timestamp"].endswith("Z") for line in said)
    assert (said[0]["catalog"], said[2]["version"], said[1]["logger"]) == (1, 2, "uvicorn.error")
