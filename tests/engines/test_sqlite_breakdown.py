"""Sums by dimension, and reach: the fold of the log for any events in any batches, to the unit and micro."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.decision import facts
from adserver.decision.facts import Dimension
from adserver.engines import sqlite_log
from adserver.engines.sqlite_breakdown import FOLDED_FILL, FREQUENCIES
from adserver.engines.sqlite_cuts import Cut, Lately, Reached, SqliteCuts
from adserver.engines.sqlite_retention import SqliteRetention
from adserver.measurement.event import Event
from tests.engines.logs import new_log
from tests.newsroom import rows

DAY_MS = 86_400_000
#: Just before midnight in UTC, so that fills fall on several days.
START_MS = 20_000 * DAY_MS - 40_000
SLOTS, ITEMS = (1, 2), (11, 12)
SIZE = facts.size_code("970x250")
INVALID = (16, 17, 21)
#: Kind → place of its gross less its net in a cell.
MARKED_AT = {1: 6, 4: 7, 5: 8}
ORDINALS = st.sampled_from([0, 1, 2, facts.MORE])
#: (day, slot, item, value) → counts, as `Cut` has them after its value.
Cells = dict[tuple[int, int, int, int], list[int]]


class Filled(NamedTuple):
    """What the token of a fill says."""

    slot: int
    item: int
    size: int
    known: int


class Told(NamedTuple):
    """An event of one of the fills, so much later than the one before; `last`: it ends a batch."""

    number: int
    kind: int
    later_ms: int
    validity: int
    last: bool


KNOWN = st.builds(
    lambda ordinals, theme, device, browser, country, section, shift: (
        ordinals[0]
        | ordinals[1] << facts.CAMPAIGN_ORDINAL.shift
        | theme << facts.THEME.shift
        | device << facts.DEVICE.shift
        | browser << facts.BROWSER.shift
        | country << facts.COUNTRY.shift
        | section << facts.SECTION.shift
        | shift << facts.DAY_SHIFT.shift
    ),
    st.tuples(ORDINALS, ORDINALS),
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from([0, 1, 9]),
    st.sampled_from([0, 216, 370]),
    st.sampled_from([0, 1, 2**32 - 1]),
    st.integers(0, 2),
)
FILLED = st.builds(Filled, st.sampled_from(SLOTS), st.sampled_from(ITEMS), st.sampled_from([0, SIZE]), KNOWN)
TOLD = st.builds(
    Told,
    st.integers(0, 11),
    st.integers(1, 5),
    st.integers(0, 30_000),
    st.sampled_from([0, 0, 0, 2, *INVALID]),
    st.booleans(),
)


def batches(fills: Sequence[Filled], told: Sequence[Told]) -> Iterator[list[Event]]:
    """Events as they come, in commits; fills are seven seconds apart."""
    at_ms, batch = START_MS + 90_000, []
    for number, kind, later_ms, validity, last in told:
        at_ms += later_ms
        slot, item, size, known = fills[number]
        filled_ms = START_MS + 7_000 * number
        bucket, revenue = filled_ms // 900_000, 0 if validity else 1000 * kind + number
        fill = filled_ms << 22
        batch.append(
            Event(
                fill, kind, at_ms, bucket, 0, slot, item, item + 10, revenue, validity, size, known, slot % 6
            )
        )
        if last:
            yield batch
            batch = []
    if batch:
        yield batch


def log_rows(db: Path) -> Iterator[tuple[Event, int]]:
    """Every row of the log, and how often it was repeated."""
    names = ", ".join(Event._fields)
    for row in rows(db, f"SELECT {names}, repeat_count FROM event"):  # noqa: S608  (our own names)
        yield Event(*row[:-1]), row[-1]


def plainly(db: Path, dimension: Dimension) -> Cells:
    """The log summed row by row."""
    cells: Cells = defaultdict(lambda: [0] * 9)
    for event, repeats in log_rows(db):
        day = event.bucket // 96 + {0: 0, 1: 1, 2: -1}[facts.of(facts.DAY_SHIFT, event.facts)]
        beside = {Dimension.SIZE: event.size, Dimension.PRICE_MODEL: event.model}
        value = beside[dimension] if dimension in beside else facts.of(facts.FIELDS[dimension], event.facts)
        cell = cells[day, event.slot, event.item, value]
        if not event.validity:
            cell[event.kind - 1] += 1
            cell[5] += event.revenue_micros
        if event.kind in MARKED_AT:
            cell[MARKED_AT[event.kind]] += (event.validity != 0) + repeats
    return {key: cell for key, cell in cells.items() if any(cell)}


def chosen(cells: Cells, first: int, last: int, slots: Sequence[int], item: int | None) -> set[Cut]:
    """The cells of some days, slots and one line item, summed by value."""
    sums: dict[int, list[int]] = defaultdict(lambda: [0] * 9)
    for (day, slot, of_item, value), cell in cells.items():
        if first <= day <= last and slot in slots and item in (None, of_item):
            sums[value] = [a + b for a, b in zip(sums[value], cell, strict=True)]
    return {Cut(value, *counts) for value, counts in sums.items()}


def reached(db: Path, slots: Sequence[int]) -> set[Reached]:
    """Impressions by ordinal, from the cells of the two dimensions that have it."""
    counts: Counter[tuple[int, int, int]] = Counter()
    for dimension in FREQUENCIES:
        for (_, slot, item, ordinal), cell in plainly(db, dimension).items():
            counts[dimension, item, ordinal] += cell[0] if slot in slots else 0
    return {Reached(*key, count) for key, count in counts.items() if count}


def lately(db: Path, first: int, last: int, slots: Sequence[int]) -> set[Lately]:
    """Impressions of some days, and those of them that are the first, in the same way."""
    counts: dict[int, list[int]] = defaultdict(lambda: [0] * 3)
    for place, dimension in enumerate(FREQUENCIES, start=1):
        for (day, slot, item, ordinal), cell in plainly(db, dimension).items():
            if slot in slots and first <= day <= last:
                counts[item][0] += cell[0] if place == 1 else 0
                counts[item][place] += cell[0] if ordinal == 1 else 0
    return {Lately(item, *of_item) for item, of_item in counts.items() if of_item[0]}


async def compare_all(db: Path) -> None:
    """What reports are told is what the log adds up to, for several choices."""
    cuts = SqliteCuts(db)
    for first, last, slots, item in ((19_998, 20_001, SLOTS, None), (20_000, 20_000, (2,), 11)):
        for dimension in Dimension:
            found = await cuts.breakdown(dimension, first, last, slots, None if item is None else [item])
            assert [set(day.rows) for day in found] == [
                chosen(plainly(db, dimension), day, day, slots, item) for day in range(first, last + 1)
            ]
            assert all(len(set(day.rows)) == len(day.rows) for day in found)
        assert [set(day.rows) for day in await cuts.lately(first, last, slots)] == [
            lately(db, day, day, slots) for day in range(first, last + 1)
        ]
        for items in (ITEMS, ITEMS[:1]):
            found_of = {row for row in reached(db, slots) if row.item in items}
            assert set(await cuts.reach(items, slots)) == found_of
    await cuts.close()


@settings(max_examples=50, deadline=None)
@given(st.lists(FILLED, min_size=12, max_size=12), st.lists(TOLD, max_size=60))
def test_sums_are_the_fold_of_the_log_however_events_come(fills: list[Filled], told: list[Told]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "log.db"
        with closing(new_log(Path(folder))) as log:
            for batch in batches(fills, told):
                log.commit(batch, {})
            asyncio.run(compare_all(db))
            before = tables(db)
            assert log.rebuild().equal
            assert tables(db) == before


def tables(db: Path) -> list[list[tuple[int, ...]]]:
    """What is stored of both."""
    return [rows(db, f"SELECT * FROM {table}") for table in ("breakdown", "reach")]  # noqa: S608


def filled(number: int) -> list[Event]:
    """Impression, measurable and viewable of a fill, a second apart."""
    at_ms = START_MS + 1000 * number
    return [
        Event(at_ms << 22, kind, at_ms + 1000 * kind, at_ms // 900_000, 0, 1, 11, 2, 5, 0, SIZE, facts=1)
        for kind in (1, 2, 3)
    ]


def summed_count(db: Path) -> int:
    """Impressions that are in the sums of one dimension."""
    ((count,),) = rows(db, "SELECT sum(impression_count) FROM breakdown WHERE dimension = 1")
    return int(count)


def test_rebuild_finds_and_mends_every_wrong_row(tmp_path: Path) -> None:
    db = tmp_path / "log.db"
    with closing(new_log(tmp_path)) as log:
        for number in (*range(60), 4_000):
            log.commit(filled(number), {})
        before = tables(db)
        with closing(sqlite3.connect(db)) as database, database:
            database.execute("UPDATE breakdown SET click_count = 1 WHERE dimension = 1")
            database.execute("DELETE FROM breakdown WHERE dimension = 2")
            database.execute("UPDATE reach SET ordinal = 2 WHERE dimension = 8")
        rebuilt = log.rebuild()
        # Two days in two dimensions, and of reach one row that is missing and one too many.
        assert (rebuilt.wrong_breakdown_count, rebuilt.wrong_count) == (6, 6)
        assert tables(db) == before
        assert log.rebuild().equal


def test_few_events_are_summed_once_an_hour(tmp_path: Path) -> None:
    """All of a fill at once: until 20 seconds before the last event."""
    with closing(new_log(tmp_path)) as log:
        for number in range(3_600):
            if number % 60 == 0:
                log.commit(filled(number), {})
        assert tables(tmp_path / "log.db") == [[], []]
        log.commit(filled(3_620), {})
        assert summed_count(tmp_path / "log.db") == 60
        log.commit(filled(3_700), {})
    ((folded,),) = rows(tmp_path / "log.db", f"SELECT value FROM counter WHERE name = '{FOLDED_FILL}'")  # noqa: S608
    assert (folded >> 22) - START_MS == 3_620_000 + 3_000 - 20_000
    assert summed_count(tmp_path / "log.db") == 60


def test_sums_follow_when_a_flood_is_over(tmp_path: Path) -> None:
    flood = [event for number in range(4000) for event in filled(number)]
    db = tmp_path / "log.db"
    with closing(new_log(tmp_path)) as log:
        for start in range(0, 9_000, 600):
            log.commit(flood[start : start + 600], {})
        assert tables(db) == [[], []], "nobody who waits for a large batch waits for these sums as well"
        for start in range(9_000, 12_000, 60):
            log.commit(flood[start : start + 60], {})
    # Fewer than two thousand events are left, and what a batch brings, in fills of three.
    assert 4000 - (2000 + 60) / 3 - 20 < summed_count(db) < 4000


def test_a_flood_that_does_not_end_is_summed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_log, "_MOST_NOT_FOLDED", 4_000)
    monkeypatch.setattr(sqlite_log, "_FOLD_IN_FLOOD", 2_000)
    flood = [event for number in range(4000) for event in filled(number)]
    with closing(new_log(tmp_path)) as log:
        for start in range(0, len(flood), 600):
            log.commit(flood[start : start + 600], {})
    assert 4000 - (4000 + 600 + 1200) / 3 - 20 < summed_count(tmp_path / "log.db") < 4000


def test_events_that_were_not_summed_are_before_they_are_removed(tmp_path: Path) -> None:
    db = tmp_path / "log.db"
    with closing(new_log(tmp_path)) as log:
        log.commit(filled(0), {})
        assert tables(db) == [[], []]
    with SqliteRetention(db) as old:
        day = START_MS // DAY_MS
        (events,) = old.events_of(day)
        assert old.remove(day, events) == 3
    assert summed_count(db) == 1
