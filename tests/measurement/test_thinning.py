"""Thinned rollups: every local day of every slot sums to the same, and is still proven by the log."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from adserver.clock import bucket_of_ms, to_day, to_ms
from adserver.engines.sqlite_log import SqliteLog
from adserver.engines.sqlite_report import SqliteReport, Sums
from adserver.errors import InvalidInput
from adserver.measurement.event import Event
from adserver.measurement.period import Period
from adserver.measurement.retention import retire
from adserver.measurement.thinning import thin, zones_of
from adserver.settings import Settings, load_settings
from tests.engines.logs import new_log
from tests.newsroom import PAID, apply_catalog, catalog_of, rows

#: Lord Howe Island goes half an hour ahead on the 5th: a day of 23 and a half hours.
FIRST, DAYS = date(2025, 10, 3), 4
ZONES = {n: ZoneInfo(name) for n, name in enumerate(("Asia/Kathmandu", "Australia/Lord_Howe", "UTC"), 1)}
QUARTERS_DAYS, HOURS_DAYS = 30, 33
MINUTES = DAYS * 24 * 60


class Seen(NamedTuple):
    """An event, or with kind 0 a request, some minutes after the first midnight in UTC."""

    minute: int
    slot: int
    kind: int
    creative: int
    revenue_micros: int
    validity: int


SEEN = st.builds(
    Seen,
    st.integers(0, MINUTES - 1),
    st.sampled_from(list(ZONES)),
    st.integers(0, 5),
    st.integers(10, 11),
    st.integers(0, 10**12),
    st.sampled_from([0, 0, 0, 2, 4]),
)
#: Batches, each followed by thinning as of so many days after the first, in any order of time.
STEPS = st.lists(
    st.tuples(st.lists(SEEN, max_size=25), st.integers(QUARTERS_DAYS, 40)), min_size=1, max_size=3
)
MARKED = "SELECT slot, kind, validity, sum(event_count) FROM marked_rollup GROUP BY 1, 2, 3"


def commit(log: SqliteLog, batch: Sequence[Seen], first_fill: int) -> None:
    """Write a batch as the server does."""
    start = to_ms(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC))
    events: list[Event] = []
    requests: dict[tuple[int, int, str], int] = {}
    for n, seen in enumerate(batch):
        at_ms = start + seen.minute * 60_000
        bucket = bucket_of_ms(at_ms)
        if seen.kind == 0:
            key = (bucket, seen.slot, "filled" if seen.validity else "no_eligible")
            requests[key] = requests.get(key, 0) + 1
            continue
        fill = at_ms << 22 | first_fill + n
        revenue = 0 if seen.validity else seen.revenue_micros
        where = (bucket, bucket // 96, seen.slot, 7, seen.creative)
        events.append(Event(fill, seen.kind, at_ms, *where, revenue, seen.validity))
    log.commit(events, requests)


def local_days(db: Path) -> dict[int, list[list[Sums]]]:
    """What reports are made of: the sums of each local day, by slot."""

    async def read() -> dict[int, list[list[Sums]]]:
        report = SqliteReport(db)
        try:
            found = {}
            for slot, zone in ZONES.items():
                period = Period(zone, FIRST - timedelta(days=2), FIRST + timedelta(days=DAYS + 2))
                cuts = [(*cut, to_day(day)) for cut, day in zip(period.cuts(), period.days, strict=True)]
                found[slot] = [sorted(day.rows, key=repr) for (day,) in await report.sums(cuts, [slot])]
            return found
        finally:
            await report.close()

    return asyncio.run(read())


@tries(max_examples=25, deadline=None)
@given(STEPS)
def test_every_local_day_sums_to_the_same(steps: list[tuple[list[Seen], int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = new_log(Path(folder))
        db = Path(folder) / "log.db"
        settings = Settings(db=db, keep_quarters_days=QUARTERS_DAYS, keep_hours_days=HOURS_DAYS)
        start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
        for n, (batch, days) in enumerate(steps):
            commit(log, batch, n * 100)
            before, marked = local_days(db), rows(db, MARKED)
            thin(settings, ZONES, start + timedelta(days=days))
            assert local_days(db) == before
            assert rows(db, MARKED) == marked
            assert log.rebuild().equal
        with closing(sqlite3.connect(db)) as database, database:
            database.execute("DELETE FROM rollup")
            database.execute("DELETE FROM marked_rollup")
        log.rebuild()
        assert (local_days(db), rows(db, MARKED)) == (before, marked), "rebuild sums into thinned rows"
        assert log.rebuild().equal
        log.close()


@pytest.fixture
def busy(tmp_path: Path) -> Settings:
    """Each quarter hour of the days has an impression and a request in each slot."""
    log = new_log(tmp_path)
    quarters = range(0, MINUTES, 15)
    commit(log, [Seen(m, slot, kind, 10, 5, 0) for m in quarters for slot in ZONES for kind in (0, 1)], 0)
    log.close()
    return Settings(db=tmp_path / "log.db", keep_quarters_days=QUARTERS_DAYS, keep_hours_days=HOURS_DAYS)


def counts(settings: Settings) -> list[tuple[int, int, int]]:
    """(slot, rows, impressions) of the rollups."""
    return rows(settings.db, "SELECT slot, count(*), sum(impression_count) FROM rollup GROUP BY 1")


def test_quarters_become_hours_and_hours_days(busy: Settings) -> None:
    total = DAYS * 96
    assert counts(busy) == [(slot, total, total) for slot in ZONES]
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    assert thin(busy, ZONES, start + timedelta(days=QUARTERS_DAYS)) == (0, 0, 0)
    thinned = thin(busy, ZONES, start + timedelta(days=QUARTERS_DAYS + DAYS + 1))
    assert counts(busy)[2] == (3, DAYS * 24 - 2 * 23, total), "two days are old enough to be one row each"
    left = sum(row[1] for row in counts(busy)) + rows(busy.db, "SELECT count(*) FROM request_rollup")[0][0]
    assert thinned.saved_count == 6 * total - left
    thin(busy, ZONES, start + timedelta(days=HOURS_DAYS + DAYS + 1))
    assert counts(busy) == [(1, DAYS + 1, total), (2, DAYS + 1, total), (3, DAYS, total)]
    again = thin(busy, ZONES, start + timedelta(days=HOURS_DAYS + DAYS + 1))
    assert again == (0, 0, 0)


@pytest.mark.parametrize("thinned_first", [False, True])
def test_days_of_which_all_events_are_kept_are_proven_also_when_thinned(
    busy: Settings, *, thinned_first: bool
) -> None:
    """Removal cuts by UTC days and thinning by local ones: a row of both sides is left as it is."""
    pytest.importorskip("pyarrow")
    before = local_days(busy.db)
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    keeping = busy.model_copy(update={"keep_events_days": 31})
    steps: list[Callable[[], object]] = [
        lambda: retire(keeping, start + timedelta(days=31 + 2)),
        lambda: thin(busy, ZONES, start + timedelta(days=HOURS_DAYS + 3)),
    ]
    for step in reversed(steps) if thinned_first else steps:
        step()
    log = SqliteLog(busy.db)
    rebuilt = log.rebuild()
    assert rebuilt.equal
    kept_from = (FIRST + timedelta(days=2)).toordinal() - date(1970, 1, 1).toordinal()
    assert rebuilt.kept_from_day == kept_from
    assert local_days(busy.db) == before
    with closing(sqlite3.connect(busy.db)) as database, database:
        database.execute("DELETE FROM rollup WHERE bucket >= ?", (kept_from * 96,))
    assert log.rebuild().wrong_count > 0
    assert local_days(busy.db) == before
    log.close()


def test_nothing_is_thinned_when_kept_for_ever_nor_of_unknown_slots(busy: Settings) -> None:
    later = datetime(2040, 1, 1, tzinfo=UTC)
    before = counts(busy)
    thin(busy.model_copy(update={"keep_quarters_days": 0}), ZONES, later)
    thin(busy, {99: ZONES[1]}, later)
    assert counts(busy) == before


def test_a_run_that_is_stopped_is_finished_by_the_next(busy: Settings) -> None:
    left = 4

    def stopped() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    later = datetime(2040, 1, 1, tzinfo=UTC)
    thin(busy, ZONES, later, stopped)
    log = SqliteLog(busy.db)
    assert log.rebuild().equal
    thin(busy, ZONES, later)
    assert [row[1] for row in counts(busy)] == [DAYS + 1, DAYS + 1, DAYS]
    assert log.rebuild().equal
    log.close()


def test_slots_that_were_removed_keep_the_zone_of_their_site(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    before = zones_of(apply_catalog(db, PAID))
    assert {zone.key for zone in before.values()} == {"Asia/Kathmandu"}
    assert len(before) == 2
    other = catalog_of(name="weekly", timezone="Asia/Tokyo")
    after = zones_of(apply_catalog(db, other))
    assert after.items() > before.items()
    assert {zone.key for zone in after.values()} == {"Asia/Kathmandu", "Asia/Tokyo"}


def test_numbers_of_days_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"ADSERVER_KEEP_QUARTERS_DAYS: .*29 is fewer than 30"):
        load_settings(keep_quarters_days=29)
    with pytest.raises(InvalidInput, match=r"ADSERVER_KEEP_HOURS_DAYS: .*99 is fewer than the 100"):
        load_settings(keep_quarters_days=100, keep_hours_days=99)
    assert load_settings(keep_quarters_days=0, keep_hours_days=0).keep_hours_days == 0
