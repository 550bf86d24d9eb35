"""What reports know of days that are over, against a reader that knows nothing, while others write."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.clock import BUCKETS_PER_DAY
from adserver.engines.day_sums import DaySums
from adserver.engines.sqlite_report import SqliteReport, Sums
from adserver.measurement.event import Event
from tests.engines.logs import new_log

Ask = Awaitable[list[Sums]]
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

        async def ask(report: SqliteReport) -> list[Sums]:
            one, all_of_them = await report.sums(cuts[:1], [1], []), await report.sums(cuts, [1, 2], [3])
            return sorted([*one, *all_of_them], key=repr)

        asyncio.run(same(path, [partial(step, *given) for given in steps], ask))
        log.close()


def test_no_more_rows_are_kept_than_the_bound_and_those_asked_for_last() -> None:
    days: DaySums[int] = DaySums(5)
    days.keep("a", (1,), [1, 2])
    days.keep("b", (1,), [3, 4])
    assert days.find("a", (1,)) == [1, 2]
    days.keep("c", (1,), [5, 6])
    assert [days.find(key, (1,)) for key in "abc"] == [[1, 2], None, [5, 6]]
    assert days.find("a", (2,)) is None
    days.keep("a", (2,), [7])
    assert (days.find("a", (2,)), days.find("c", (1,))) == ([7], [5, 6])
