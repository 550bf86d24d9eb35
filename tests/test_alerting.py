"""A morning after an unusual day: one mail and one call of the webhook, whatever number of workers look."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adserver import mornings
from adserver.engines.sqlite_claims import Claims
from adserver.engines.sqlite_progress import SqliteProgress
from adserver.engines.sqlite_report import SqliteReport
from adserver.mornings import Mornings
from adserver.settings import Settings
from adserver.told import told_each_morning
from dashboards.sources import sources_of
from tests.accounts.test_mail import postbox
from tests.measurement.test_alerts import USUAL, mondays, write
from tests.newsroom import NOW, PAID, apply_catalog, server


@contextmanager
def hook(status: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A program that takes webhooks: its address, and what it was sent. It answers with a status."""
    taken: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.send_header("location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")  # type: ignore[attr-defined]
            self.end_headers()

        def do_GET(self) -> None:
            taken.append({"followed": self.path})

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/secret-path", taken
        server.shutdown()


async def look_after(
    settings: Settings, stored: Any, mails: list[Message], expected: dict[float, int]
) -> list[int]:
    """Two workers look some hours after NOW; how many mails there are then, once those expected came."""
    now = [NOW]
    rollups, progress = SqliteReport(settings.db), SqliteProgress(settings.db)
    sources = sources_of(settings, rollups, progress, lambda: stored, lambda: now[0])
    workers = [
        Mornings(settings, lambda: now[0], sources.reports.sites, told_each_morning(settings, sources))
        for _ in "12"
    ]
    counts: list[int] = []
    for after, count in expected.items():
        now[0] = NOW + timedelta(hours=after)
        for worker in workers:
            await worker.look()
        for _ in range(200):
            await asyncio.sleep(0.01)
            if len(mails) >= count:
                break
        counts.append(len(mails))
    await rollups.close()
    await progress.close()
    return counts


@pytest.mark.parametrize("status", [200, 302, 500])
def test_each_is_told_once_and_whatever_the_webhook_answers(tmp_path: Path, status: int) -> None:
    db = tmp_path / "a.db"
    stored = apply_catalog(db, PAID)
    write(db, stored, mondays(USUAL, USUAL, USUAL, (0, 0, 0)))
    with postbox() as (port, mails), hook(status) as (url, taken):
        settings = Settings(
            db=db,
            smtp_url=f"smtp://127.0.0.1:{port}",
            alert_to="ops@news.example, editor@news.example",
            alert_webhook=url,
            alert_min_requests=100,
            public_url="https://ads.example",
        )
        # It is 11:45 there: at 06:45 nobody was told yet; the next day was as Tuesdays are: unknown.
        expected = {-5.0: 0, 0.0: 2, 0.2: 2, 24.0: 2}
        assert asyncio.run(look_after(settings, stored, mails, expected)) == [*expected.values()]
    assert {mail["To"] for mail in mails} == {"ops@news.example", "editor@news.example"}
    assert "https://ads.example/reports/?site=" in str(mails[0].get_payload(decode=True))
    (body,) = taken
    assert [one["kind"] for one in body["alerts"]] == ["revenue", "silent"]
    assert body["day"] == "2026-11-23" and body["alerts"][0]["usual"] == USUAL[2]


def test_a_site_that_left_the_catalog_does_not_keep_the_others_from_being_told(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    stored = apply_catalog(db, PAID)
    write(db, stored, mondays(USUAL, USUAL, USUAL, (0, 0, 0)))

    async def told(url: str) -> None:
        settings = Settings(db=db, alert_webhook=url, alert_min_requests=100)
        rollups, progress = SqliteReport(db), SqliteProgress(db)
        sources = sources_of(settings, rollups, progress, lambda: stored, lambda: NOW)
        (here,) = sources.reports.sites()
        gone = here.model_copy(update={"name": "gone"})
        tasks = told_each_morning(settings, sources)
        await Mornings(settings, lambda: NOW, lambda: [gone, here], tasks).look()
        await rollups.close()
        await progress.close()

    with hook(200) as (url, taken):
        asyncio.run(told(url))
    assert [body["site"] for body in taken] == [stored.catalog.site[0].name]


def test_a_running_server_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mornings, "_LOOK_SECONDS", 0.05)
    db = tmp_path / "a.db"
    write(db, apply_catalog(db, PAID), mondays(USUAL, USUAL, USUAL, (0, 0, 0)))
    with (
        hook(204) as (url, taken),
        server(db, None, clock=lambda: NOW, alert_webhook=url, alert_min_requests=100) as client,
    ):
        for _ in range(200):
            if taken:
                break
            time.sleep(0.02)
        assert client.get("/healthz").status_code == 200
    assert [[one["kind"] for one in body["alerts"]] for body in taken] == [["revenue", "silent"]]


def test_a_number_is_claimed_once_and_never_an_earlier_one(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    write(db, apply_catalog(db, PAID), {})
    with Claims(db) as one, Claims(db) as other:
        claimed = [claims.claim("x", day, 1) for day in (9, 10, 10, 9, 100) for claims in (one, other)]
        assert claimed == [True, False, True, False, False, False, False, False, True, False]
        assert other.claim("y", 1, 1)


def test_what_cannot_be_sent_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="needs ADSERVER_SMTP_URL"):
        Settings(db=tmp_path, alert_to="ops@news.example")
    with pytest.raises(ValidationError, match="is not such as name@"):
        Settings(db=tmp_path, smtp_url="smtp://mail.example", alert_to="ops")
    with pytest.raises(ValidationError, match="is not such as https://"):
        Settings(db=tmp_path, alert_webhook="file:///etc/passwd")
