"""What is unusual is found, and what varies by itself is not, on real rollups of five weeks."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from adserver.clock import bucket_of, day_start, to_day, to_ms
from adserver.engines.catalog_store import Stored, sqlite_url
from adserver.engines.migrate import migrate
from adserver.engines.sqlite_log import SqliteLog
from adserver.engines.sqlite_progress import SqliteProgress
from adserver.engines.sqlite_report import SqliteReport
from adserver.measurement.alerts import Alert, Alerts, Why
from adserver.measurement.event import Event
from adserver.settings import Settings
from dashboards.alert_words import address_of, mail_text, sentence_of, subject_of
from dashboards.sources import sources_of
from tests.newsroom import NOW, PAID, apply_catalog

#: NOW is a Tuesday morning in Kathmandu.
MONDAY = date(2026, 11, 23)
HOUR = timedelta(hours=1)


def write(db: Path, stored: Stored, days: dict[date, tuple[int, int, int]]) -> None:
    """Each day's requests and fills of one slot, and what it earned in micros."""
    (site,) = stored.catalog.site
    slot = stored.ids["slot", site.name, site.slot[0].name]
    asyncio.run(migrate(sqlite_url(db), "events"))
    with closing(SqliteLog(db)) as log:
        for number, (day, (requests, fills, micros)) in enumerate(days.items()):
            at = day_start(day, site.zone) + 9 * HOUR
            bucket, at_ms = bucket_of(at), to_ms(at)
            counts = {(bucket, slot, "filled"): fills, (bucket, slot, "no_eligible"): requests - fills}
            event = Event(at_ms << 22 | number, 1, at_ms, bucket, to_day(day), slot, 7, 9, micros, 0)
            log.commit([event] if micros else [], {key: count for key, count in counts.items() if count})


def mondays(*last: tuple[int, int, int]) -> dict[date, tuple[int, int, int]]:
    """The same weekday, week by week, the last of them yesterday."""
    return {MONDAY - 7 * n * timedelta(days=1): of_day for n, of_day in enumerate(reversed(last))}


def look(db: Path, stored: Stored, now: datetime = NOW, min_requests: int = 100) -> Alerts:
    """What is unusual on the site."""

    async def read() -> Alerts:
        rollups, progress = SqliteReport(db), SqliteProgress(db)
        settings = Settings(db=db, alert_min_requests=min_requests)
        found = await sources_of(settings, rollups, progress, lambda: stored, lambda: now).alerts.read(
            stored.catalog.site[0].name
        )
        await rollups.close()
        await progress.close()
        return found

    return asyncio.run(read())


USUAL = (1_000, 800, 5_000_000)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (USUAL, []),
        ((900, 700, 3_100_000), []),
        ((1_000, 800, 2_900_000), [(Why.REVENUE, 2_900_000, 5_000_000)]),
        ((1_000, 600, 5_000_000), [(Why.FILL, 0.6, 0.8)]),
        ((49, 40, 4_000_000), [(Why.SILENT, 49, 1_000)]),
        ((0, 0, 0), [(Why.REVENUE, 0, 5_000_000), (Why.SILENT, 0, 1_000)]),
    ],
)
def test_a_day_is_compared_with_the_weekdays_before(
    tmp_path: Path, last: tuple[int, int, int], expected: list[tuple[Why, float, float]]
) -> None:
    stored = apply_catalog(tmp_path / "a.db", PAID)
    holiday = (150, 20, 10_000)
    write(tmp_path / "a.db", stored, mondays(USUAL, holiday, USUAL, USUAL, last))
    alerts = look(tmp_path / "a.db", stored)
    assert alerts.choice.period.first == MONDAY
    assert [(one.why, one.found, one.usual) for one in alerts.found] == expected
    assert all(
        one.subject == (stored.catalog.site[0].slot[0].name if one.why is Why.SILENT else "")
        for one in alerts.found
    )


def test_where_little_or_nothing_is_known_nobody_is_alarmed(tmp_path: Path) -> None:
    stored = apply_catalog(tmp_path / "a.db", PAID)
    write(tmp_path / "a.db", stored, mondays(USUAL, (0, 0, 0)))
    assert look(tmp_path / "a.db", stored).found == ()
    few = tmp_path / "b.db"
    stored = apply_catalog(few, PAID)
    write(few, stored, mondays((90, 80, 9_000_000), (90, 80, 9_000_000), (90, 80, 9_000_000), (0, 0, 0)))
    assert look(few, stored).found == ()
    assert [one.why for one in look(few, stored, min_requests=50).found] == [Why.REVENUE, Why.SILENT]


def test_it_is_said_in_words_with_the_report_that_explains_it(tmp_path: Path) -> None:
    stored = apply_catalog(tmp_path / "a.db", PAID)
    write(tmp_path / "a.db", stored, mondays(USUAL, USUAL, (0, 0, 0)))
    alerts = look(tmp_path / "a.db", stored)
    site, slot = stored.catalog.site[0], stored.catalog.site[0].slot[0].name
    revenue, silent = alerts.found
    assert (
        sentence_of(revenue, alerts)
        == "Revenue on Monday 23 November was $0.00; Mondays usually bring $5.00."
    )
    assert sentence_of(silent, alerts) == (
        f"Slot {slot} had 0 requests on Monday 23 November; Mondays usually have 1,000 requests. "
        "Is its tag gone?"
    )
    query = f"site={site.name}&from=2026-11-23&to=2026-11-23"
    assert (
        address_of(silent, alerts, "https://ads.example")
        == f"https://ads.example/reports/?{query}&slot={slot}"
    )
    late = Alert(Why.LATE, "dashain", 7_000, 10_000)
    assert sentence_of(late, alerts) == (
        "Line item dashain will have delivered about 7,000 of 10,000 at its end (70%)."
    )
    assert address_of(late, alerts, "") == f"/reports/delivery?site={site.name}"
    assert subject_of(alerts) == f"{site.domain}: revenue, {slot}"
    assert mail_text(alerts, "").count("\n\n") == 1
