"""Periods, totals and reports against the slow way: every bucket looked at on its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.clock import bucket_of, bucket_start, to_ms
from adserver.engines.sqlite_report import SqliteReport
from adserver.errors import InvalidInput, StorageFailed
from adserver.measurement.period import PRESETS, Period, parse_span
from adserver.measurement.report import Choice, Report, Reports, Totals
from tests.dashboards.world import NOW, Traffic, fill, new_database, site, slow_total, stored

T = TypeVar("T")

ZONES = {
    "daily": "Asia/Kathmandu",
    "tokyo": "Asia/Tokyo",
    "york": "America/New_York",
    "howe": "Australia/Lord_Howe",
}
CATALOG = stored([site(name, zone) for name, zone in ZONES.items()], archived=[("daily", "old-banner")])

# First day, last day and the lengths of the days in buckets, around both changes of the clock.
CHANGES = [
    ("Asia/Kathmandu", date(2026, 2, 27), date(2026, 3, 3), {96}),
    ("Asia/Tokyo", date(2026, 12, 30), date(2027, 1, 2), {96}),
    ("America/New_York", date(2026, 3, 6), date(2026, 3, 10), {96, 92}),
    ("America/New_York", date(2026, 10, 30), date(2026, 11, 3), {96, 100}),
    ("Australia/Lord_Howe", date(2026, 4, 3), date(2026, 4, 7), {96, 98}),
    ("Australia/Lord_Howe", date(2026, 10, 2), date(2026, 10, 6), {96, 94}),
    ("America/Havana", date(2026, 3, 6), date(2026, 3, 10), {96, 92}),
    ("America/Havana", date(2026, 10, 30), date(2026, 11, 3), {96, 100}),
]


def with_reports(path: Path, ask: Callable[[Reports], T], max_days: int = 800) -> T:
    """Reports over a database, asked something that needs no waiting."""
    return ask(Reports(SqliteReport(path), lambda: CATALOG, lambda: NOW, max_days))


def ask(path: Path, question: Callable[[Reports, Choice], Awaitable[T]], **query: str) -> T:
    """A question about what a query chooses."""

    async def asked() -> T:
        source = SqliteReport(path)
        try:
            reports = Reports(source, lambda: CATALOG, lambda: NOW, 800)
            choice = reports.choose(**query)
            assert choice is not None
            return await question(reports, choice)
        finally:
            await source.close()

    return asyncio.run(asked())


def read(path: Path, **query: str) -> Report:
    """The report that a query asks for."""
    return ask(path, Reports.read, **query)


def last_event_at(path: Path) -> datetime | None:
    """When the newest event of the daily came."""
    return ask(path, Reports.dated, site="daily").last_event_at


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "events.db"
    new_database(path)
    return path


@pytest.mark.parametrize(("name", "first", "last", "lengths"), CHANGES)
def test_a_day_holds_exactly_the_buckets_of_its_local_date(
    name: str, first: date, last: date, lengths: set[int]
) -> None:
    zone = ZoneInfo(name)
    period = Period(zone, first, last)
    cuts = dict(zip(period.days, period.cuts(), strict=True))
    margin = timedelta(days=2)
    start = bucket_of(datetime.combine(first - margin, datetime.min.time(), UTC))
    end = bucket_of(datetime.combine(last + margin, datetime.min.time(), UTC))
    counted = dict.fromkeys(cuts, 0)
    for bucket in range(start, end):
        local = bucket_start(bucket).astimezone(zone).date()
        found = [day for day, (lo, hi) in cuts.items() if lo <= bucket < hi]
        assert found == ([local] if first <= local <= last else [])
        for day in found:
            counted[day] += 1
    assert set(counted.values()) == lengths


@given(
    first=st.dates(date(2001, 1, 1), date(2026, 11, 1)),
    length=st.integers(1, 400),
    name=st.sampled_from(sorted(set(ZONES.values()))),
)
def test_the_period_compared_with_is_as_long_on_the_same_weekdays_and_just_before(
    first: date, length: int, name: str
) -> None:
    period = Period(ZoneInfo(name), first, first + timedelta(days=length - 1))
    earlier = period.compared_with()
    assert len(earlier) == len(period) == length
    assert earlier.first.weekday() == period.first.weekday()
    assert timedelta(0) < period.first - earlier.last <= timedelta(days=7)


def test_presets_of_a_tuesday_in_november() -> None:
    today = date(2026, 11, 24)
    assert {name: preset.span(today) for name, preset in PRESETS.items()} == {
        "today": (today, today),
        "yesterday": (date(2026, 11, 23), date(2026, 11, 23)),
        "7d": (date(2026, 11, 18), today),
        "28d": (date(2026, 10, 28), today),
        "this-month": (date(2026, 11, 1), today),
        "last-month": (date(2026, 10, 1), date(2026, 10, 31)),
    }
    assert PRESETS["last-month"].span(date(2026, 1, 31)) == (date(2025, 12, 1), date(2025, 12, 31))


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-11-01", "2026-11-24", None),
        ("2026-11-24", "2026-11-24", None),
        ("2026-11-31", "2026-11-24", "'2026-11-31' is not a date"),
        ("", "2026-11-24", "'' is not a date"),
        ("2026-11-01", "2026-11-25", "2026-11-25 is after today, 2026-11-24"),
        ("2026-11-02", "2026-11-01", "2026-11-01 is before 2026-11-02"),
        ("0001-01-01", "2026-11-01", "is before 2000-01-01"),
        ("2026-10-01", "2026-11-01", "32 days are more than the 31"),
        ("2026-10-02", "2026-11-01", None),
    ],
)
def test_two_dates_are_a_span_or_a_sentence(first: str, last: str, said: str | None) -> None:
    span = parse_span(first, last, date(2026, 11, 24), 31)
    if said is None:
        assert span == (date.fromisoformat(first), date.fromisoformat(last))
    else:
        assert isinstance(span, list)
        assert said in " ".join(problem for _, problem in span)


def test_all_that_is_wrong_with_two_dates_is_said_at_once() -> None:
    faults = parse_span("x", "y", date(2026, 11, 24), 31)
    assert isinstance(faults, list)
    assert [key for key, _ in faults] == ["from", "to"]


counts = st.integers(0, 10**9)


@given(st.builds(Totals, counts, counts, counts, counts, counts, counts, st.integers(0, 10**15)))
def test_ratios_are_exact_and_none_without_a_divisor(totals: Totals) -> None:
    pairs = [
        (totals.fill_rate, totals.fill_count, totals.request_count),
        (totals.viewability, totals.viewable_count, totals.measurable_count),
        (totals.ctr, totals.click_count, totals.impression_count),
    ]
    for rate, part, whole in pairs:
        assert rate == (part / whole if whole else None)
    for micros, whole in (
        (totals.ecpm_micros, totals.impression_count),
        (totals.rpm_micros, totals.request_count),
    ):
        if whole:
            assert micros is not None
            assert 2 * abs(micros - Fraction(1000 * totals.revenue_micros, whole)) <= 1
        else:
            assert micros is None


def test_a_ratio_of_a_sum_is_not_a_mean_of_ratios() -> None:
    assert (Totals(request_count=1, fill_count=1) + Totals(request_count=3)).fill_rate == 0.25


@st.composite
def traffic_of(draw: st.DrawFn) -> list[Traffic]:
    """Random rollups around the last 20 days, in slots of four sites and a removed one."""
    now = bucket_of(NOW)
    small = st.integers(0, 1000)
    return draw(
        st.lists(
            st.builds(
                Traffic,
                bucket=st.integers(now - 20 * 96, now),
                slot=st.sampled_from(sorted(CATALOG.ids.values())),
                totals=st.builds(
                    lambda filled, empty, seen, clicks, orders, micros: Totals(
                        filled + empty,
                        filled,
                        filled,
                        filled,
                        min(seen, filled),
                        min(clicks, filled),
                        micros,
                        conversion_count=min(orders, filled),
                    ),
                    small,
                    st.just(0),
                    small,
                    small,
                    small,
                    st.integers(0, 10**9),
                ),
                unfilled=st.just({}),
            ),
            max_size=30,
        )
    )


def with_unfilled(traffic: Sequence[Traffic], numbers: Sequence[int]) -> list[Traffic]:
    """The same traffic with some requests that stayed empty."""
    reasons = ("no_eligible", "below_floor")
    return [
        Traffic(
            one.bucket,
            one.slot,
            one.totals + Totals(request_count=number),
            {reasons[n % 2]: number} if number else {},
        )
        for n, (one, number) in enumerate(zip(traffic, numbers, strict=False))
    ]


@settings(max_examples=60, deadline=None)
@given(
    filled=traffic_of(),
    empty=st.lists(st.integers(0, 50), min_size=30, max_size=30),
    name=st.sampled_from(sorted(ZONES)),
    back=st.integers(0, 12),
    length=st.integers(1, 8),
)
def test_every_part_of_a_report_equals_the_sum_over_its_buckets(
    database: Path, filled: list[Traffic], empty: list[int], name: str, back: int, length: int
) -> None:
    traffic = with_unfilled(filled, empty)
    fill(database, traffic)
    zone = ZoneInfo(ZONES[name])
    last = NOW.astimezone(zone).date() - timedelta(days=back)
    first = last - timedelta(days=length - 1)
    report = read(database, site=name, first=first.isoformat(), last=last.isoformat())
    slots = {path[2]: number for path, number in CATALOG.ids.items() if path[:2] == ("slot", name)}

    assert report.total == slow_total(traffic, zone, first, last, slots.values())
    assert sum((line.totals for line in report.days), Totals()) == report.total
    assert sum((line.totals for line in report.slots), Totals()) == report.total
    for day in report.days:
        assert day.totals == slow_total(traffic, zone, day.day, day.day, slots.values())
    for slot in report.slots:
        assert slot.totals == slow_total(traffic, zone, first, last, [slots[slot.name]])
    empty_count = report.total.request_count - report.total.fill_count
    assert sum(number for _, number in report.unfilled) == empty_count
    check_comparison(report, traffic, list(slots.values()))


def check_comparison(report: Report, traffic: list[Traffic], slots: list[int]) -> None:
    """Both sides of a comparison are sums of complete days."""
    choice, comparison = report.choice, report.comparison
    assert (comparison is None) == (choice.period.first == choice.today)
    if comparison is None:
        return
    zone = choice.period.zone
    for period, totals in (
        (comparison.period, comparison.totals),
        (comparison.earlier, comparison.earlier_totals),
    ):
        assert period.last < choice.today
        assert totals == slow_total(traffic, zone, period.first, period.last, slots)


def test_a_removed_slot_is_shown_while_it_has_traffic(database: Path) -> None:
    old = CATALOG.ids[("slot", "daily", "old-banner")]
    fill(database, [Traffic(bucket_of(NOW), old, Totals(5, 5, 5, 5, 5, 1, 700), {})])
    report = read(database, site="daily")
    assert (report.slots[0].name, report.slots[0].archived) == ("old-banner", True)
    assert report.total.revenue_micros == 700
    fill(database, [])
    assert [line.archived for line in read(database, site="daily").slots] == [False, False, False]


def test_the_newest_event_is_exact_or_else_its_bucket(database: Path) -> None:
    slot, other = CATALOG.ids[("slot", "daily", "sidebar")], CATALOG.ids[("slot", "tokyo", "sidebar")]
    fill(database, [Traffic(bucket_of(NOW) - 5, slot, Totals(1, 1, 1), {})])
    assert last_event_at(database) == bucket_start(bucket_of(NOW) - 5)
    with closing(sqlite3.connect(database)) as connection, connection:
        rows = [
            (1, 4, to_ms(NOW) - 10, 5, slot),
            (2, 1, to_ms(NOW) - 9, 5, slot),
            (3, 1, to_ms(NOW), 5, other),
        ]
        connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, 0, ?, 0, 1, 0, 0, 0, 0, 0, 0, 0)", rows)
    assert last_event_at(database) == NOW - timedelta(milliseconds=9)
    fill(database, [])
    assert last_event_at(database) is None


def test_a_choice_has_a_site_and_a_period(database: Path) -> None:
    def choose(**query: str) -> Choice | None:
        return with_reports(database, lambda reports: reports.choose(**query))

    default = choose()
    assert default is not None
    assert (default.site.name, default.preset, len(default.period)) == ("daily", "7d", 7)
    assert default.today == date(2026, 11, 24)
    custom = choose(site="york", first="2026-11-01", last="2026-11-02")
    assert custom is not None
    assert (custom.site.name, custom.preset, custom.period.zone.key) == ("york", None, "America/New_York")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"site": "nowhere"}, "'nowhere' is not a site of the catalog (daily, tokyo, york, howe)"),
        ({"period": "8d"}, "'8d' is none of today, yesterday, 7d"),
        ({"period": "7d", "first": "2026-11-01"}, "either a period or from and to"),
        ({"first": "2026-11-01"}, "'' is not a date"),
        ({"first": "2024-01-01", "last": "2026-11-01"}, "1036 days are more than the 800"),
    ],
)
def test_a_choice_that_cannot_be_is_said_why(database: Path, query: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        with_reports(database, lambda reports: reports.choose(**query))
    assert said in str(refused.value)


def test_a_catalog_without_a_site_has_nothing_to_choose(database: Path) -> None:
    reports = Reports(SqliteReport(database), lambda: stored([]), lambda: NOW, 800)
    assert reports.choose(site="daily") is None


def test_the_connection_of_the_reports_cannot_write(database: Path) -> None:
    async def write() -> None:
        source = SqliteReport(database)
        try:
            await source._rows("DELETE FROM rollup", {})
        finally:
            await source.close()

    with pytest.raises(StorageFailed, match="readonly"):
        asyncio.run(write())


def test_a_wrong_path_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="no such database"):
        asyncio.run(SqliteReport(tmp_path / "none.db").sums([(0, 1, 0)], [1]))
    assert list(tmp_path.iterdir()) == []
