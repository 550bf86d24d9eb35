"""Old events to Parquet files and out of the log: none lost or counted twice, however it is interrupted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from adserver.clock import bucket_of_ms, from_ms, to_ms
from adserver.decision.facts import day_shift
from adserver.engines.files import locked
from adserver.engines.parquet_archive import KeptEvent, read_day
from adserver.engines.sqlite_audit import AuditEntry
from adserver.engines.sqlite_backup import back_up
from adserver.engines.sqlite_log import SqliteLog
from adserver.engines.sqlite_marks import Mark
from adserver.engines.sqlite_refilter import Rules
from adserver.errors import InvalidInput
from adserver.measurement.event import Event, Validity
from adserver.measurement.retention import ArchiveInUse, retire
from adserver.settings import Settings, load_settings
from tests.engines.logs import new_log
from tests.newsroom import rows

pytest.importorskip("pyarrow")

FIRST = datetime(2025, 10, 1, tzinfo=UTC)
KEEP_DAYS = 40
NOW = FIRST + timedelta(days=KEEP_DAYS + 3, hours=5)
SUMS = ("rollup", "marked_rollup", "progress", "delivered", "breakdown", "reach")


def events(count: int = 600, days: int = 6) -> list[Event]:
    """Impressions, clicks and late ones over some days, the local day being 14 hours ahead."""
    rng = Random(1)
    made = []
    for n in range(count):
        at_ms = to_ms(FIRST) + rng.randrange(days * 86_400_000)
        kind, validity = rng.choice((1, 1, 4)), rng.choice((0, 0, 0, 2))
        day = (at_ms + 14 * 3_600_000) // 86_400_000
        made.append(
            Event(
                fill=at_ms << 22 | n,
                kind=kind,
                at_ms=at_ms + 5,
                bucket=bucket_of_ms(at_ms),
                day=day,
                slot=1 + n % 2,
                item=7,
                creative=2,
                revenue_micros=0 if validity else n,
                validity=validity,
                facts=day_shift(day, at_ms // 86_400_000) | n % 3,
            )
        )
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    log = new_log(tmp_path)
    made = events()
    log.commit(made[:-20], {})
    for event in made[-20:]:
        log.commit([event], {})  # small ones, which sum by dimension, too
    log.commit(made[:50], {})  # repeats
    log.close()
    return Settings(db=tmp_path / "log.db", keep_events_days=KEEP_DAYS)


def logged(settings: Settings) -> list[tuple[int, ...]]:
    columns = ", ".join(KeptEvent._fields)
    return rows(settings.db, f"SELECT {columns} FROM event ORDER BY fill, kind")  # noqa: S608  (our own names)


def sums(settings: Settings) -> list[list[tuple[int, ...]]]:
    return [rows(settings.db, f"SELECT * FROM {table}") for table in SUMS]  # noqa: S608


def archived(settings: Settings) -> list[KeptEvent]:
    files = sorted((settings.db.parent / "archive").glob("*.parquet"))
    return [row for file in files for group in read_day(file) for row in group]


def rebuilt_day(settings: Settings) -> date | None:
    """The day from which on the rollups are proven to be right."""
    log = SqliteLog(settings.db)
    rebuilt = log.rebuild()
    log.close()
    assert rebuilt.equal
    return None if rebuilt.kept_from_day is None else from_ms(rebuilt.kept_from_day * 86_400_000).date()


def test_whole_days_that_are_old_enough_move_to_files_and_nothing_else_changes(settings: Settings) -> None:
    before, summed = logged(settings), sums(settings)
    retired = retire(settings, NOW)
    names = [day.file.name for day in retired.days]
    assert names == [f"events-2025-10-0{n}.parquet" for n in (1, 2, 3)]
    left, moved = logged(settings), archived(settings)
    assert [*map(tuple, moved), *left] == before
    assert {from_ms(row.fill >> 22).date() for row in moved} == {date(2025, 10, n) for n in (1, 2, 3)}
    assert sum(day.event_count for day in retired.days) == len(moved)
    assert sums(settings) == summed
    assert rebuilt_day(settings) == date(2025, 10, 4)
    assert sums(settings) == summed, "rebuild leaves what it cannot prove alone"
    assert retire(settings, NOW).days == ()
    assert back_up(settings.db, settings.db.with_name("copy.db")).event_count == len(left)


def test_rebuild_still_mends_the_days_that_are_kept(settings: Settings) -> None:
    retire(settings, NOW)
    summed = sums(settings)
    with closing(sqlite3.connect(settings.db)) as database, database:
        database.execute("UPDATE rollup SET revenue_micros = 1 + revenue_micros WHERE bucket / 96 >= 20365")
        database.execute("DELETE FROM progress WHERE day > 20366")
        database.execute("UPDATE delivered SET click_count = 0")
    log = SqliteLog(settings.db)
    assert log.rebuild().wrong_count > 3
    log.close()
    assert sums(settings) == summed


def test_events_are_kept_for_ever_when_so_asked(settings: Settings) -> None:
    for_ever = settings.model_copy(update={"keep_events_days": 0})
    assert retire(for_ever, NOW + timedelta(days=10_000)).days == ()
    assert rebuilt_day(settings) is None


class Crash(Exception):
    """What ends a run in the middle."""


@pytest.mark.parametrize("calls", range(10))
def test_a_run_that_ends_anywhere_loses_nothing_and_is_finished_by_the_next(
    settings: Settings, calls: int
) -> None:
    before, summed = logged(settings), sums(settings)
    left_over = calls

    def crash() -> bool:
        nonlocal left_over
        left_over -= 1
        if left_over < 0:
            raise Crash
        return False

    with pytest.raises(Crash):
        retire(settings, NOW, crash)
    known = {row[:3]: row for row in before}
    assert {row[:3] for row in [*logged(settings), *archived(settings)]} == set(known)
    assert len(archived(settings)) == len({row[:3] for row in archived(settings)})
    rebuilt_day(settings)
    retire(settings, NOW)
    assert [*map(tuple, archived(settings)), *logged(settings)] == before
    assert sums(settings) == summed


def test_what_changes_while_a_day_is_written_stays_until_the_next_run(settings: Settings) -> None:
    """A repeat that comes between file and removal is in neither file; its row waits."""
    first = logged(settings)[0]
    repeat = Event(*first[:10], *first[11:14])
    log = SqliteLog(settings.db)
    asked = 0

    def repeat_after_the_file() -> bool:
        nonlocal asked
        asked += 1
        if asked == 3:  # once before the day, once for its only batch, and now
            log.commit([repeat], {})
        return False

    retire(settings, NOW, repeat_after_the_file)
    changed = (*first[:10], first[10] + 1, *first[11:])
    assert logged(settings)[0] == changed
    retire(settings, NOW)
    assert changed not in logged(settings)
    assert [tuple(row) for row in archived(settings) if row[:3] == first[:3]] == [changed]
    log.close()


def test_what_is_judged_otherwise_while_a_day_is_written_is_archived_as_it_was_judged_last(
    settings: Settings,
) -> None:
    first = logged(settings)[0]
    mark = Mark(first[0] >> 22, (first[0] >> 22) + 1, None, None, None, "test")
    asked = 0

    def judge_after_the_file() -> bool:
        nonlocal asked
        asked += 1
        if asked == 3:
            with closing(SqliteLog(settings.db)) as log:
                log.refilter(Rules([mark], 0, {}), lambda _: AuditEntry(0, "sita", "refilter", "", "{}"))
        return False

    retire(settings, NOW, judge_after_the_file)
    retire(settings, NOW)
    found = [row.validity for row in archived(settings) if row[:3] == first[:3]]
    assert found == [2 if first[9] == 2 else Validity.EXCLUDED]
    rebuilt_day(settings)


def test_late_rows_of_a_day_that_has_a_file_are_added_to_it(settings: Settings) -> None:
    retire(settings, NOW)
    before = archived(settings)
    original = before[0]
    late = Event(*original[:10])._replace(at_ms=to_ms(NOW), validity=2, revenue_micros=0)
    log = SqliteLog(settings.db)
    log.commit([late], {})
    log.close()
    assert [day.event_count for day in retire(settings, NOW).days] == [1]
    added = KeptEvent(*late[:10], 0, *late[10:], found=2)
    assert archived(settings) == sorted([*before, added], key=lambda row: row[:3])


def test_two_programs_do_not_write_one_folder(settings: Settings) -> None:
    folder = settings.db.parent / "archive"
    folder.mkdir()
    with locked(folder / ".lock", alone=True), pytest.raises(ArchiveInUse, match="another program"):
        retire(settings, NOW)
    assert archived(settings) == []


def test_no_commit_waits_long_for_a_removal(settings: Settings) -> None:
    assert 0 < retire(settings, NOW).longest_ms < 250


def test_events_are_not_removed_before_their_repeats_are_late() -> None:
    assert load_settings(keep_events_days=31).keep_events_days == 31
    assert load_settings(keep_events_days=0).keep_events_days == 0
    with pytest.raises(InvalidInput, match=r"ADSERVER_KEEP_EVENTS_DAYS: .*30 days are fewer .* 31, or 0"):
        load_settings(keep_events_days=30)
    with pytest.raises(InvalidInput, match="400 days are fewer"):
        load_settings(click_window_seconds=401 * 86_400)
