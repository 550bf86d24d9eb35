"""Marking in the log: sums stay its fold, valid events take the place of invalid ones, rates hold."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.engines.sqlite_limits import Limit
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.event import Event
from tests.engines.logs import event, new_log
from tests.newsroom import rows

DELAY_MS = 200
EVENTS = st.builds(
    lambda fill, kind, at_ms, validity: event(fill, kind, at_ms=at_ms, revenue_micros=7, validity=validity),
    fill=st.integers(1, 4),
    kind=st.sampled_from([1, 1, 2, 3, 4]),
    at_ms=st.integers(0, 500),
    validity=st.sampled_from([0, 0, 0, 2, 4, 16, 20, 21]),
)


def judging_log(folder: Path) -> SqliteLog:
    """An empty log that marks clicks."""
    new_log(folder).close()
    return SqliteLog(folder / "log.db", min_click_delay_ms=DELAY_MS)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(EVENTS, max_size=6), max_size=10))
def test_whatever_comes_sums_are_the_fold_and_rates_stay_within_one(batches: list[list[Event]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(judging_log(folder)) as log:
            for batch in batches:
                log.commit(batch, {})
            assert log.rebuild().equal
        path, given_count = folder / "log.db", sum(map(len, batches))
        assert rows(path, "SELECT coalesce(sum(1 + repeat_count), 0) FROM event") == [(given_count,)]
        earned = rows(path, "SELECT coalesce(sum(revenue_micros), 0) FROM rollup")
        assert earned == rows(path, "SELECT 7 * count(*) FROM event WHERE validity = 0")
        assert rows(path, "SELECT count(*) FROM marked_rollup WHERE event_count <= 0") == [(0,)]
        soon = f"""
            SELECT count(*) FROM event c LEFT JOIN event s ON s.fill = c.fill AND s.kind = 1
            WHERE c.kind = 4 AND c.validity = 0 AND (s.fill IS NULL OR c.at_ms < s.at_ms + {DELAY_MS})"""  # noqa: S608  (our own number)
        # An impression that was invalid may have become valid, by a later one, after its click was judged.
        if not any(one.kind == 1 and one.validity for batch in batches for one in batch):
            assert rows(path, soon) == [(0,)]


def test_a_valid_event_takes_the_place_of_invalid_ones_in_any_batches(tmp_path: Path) -> None:
    for number, batches in enumerate(([[16, 20, 0, 0]], [[16], [20], [0], [0]], [[16, 16], [20, 0], [0]])):
        folder = tmp_path / str(number)
        folder.mkdir()
        count = sum(map(len, batches))
        with closing(judging_log(folder)) as log:
            told = 0
            for batch in batches:
                events = [event(9, 1, revenue_micros=0 if one else 7, validity=one) for one in batch]
                told += sum(one.event_count for one in log.commit(events, {}).counted)
            assert told == 1
            assert log.rebuild().equal
        path = folder / "log.db"
        query = "SELECT validity, revenue_micros, repeat_count FROM event"
        assert rows(path, query) == [(0, 7, count - 1)]
        assert rows(path, "SELECT impression_count, revenue_micros FROM rollup") == [(1, 7)]
        assert rows(path, "SELECT validity, event_count FROM marked_rollup") == [(1, count - 1)]


def test_what_is_late_or_over_a_goal_gives_way_to_nothing(tmp_path: Path) -> None:
    with closing(judging_log(tmp_path)) as log:
        for validity in (2, 4):
            log.commit([event(validity, validity=validity)], {})
            log.commit([event(validity, revenue_micros=7)], {})
    assert rows(tmp_path / "log.db", "SELECT validity, repeat_count FROM event") == [(2, 1), (4, 1)]


def test_a_history_has_clicks_without_impressions(tmp_path: Path) -> None:
    with closing(judging_log(tmp_path)) as log:
        log.import_history("digest", "file", 0, [[event(1, 4), event(2, 4)]])
    assert rows(tmp_path / "log.db", "SELECT validity FROM event") == [(0,), (0,)]


def test_what_an_event_was_found_to_be_and_would_earn_outlives_what_it_is_judged_to_be(
    tmp_path: Path,
) -> None:
    with closing(judging_log(tmp_path)) as log:
        log.limit([Limit(7, 1, 1)])
        log.commit([event(1, 1, revenue_micros=7), event(2, 1, revenue_micros=7)], {})
        log.commit([event(3, 1, revenue_micros=7, validity=16), event(3, 3)], {})
        log.commit([event(4, 4, revenue_micros=9), event(5, 1, revenue_micros=7, validity=2)], {})
        log.import_history("digest", "history.csv", 0, [[event(6, 4, revenue_micros=9)]])
        log.commit([event(3, 1, revenue_micros=7)], {})
    assert rows(tmp_path / "log.db", "SELECT fill, kind, validity, found, revenue_micros FROM event") == [
        (1, 1, 0, 0, 7),
        (2, 1, 4, 0, 7),
        (3, 1, 4, 0, 7),
        (3, 3, 16, 0, 0),
        (4, 4, 22, 0, 9),
        (5, 1, 2, 2, 7),
        (6, 4, 0, -1, 9),
    ]
    assert rows(tmp_path / "log.db", "SELECT sum(revenue_micros) FROM delivered") == [(7 + 9,)]


def test_a_click_before_its_impression_is_so_in_one_batch_as_in_two(tmp_path: Path) -> None:
    for number, apart in enumerate((False, True)):
        folder = tmp_path / str(number)
        folder.mkdir()
        click, shown = event(1, 4, at_ms=999), event(1, 1, at_ms=1000)
        with closing(judging_log(folder)) as log:
            for batch in [[click], [shown]] if apart else [[click, shown]]:
                log.commit(batch, {})
        assert rows(folder / "log.db", "SELECT kind, validity FROM event") == [(1, 0), (4, 22)]
