"""What reports know of days that are over, against a reader that knows nothing, while others write."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from adserver.clock import BUCKETS_PER_DAY
from adserver.decision.facts import Dimension
from adserver.engines.day_sums import Day, DaySums
from adserver.engines.sqlite_report import SqliteReport, Sums
from adserver.measurement.event import Event
from tests.engines.logs import new_log

Ask = Awaitable[list[object]]
#: Days of a site that is 5:45 ahead of UTC.
CUTS = [(day * BUCKETS_PER_DAY - 23, (day + 1) * BUCKETS_PER_DAY - 23, day) for day in range(10, 14)]
BUCKETS = st.integers(CUTS[0][0], CUTS[-1][1] - 1)
EVENTS = st.lists(
    st.tuples(BUCKETS, st.integers(1, 5), st.integers(1, 2), st.sampled_from([0, 0, 0, 16])), max_size=6
)
REQUESTS = st.dictionaries(
    st.tuples(BUCKETS, st.integers(1, 2), st.sampled_from(["filled", "capped"])),
    st.integers(1, 9),
    max_size=3,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), EVENTS, REQUESTS),
        st.tuples(st.just("earn"), st.integers(10, 13), st.integers(1, 9)),
        st.tuples(st.just("thin"), st.integers(10, 13), st.none()),
        st.tuples(st.just("other days"), st.none(), st.none()),
    ),
    min_size=2,
    max_size=10,
)


async def same(path: Path, steps: Sequence[Callable[[], None]], ask: Callable[[SqliteReport], Ask]) -> None:
    """After each step, one reader that stays open says what a new one does."""
    async with opened(path) as known:
        for step in steps:
            step()
            async with opened(path) as fresh:
                assert await ask(known) == await ask(fresh)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteReport]:
    """A reader that is closed at the end."""
    report = SqliteReport(path)
    try:
        yield report
    finally:
        await report.close()


@settings(max_examples=40, deadline=None)
@example(steps=[("commit", [(1129, 1, 1, 0)], {}), ("earn", 10, 1)])
@given(steps=STEPS)
def test_a_report_never_tells_what_was(steps: list[tuple[str, object, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, log, fills = Path(folder) / "log.db", new_log(Path(folder)), iter(range(1, 1000))
        cuts = list(CUTS)

        def step(kind: str, what: object, more: object) -> None:
            if kind == "commit":
                assert isinstance(what, list) and isinstance(more, dict)
                rows = [
                    Event(next(fills), kind, 1, bucket, 12, slot, 7, slot + 1, 5, validity)
                    for bucket, kind, slot, validity in what
                ]
                log.commit(rows, more)
            elif kind == "earn":
                with closing(sqlite3.connect(path)) as db, db:
                    db.execute("INSERT OR REPLACE INTO earning VALUES (?, 1, 2, 3, 4, ?)", (what, more))
            elif kind == "thin":
                assert isinstance(what, int)
                with closing(sqlite3.connect(path)) as db, db:
                    db.execute("DELETE FROM rollup WHERE bucket / 96 = ?", (what,))
            else:
                cuts.append(cuts.pop(0))

        async def ask(report: SqliteReport) -> list[object]:
            days: list[Day[Any]] = [
                *chain(*await report.sums(cuts[:1], [1], [])),
                *chain(*await report.sums(cuts, [1, 2], [3], settled=12 * BUCKETS_PER_DAY)),
                *await report.hours([((lo, lo + 50, 1), (lo + 50, hi, 2)) for lo, hi, _ in cuts], [1, 2]),
                *await report.breakdown(Dimension.PRICE_MODEL, 9, 14, [1, 2], None),
                *await report.breakdown(Dimension.PRICE_MODEL, 9, 14, [1], [7]),
                *await report.section(9, 14, [1, 2], None),
                *await report.lately(9, 14, [1, 2]),
            ]
            return [sorted(day.rows, key=repr) for day in days]

        asyncio.run(same(path, [partial(step, *given) for given in steps], ask))
        log.close()


def test_a_day_stays_the_same_object_until_something_of_it_changes() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, log = Path(folder) / "log.db", new_log(Path(folder))

        async def read(report: SqliteReport) -> list[Day[Sums]]:
            return [*chain(*await report.sums(CUTS, [1]))]

        async def look() -> None:
            async with opened(path) as report:
                before = await read(report)
                assert [len(day.rows) for day in before] == [0, 0, 0, 0]
                log.commit([Event(5, 1, 1, CUTS[2][0] + 40, 12, 1, 7, 2, 5, 0)], {})
                after = await read(report)
                assert [a is b for a, b in zip(before, after, strict=True)] == [True, True, False, True]
                assert len(after[2].rows) == 2
                assert all(a is b for a, b in zip(after, await read(report), strict=True))

        asyncio.run(look())
        log.close()


def test_no_more_rows_are_kept_than_the_bound_and_those_asked_for_last() -> None:
    days = DaySums(5)
    first = days.keep("a", 1, [1, 2])
    days.keep("b", 1, [3, 4])
    assert days.find("a", 1) is first and first.rows == (1, 2)
    days.keep("c", 1, [5, 6])
    assert [days.find(key, 1) is not None for key in "abc"] == [True, False, True]
    assert days.find("a", 2) is None
    newer = days.keep("a", 2, [7])
    assert days.find("a", 2) is newer and days.find("c", 1) is not None
