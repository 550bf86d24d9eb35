"""Reports by mail: one a week and one a month, of the days that are over, and no name in them breaks out."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from email.message import Message
from pathlib import Path
from random import Random

import pytest

from adserver.engines.sqlite_progress import SqliteProgress
from adserver.engines.sqlite_report import SqliteReport
from adserver.measurement.pace import Pace
from adserver.measurement.report import Choice, DayLine, Period, Report, SlotLine, Totals
from adserver.mornings import Mornings
from adserver.settings import Settings
from adserver.told import told_each_morning
from dashboards.mail_pages import bars, report_mail
from dashboards.sources import sources_of
from tests.accounts.test_mail import postbox
from tests.dashboards.payloads import payloads
from tests.dashboards.test_exports import Tags
from tests.dashboards.test_hours_and_pace import SITE, goal
from tests.measurement.test_cuts import play, visitors

#: 07:00 in Kathmandu.
MONDAY = datetime.fromisoformat("2026-11-30T07:00:00+05:45")


async def mails_at(db: Path, settings: Settings, stored: object, mails: list[Message]) -> list[list[str]]:
    """Two workers look at some times; the subjects of all mails after each."""
    now = [MONDAY]
    rollups, progress = SqliteReport(db), SqliteProgress(db)
    sources = sources_of(settings, rollups, progress, lambda: stored, lambda: now[0])  # type: ignore[arg-type, return-value]
    tasks = told_each_morning(settings, sources)
    workers = [Mornings(settings, lambda: now[0], sources.reports.sites, tasks) for _ in "12"]
    found = []
    for hours, count in ((-1, 0), (0, 1), (3, 1), (24, 2), (30, 2), (24 * 7, 2)):
        now[0] = MONDAY + timedelta(hours=hours)
        for worker in workers:
            await worker.look()
        for _ in range(200):
            await asyncio.sleep(0.01)
            if len(mails) >= count:
                break
        found.append([str(mail["Subject"]) for mail in mails])
    await rollups.close()
    await progress.close()
    return found


def parts_of(mail: Message) -> dict[str, bytes]:
    """Type of each part of a mail → what it holds."""
    return {
        part.get_content_type(): bytes(part.get_payload(decode=True))
        for part in mail.walk()
        if not part.is_multipart()
    }


@pytest.mark.parametrize("prints", [True, False])
def test_a_week_and_a_month_are_told_once_and_are_what_the_report_says(tmp_path: Path, prints: bool) -> None:
    db, rng = tmp_path / "a.db", Random(3)
    stored = play(db, visitors(8, rng), rng, pages=60)
    with postbox() as (port, mails):
        settings = Settings(
            db=db,
            smtp_url=f"smtp://127.0.0.1:{port}",
            report_to="publisher@news.example",
            public_url="https://ads.example",
            chromium=None if prints else Path("/nowhere"),
        )
        found = asyncio.run(mails_at(db, settings, stored, mails))
    # Not before the hour, once on Monday, once on the first; nothing was asked for in the week after.
    assert [len(subjects) for subjects in found] == [0, 1, 1, 2, 2, 2]
    week, month = mails
    assert week["To"] == "publisher@news.example"
    assert week["Content-Type"].startswith("multipart/alternative")
    parts = parts_of(week)
    text, html = (parts[f"text/{form}"].decode() for form in ("plain", "html"))
    for part in (text, html):
        assert "You earned $" in part and "during 23–29 Nov 2026" in part
    assert "https://ads.example/reports/?site=daily&from=2026-11-23&to=2026-11-29" in text
    assert "from=2026-11-23&amp;to=2026-11-29" in html
    assert b"from=2026-11-01&to=2026-11-30" in parts_of(month)["text/plain"]
    assert set(parts) == {"text/plain", "text/html", *(["image/png"] if prints else [])}
    assert ('src="cid:chart"' in html) is prints and ('bgcolor="#2456d6"' in html) is not prints
    if prints:
        (picture,) = (part for part in week.walk() if part.get_content_type() == "image/png")
        assert picture["Content-ID"] == "<chart>"
        assert parts["image/png"].startswith(b"\x89PNG") and len(parts["image/png"]) > 10_000


def test_nothing_is_sent_without_a_server_for_mails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ADSERVER_SMTP_URL"):
        Settings(db=tmp_path / "a.db", report_to="a@news.example")


def report(days: int, *names: str) -> Report:
    """Some days of a few slots."""
    first = date(2026, 11, 1)
    period = Period(SITE.zone, first, first + timedelta(days=days - 1))
    choice = Choice(SITE, period, None, MONDAY)
    lines = tuple(DayLine(day, Totals(revenue_micros=1_000_000), False) for day in period.days)
    slots = tuple(SlotLine(name, Totals(), False) for name in names)
    return Report(choice, Totals(revenue_micros=days * 1_000_000), lines, slots, (), (), None)


def test_a_month_is_shown_by_week_and_its_bars_add_up() -> None:
    assert [bar.label for bar in bars(report(7))][:2] == ["Sun 1", "Mon 2"]
    by_week = bars(report(30))
    assert [bar.label for bar in by_week] == [
        *("1–7 Nov 2026", "8–14 Nov 2026", "15–21 Nov 2026", "22–28 Nov 2026", "29–30 Nov 2026"),
    ]
    assert [bar.revenue for bar in by_week] == ["$7.00"] * 4 + ["$2.00"]
    assert [bar.percent for bar in by_week] == [100] * 4 + [29]


def test_a_mail_goes_without_its_picture_where_the_browser_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    db, rng = tmp_path / "a.db", Random(3)
    stored = play(db, visitors(8, rng), rng, pages=60)
    with postbox() as (port, mails):
        url = f"smtp://127.0.0.1:{port}"
        settings = Settings(db=db, smtp_url=url, report_to="publisher@news.example", chromium=broken)
        asyncio.run(mails_at(db, settings, stored, mails))
    assert [set(parts_of(mail)) for mail in mails] == [{"text/plain", "text/html"}] * 2
    assert "without its picture" in capsys.readouterr().out


def test_no_name_adds_a_tag_or_an_attribute() -> None:
    some = [*dict.fromkeys(payloads()[:24])][:8]
    seen = []
    for names in (some, [f"name-{n}" for n in range(len(some))]):
        found = report(7, *names)
        late = tuple(goal(name, 1, 10) for name in names)
        seen.append(Tags(report_mail(found, Pace(found.choice, late), "https://a.example").html).seen)
    assert seen[0] == seen[1]
