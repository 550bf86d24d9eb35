"""History judged anew in a real log: what a plain loop says, with all sums the fold of the log afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.engines.sqlite_audit import AuditEntry
from adserver.engines.sqlite_closing import Month, SqliteClosing
from adserver.engines.sqlite_conversions import Conversion
from adserver.engines.sqlite_limits import Limit
from adserver.engines.sqlite_log import SqliteLog
from adserver.engines.sqlite_marks import Mark
from adserver.engines.sqlite_refilter import Moved, Rules
from adserver.measurement.event import Event, Kind, Validity
from tests.engines.logs import new_log
from tests.newsroom import rows

DAY_MS, BUCKET_MS, PRICE = 86_400_000, 900_000, 5
DELAY_MS, CLICK_MS = 200, 5_000
#: Some buckets of two days in a row.
FIRST = 17_000 * DAY_MS
EXCLUDED = Validity.EXCLUDED


def fill_id(n: int, bucket: int = 0) -> int:
    """The id of the n-th fill of a bucket, as `FillIds` gives it."""
    return (FIRST + bucket * BUCKET_MS + n) << 22


def event(
    fill: int, kind: int, *, after_ms: int = 0, item: int = 7, slot: int = 1, validity: int = 0
) -> Event:
    """An event so long after its fill, which earns PRICE."""
    filled_ms = fill >> 22
    bucket = filled_ms // BUCKET_MS
    return Event(
        fill, kind, filled_ms + after_ms, bucket, bucket // 96, slot, item, 2, PRICE, validity, 0, 0, 1
    )


def order(fill: int, order_id: str = "A", *, after_ms: int = 2_000, **row: Any) -> Conversion:
    """An order of advertiser 1."""
    return Conversion(event(fill, Kind.CONVERSION, after_ms=after_ms, **row), 1, order_id, None, CLICK_MS, 0)


def mark(**keys: Any) -> Mark:
    """A mark of everything, but for what is said."""
    given = {
        "from_ms": 0,
        "until_ms": FIRST + 90 * DAY_MS,
        "slot": None,
        "item": None,
        "kind": None,
        "reason": "test",
    }
    return Mark(**{**given, **keys})


def entry_of(moved: Sequence[Moved]) -> AuditEntry:
    """An entry that says how much changed."""
    return AuditEntry(1, "sita", "refilter", f"{len(moved)}", "{}")


def refilter(log: SqliteLog, *marks: Mark, keep: bool = True) -> list[Moved]:
    """Judge history with these marks."""
    rules = Rules(marks, DELAY_MS, {7: (CLICK_MS, 0), 8: (CLICK_MS, 0)})
    return log.refilter(rules, entry_of if keep else None)


def open_log(folder: Path) -> SqliteLog:
    """An empty log that judges clicks as it comes."""
    new_log(folder).close()
    return SqliteLog(folder / "log.db", min_click_delay_ms=DELAY_MS)


def seen_and_clicked(fill: int, **keys: Any) -> list[Event]:
    """An impression and its click a second later."""
    return [event(fill, Kind.IMPRESSION, **keys), event(fill, Kind.CLICK, after_ms=1_000, **keys)]


def judged(folder: Path) -> list[Any]:
    """Fill, kind and validity of everything."""
    return rows(folder / "log.db", "SELECT fill, kind, validity FROM event ORDER BY fill, kind")


def test_a_mark_excludes_and_its_removal_brings_back(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.commit([*seen_and_clicked(fill_id(1)), *seen_and_clicked(fill_id(2), slot=3)], {})
        before = judged(tmp_path)
        day = FIRST // DAY_MS
        assert refilter(log, mark(slot=3), keep=False) == refilter(log, mark(slot=3))
        assert judged(tmp_path) == [*before[:2], *((fill, kind, EXCLUDED) for fill, kind, _ in before[2:])]
        assert rows(tmp_path / "log.db", "SELECT impression_count, revenue_micros FROM delivered") == [
            (1, 2 * PRICE)
        ]
        assert log.rebuild().equal
        assert refilter(log) == [
            Moved(day, 7, kind, EXCLUDED, 0, 1, PRICE) for kind in (Kind.IMPRESSION, Kind.CLICK)
        ]
        assert judged(tmp_path) == before
        assert log.rebuild().equal
        assert refilter(log) == []
    assert rows(tmp_path / "log.db", "SELECT value FROM counter WHERE name = 'restated'") == [(2,)]
    assert rows(tmp_path / "log.db", "SELECT author, action, summary FROM audit") == [
        ("sita", "refilter", count) for count in ("2", "2", "0")
    ]


def test_looking_changes_nothing(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.commit(seen_and_clicked(fill_id(1)), {})
        assert len(refilter(log, mark(), keep=False)) == 2
        assert rows(tmp_path / "log.db", "SELECT count(*) FROM mark") == [(0,)]
    assert judged(tmp_path) == [(fill_id(1), kind, 0) for kind in (Kind.IMPRESSION, Kind.CLICK)]
    for table in ("audit", "marked_rollup", "counter WHERE name = 'restated'"):
        assert rows(tmp_path / "log.db", f"SELECT * FROM {table}") == []  # noqa: S608


def test_what_is_marked_counts_neither_when_it_comes_later_nor_when_it_is_repeated(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.commit([event(fill_id(1), Kind.IMPRESSION)], {})
        refilter(log, mark(item=7))
        log.commit(
            [*seen_and_clicked(fill_id(1)), *seen_and_clicked(fill_id(2))], {}, (), [order(fill_id(2))]
        )
        log.commit(seen_and_clicked(fill_id(3), item=8), {})
        assert log.rebuild().equal
        assert refilter(log, mark(item=7)) == []
    assert {validity for fill, _, validity in judged(tmp_path) if fill != fill_id(3)} == {EXCLUDED}
    assert [validity for fill, _, validity in judged(tmp_path) if fill == fill_id(3)] == [0, 0]


@pytest.mark.parametrize(
    ("keys", "excluded"),
    [
        ({"from_ms": FIRST + 2, "until_ms": FIRST + 3}, {2}),
        ({"from_ms": FIRST + 1, "until_ms": FIRST + 1}, set()),
        ({"until_ms": FIRST + 2}, {1}),
        ({"slot": 1}, {1, 2, 3}),
        ({"slot": 9}, set()),
        ({"item": 7, "kind": Kind.IMPRESSION}, {1, 2, 3}),
        ({"item": 8}, set()),
        ({"kind": Kind.VIEWABLE}, set()),
    ],
)
def test_a_mark_is_of_what_it_names(tmp_path: Path, keys: dict[str, int], excluded: set[int]) -> None:
    with closing(open_log(tmp_path)) as log:
        log.commit([one for n in (1, 2, 3) for one in seen_and_clicked(fill_id(n))], {})
        refilter(log, mark(**keys))
        assert log.rebuild().equal
    assert {fill for fill, _, validity in judged(tmp_path) if validity} == {fill_id(n) for n in excluded}
    # Of a fill whose impression is excluded, so is the click, even where only the impression is named.
    by_fill = [validity for fill, _, validity in judged(tmp_path) if fill in map(fill_id, excluded)]
    assert set(by_fill) <= {EXCLUDED}


def test_room_that_is_free_again_goes_to_what_was_beyond_the_goal(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.limit([Limit(7, Kind.IMPRESSION, 2)])
        for n in (1, 2, 3, 4):
            log.commit(seen_and_clicked(fill_id(n)), {})
        moved = refilter(log, mark(until_ms=FIRST + 2))
        assert {(one.was, one.validity, one.event_count) for one in moved} == {(0, EXCLUDED, 1), (4, 0, 1)}
        assert sum(one.revenue_micros for one in moved) == 0
        assert log.rebuild().equal
        assert [v for _, kind, v in judged(tmp_path) if kind == 1] == [EXCLUDED, 0, 0, Validity.OVER_GOAL]
        refilter(log)  # What counts meanwhile stays: the first is beyond the goal now.
        assert [v for _, kind, v in judged(tmp_path) if kind == 1] == [4, 0, 0, 4]
        assert log.rebuild().equal


def test_an_order_counts_for_another_fill_once_its_own_does_not(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.commit([*seen_and_clicked(fill_id(1)), *seen_and_clicked(fill_id(2))], {})
        log.commit([], {}, (), [order(fill_id(1)), order(fill_id(2))])
        refilter(log, mark(until_ms=FIRST + 2))
        orders = "SELECT fill, counted FROM conversion ORDER BY fill"
        assert rows(tmp_path / "log.db", orders) == [(fill_id(1), 0), (fill_id(2), 1)]
        refilter(log)
        assert rows(tmp_path / "log.db", orders) == [(fill_id(1), 0), (fill_id(2), 1)]
        assert [v for _, kind, v in judged(tmp_path) if kind == 5] == [Validity.ORDER_COUNTED, 0]
        assert log.rebuild().equal


def test_rules_that_became_stricter_hold_for_what_came_before(tmp_path: Path) -> None:
    fill = fill_id(1)
    with closing(open_log(tmp_path)) as log:
        log.commit(seen_and_clicked(fill), {}, (), [order(fill)])
        log.refilter(Rules(None, 1_500, {7: (CLICK_MS, 0)}), entry_of)
        assert [v for *_, v in judged(tmp_path)] == [0, Validity.TOO_SOON, Validity.NO_CLICK]
        log.refilter(Rules(None, DELAY_MS, {7: (900, 0)}), entry_of)
        assert [v for *_, v in judged(tmp_path)] == [0, 0, Validity.LATE]
        log.refilter(Rules(None, DELAY_MS, {7: (0, 3_000)}), entry_of)
        assert [v for *_, v in judged(tmp_path)] == [0, 0, 0]
        assert log.rebuild().equal


def test_days_whose_events_were_removed_are_left_alone(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        fills = [fill_id(1, 96 * day) for day in range(4)]
        log.commit([one for fill in fills for one in seen_and_clicked(fill)], {})
        with log._transaction():  # as `sqlite_retention` does, of the first UTC day
            log._db.execute("INSERT INTO counter VALUES ('kept_from_day', ?)", (FIRST // DAY_MS + 1,))
            log._db.execute("DELETE FROM event WHERE fill = ?", fills[:1])
        moved = refilter(log, mark())
        assert {one.day - FIRST // DAY_MS for one in moved} == {3}
        assert log.rebuild().equal


def test_a_thinned_day_is_restated_too(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.commit([one for n in range(6) for one in seen_and_clicked(fill_id(1, n))], {})
        first = FIRST // BUCKET_MS
        with log._transaction():  # as `sqlite_thinning` does, with the whole day
            log._db.execute("INSERT INTO thinned VALUES (1, ?, ?, 96)", (first, first + 96))
            sums = "slot, creative, sum(impression_count), 0, 0, sum(click_count), 0, sum(revenue_micros)"
            log._db.execute(f"CREATE TEMP TABLE one AS SELECT {first}, {sums} FROM rollup")  # noqa: S608
            log._db.execute("DELETE FROM rollup")
            log._db.execute("INSERT INTO rollup SELECT * FROM one")
        assert log.rebuild().equal
        refilter(log, mark(from_ms=FIRST + 2 * BUCKET_MS, until_ms=FIRST + 4 * BUCKET_MS))
        assert log.rebuild().equal
        assert rows(tmp_path / "log.db", "SELECT bucket, impression_count FROM rollup") == [(first, 4)]
        refilter(log)
        assert log.rebuild().equal
    assert rows(tmp_path / "log.db", "SELECT sum(impression_count) FROM rollup") == [(6,)]


FILLS = st.builds(fill_id, st.integers(1, 3), st.sampled_from([0, 1, 50, 100]))
KINDS = st.sampled_from([1, 1, 2, 3, 4, 4, 7])
EVENTS = st.builds(
    lambda fill, kind, after_ms, validity: event(
        fill,
        kind,
        after_ms=after_ms,
        validity=validity,
        item=7 + (fill >> 22) % 2,
        slot=1 + (fill >> 23) % 2,
    ),
    FILLS,
    KINDS,
    st.sampled_from([0, 100, 400, 1_000]),
    st.sampled_from([0, 0, 0, 0, 2, 16]),
)
ORDERS = st.builds(
    lambda fill, order_id, after_ms: order(
        fill, order_id, after_ms=after_ms, item=7 + (fill >> 22) % 2, slot=1 + (fill >> 23) % 2
    ),
    FILLS,
    st.sampled_from("ABC"),
    st.sampled_from([500, 3_000, 20_000]),
)
BATCHES = st.lists(st.tuples(st.lists(EVENTS, max_size=8), st.lists(ORDERS, max_size=3)), max_size=6)
MARKS = st.lists(
    st.builds(
        lambda lo, hi, slot, item, kind: mark(
            from_ms=FIRST + lo * BUCKET_MS + 2,
            until_ms=FIRST + hi * BUCKET_MS + 3,
            slot=slot,
            item=item,
            kind=kind,
        ),
        st.integers(0, 100),
        st.integers(0, 101),
        st.sampled_from([None, 1, 2]),
        st.sampled_from([None, 7]),
        st.sampled_from([None, 1, 4, 5]),
    ),
    max_size=2,
)
LIMITS = st.lists(
    st.builds(
        Limit,
        st.sampled_from([7, 8]),
        st.sampled_from([1, 4]),
        st.sampled_from([None, 1, 3]),
        st.sampled_from([None, 4 * PRICE]),
        st.sampled_from([None, 2 * PRICE]),
    ),
    max_size=2,
    unique_by=lambda limit: limit.item,
)


class Plain:
    """What is to be said of each event of a log, one after the other; limits and orders apart."""

    def __init__(self, path: Path, marks: Sequence[Mark]) -> None:
        self.marks = marks
        columns = "fill, kind, at_ms, slot, item, found"
        found = rows(path, f"SELECT {columns} FROM event")  # noqa: S608  (our own names)
        self.events = {(fill, kind): rest for fill, kind, *rest in found}

    def own(self, fill: int, kind: int) -> int:
        """What an event was found to be, or its mark."""
        _, slot, item, found = self.events[fill, kind]
        return found or EXCLUDED * any(
            one.from_ms <= fill >> 22 < one.until_ms
            and one.slot in (None, slot)
            and one.item in (None, item)
            and one.kind in (None, kind)
            for one in self.marks
        )

    def verdict(self, fill: int, kind: int) -> int:
        """Whether an event can count, or why not."""
        own, shown = self.own(fill, kind), self.events.get((fill, 1))
        if own or kind == 1:
            return own
        if shown and self.own(fill, 1) >= 16:
            return self.own(fill, 1)
        at_ms = self.events[fill, kind][0]
        if kind == 4 and (not shown or shown[0] > at_ms):
            return Validity.NO_IMPRESSION
        if kind == 4 and shown and at_ms < shown[0] + DELAY_MS:
            return Validity.TOO_SOON
        if kind == 5:
            click = self.events.get((fill, 4))
            if not click or self.verdict(fill, 4):
                return Validity.NO_CLICK
            return 0 if at_ms < click[0] + CLICK_MS else Validity.LATE
        return 0

    def verdicts(self) -> Iterator[tuple[int, int, int]]:
        """Of every event."""
        for fill, kind in self.events:
            yield fill, kind, self.verdict(fill, kind)


#: Everything, as one month of one site.
MONTH = Month("daily", "2016-07", 0, 30_000, (1, 2, 3), 1_000_000)
ALL_SUMS = """
SELECT item, sum(impression_count), sum(click_count), sum(conversion_count), sum(revenue_micros)
FROM delivered WHERE impression_count OR click_count OR conversion_count OR revenue_micros GROUP BY 1
"""


def closed_sums(path: Path, log: SqliteLog) -> list[Any]:
    """What all bookings of the month and what is pending add up to, by line item."""
    with SqliteClosing(path) as engine:
        read = engine.read("daily", "2016-07")
        if read is None:
            return rows(path, ALL_SUMS)
        booked, pending, _ = read
    sums: dict[int, list[int]] = {}
    for one in (*(one for booking in booked for one in booking.sums), *pending):
        cell = sums.setdefault(one.item, [0] * 4)
        counts = (one.impression_count, one.click_count, one.conversion_count, one.revenue_micros)
        sums[one.item] = [a + b for a, b in zip(cell, counts, strict=True)]
    return [(item, *cell) for item, cell in sorted(sums.items()) if any(cell)]


@settings(max_examples=80, deadline=None)
@given(BATCHES, LIMITS, MARKS, MARKS)
def test_any_history_is_judged_as_a_plain_loop_judges_it(
    batches: list[tuple[list[Event], list[Conversion]]],
    limits: list[Limit],
    first: list[Mark],
    then: list[Mark],
) -> None:
    """And all sums are the fold of the log, limits hold, orders count once, and nothing changes again."""
    with tempfile.TemporaryDirectory() as name, closing(open_log(Path(name))) as log:
        path = Path(name) / "log.db"
        log.limit(limits)
        for number, (events, orders) in enumerate(batches):
            log.commit(events, {}, (), orders)
            if number == 1:
                with SqliteClosing(path) as engine:
                    engine.book(MONTH, FIRST + 90 * DAY_MS, 0, "sita", "closed")
            if number == 2:
                refilter(log, *first)
        for marks in (then, []):
            refilter(log, *marks)
            assert log.rebuild().equal
            said = {(fill, kind): validity for fill, kind, validity in judged(Path(name))}
            beyond = {Validity.OVER_GOAL, Validity.ORDER_COUNTED}
            for fill, kind, verdict in Plain(path, marks).verdicts():
                found = said[fill, kind]
                assert found == verdict or (not verdict and found in beyond)
            assert refilter(log, *marks) == []
            assert closed_sums(path, log) == rows(path, ALL_SUMS)
            delivered = "SELECT impression_count, click_count, revenue_micros FROM delivered WHERE item = ?"
            for limit in limits:
                for impressions, clicks, micros in rows(path, delivered.replace("?", str(limit.item))):
                    if limit.goal is not None:
                        assert (clicks if limit.kind == 4 else impressions) <= limit.goal
                    if limit.budget_micros is not None:
                        assert micros <= limit.budget_micros
            counted = "SELECT fill FROM {} ORDER BY fill"
            assert rows(path, counted.format("conversion WHERE counted")) == rows(
                path, counted.format("event WHERE kind = 5 AND validity = 0")
            )
