"""The benchmark of a large log, at a small size: all is measured and answered. Never how fast."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from adserver.engines.sqlite_log import SqliteLog
from tests.benchmarks.large import PAGES, REPORTS, measure_large, tables_of
from tests.newsroom import rows


def test_a_log_is_filled_and_all_reports_of_it_are_asked_for(tmp_path: Path) -> None:
    large = measure_large((2_000, 50_000), tmp_path, rounds=2, load_count=1)
    assert [one.row_count for one in large.ingests] == [2_000, 50_000]
    assert large.event_count == 90_000 + 2 * len(large.answers) * 20
    assert all(one.event_micros > 0 for one in large.ingests) and large.cost_ratio > 0
    paths = {answer.path.partition("?")[0].removeprefix("/reports/") for answer in large.answers}
    assert paths == {*(f"{name}.json" for name in (*REPORTS, "breakdown")), *PAGES}
    assert all(answer.p50_ms > 0 and answer.first_ms > 0 for answer in large.answers)
    assert all(0 < answer.byte_count <= 30_000 for answer in large.answers)
    assert large.shown is not None, "no Chromium"
    assert {one.path.partition("?")[0] for one in large.shown} == {f"/reports/{name}" for name in PAGES}
    assert all(one.paint_ms > 0 and one.drawn_ms > 0 for one in large.shown)
    assert [table.row_count for table in tables_of(large)] == [2, len(large.answers), len(PAGES)]
    counts = "SELECT kind, validity, count(*) FROM event GROUP BY 1, 2"
    found = {(kind, validity): count for kind, validity, count in rows(tmp_path / "large.db", counts)}
    assert sum(found.values()) == large.event_count
    assert set(found) == {(kind, 0) for kind in (1, 2, 3, 4)}
    with closing(SqliteLog(tmp_path / "large.db")) as log:
        assert log.rebuild().equal
