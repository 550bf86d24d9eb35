"""Hours of the week against the clock on the wall, quarter hour by quarter hour, around changes of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

import pytest

from adserver.clock import bucket_of, bucket_start
from adserver.measurement.hours import HOURS, HourCell, HourLine, hour_cuts

# First and last day around a change, and how many quarter hours more or fewer a week there has than 672.
WEEKS = [
    ("Asia/Kathmandu", date(2026, 3, 2), 0),
    ("America/New_York", date(2026, 3, 2), -4),
    ("America/New_York", date(2026, 10, 26), 4),
    ("Australia/Lord_Howe", date(2026, 3, 30), 2),
    ("Australia/Lord_Howe", date(2026, 9, 28), -2),
]


@pytest.mark.parametrize(("name", "monday", "more"), WEEKS)
def test_every_quarter_hour_is_in_the_hour_that_clocks_show(name: str, monday: date, more: int) -> None:
    zone, sunday = ZoneInfo(name), monday + timedelta(days=6)
    assert monday.weekday() == 0
    found: dict[int, int] = {}
    for lo, hi, hour in chain(*hour_cuts(zone, monday, sunday)):
        for bucket in range(lo, hi):
            assert bucket not in found
            found[bucket] = hour
    begin = bucket_of(datetime.combine(monday - timedelta(days=2), datetime.min.time(), UTC))
    expected = {}
    for bucket in range(begin, begin + 11 * 96):
        local = bucket_start(bucket).astimezone(zone)
        if monday <= local.date() <= sunday:
            expected[bucket] = 24 * local.weekday() + local.hour
    assert found == expected
    assert len(found) == 7 * 96 + more


def test_an_hour_that_is_missing_has_no_index_and_a_longer_one_is_not_better() -> None:
    cells = [HourCell(4, revenue_micros=100) for _ in range(HOURS)]
    cells[2] = HourCell(0)
    cells[3] = HourCell(8, revenue_micros=200)
    line = HourLine("top", tuple(cells))
    assert line.index(2) is None
    assert line.index(3) == pytest.approx(1)
    assert HourLine("top", tuple(HourCell(4) for _ in range(HOURS))).index(0) is None
