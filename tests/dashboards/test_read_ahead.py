"""What a server reads ahead is what the first report of a morning then does not read."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

from adserver.engines.sqlite_progress import SqliteProgress
from adserver.engines.sqlite_report import SqliteReport
from adserver.measurement.report import Choice, Report
from adserver.settings import Settings
from dashboards.sources import sources_of
from tests.measurement.test_cuts import play, visitors
from tests.newsroom import NOW


def take_away_unseen(db: Path) -> None:
    """Empty the rollups without counting it as a change, so that only what is known already can be told."""
    with closing(sqlite3.connect(db)) as database, database:
        for table in ("rollup", "request_rollup", "marked_rollup"):
            database.execute(f"DROP TRIGGER {table}_delete_changes")
            database.execute(f"DELETE FROM {table}")  # noqa: S608  (our own names)


def test_the_first_report_after_it_reads_no_day_again(tmp_path: Path) -> None:
    db, rng = tmp_path / "a.db", Random(2)
    stored = play(db, visitors(8, rng), rng, pages=60)

    async def read(*, ahead: bool) -> tuple[Report, int]:
        rollups, progress = SqliteReport(db), SqliteProgress(db)
        sources = sources_of(Settings(db=db), rollups, progress, lambda: stored, lambda: NOW)
        if ahead:
            await sources.read_ahead()
            take_away_unseen(db)
        choice = sources.reports.choose(period="28d")
        assert isinstance(choice, Choice)
        report, hours = await sources.reports.read(choice), await sources.hours.read(choice)
        await rollups.close()
        await progress.close()
        return report, sum(cell.impression_count for line in hours.lines for cell in line.cells)

    before, hours_before = asyncio.run(read(ahead=False))
    assert before.total.impression_count > hours_before > 0
    after, hours_after = asyncio.run(read(ahead=True))
    assert (after.total, after.days, after.slots, hours_after) == (
        before.total,
        before.days,
        before.slots,
        hours_before,
    )
