"""The benchmarks at a small size: every case is measured, and no answer is an error. Never how fast."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from adserver.catalog.model import Tier
from tests.benchmarks.__main__ import record_of, table_inside, table_of
from tests.benchmarks.bench import Plan, measure
from tests.benchmarks.catalogs import catalog_file
from tests.benchmarks.changes import look_at_changes, sentence_of_changes
from tests.benchmarks.console import MOST_BYTES as MOST_PAGE_BYTES
from tests.benchmarks.console import look_at_console, table_of_console
from tests.benchmarks.inside import look_inside
from tests.benchmarks.servers import Cores
from tests.benchmarks.tag import MOST_BYTES, look_at_tag, sentence_of

PLAN = Plan(
    sizes=(10, 200),
    new_page_sizes=(),
    event_size=10,
    events_per_beacon=(5,),
    seconds=1,
    control_seconds=1,
    # Whatever else runs on the machine must not starve a core that the server may not leave.
    cores=Cores(server=None, load=None),
)
NAMES = [
    "fill, 10 items",
    "events, 5 a beacon",
    "click",
    "fill, 200 items",
]


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_every_case_is_measured_and_nothing_is_refused(tmp_path: Path) -> None:
    figures = measure(PLAN, tmp_path)
    assert [figure.name for figure in figures] == NAMES
    for figure in figures:
        for load in (figure.load, *figure.controls):
            assert load.request_count > 0 and load.cpu_seconds > 0, figure
            assert (load.refused_count, load.broken_count) == (0, 0), figure
        assert figure.rate_ratio > 0 and figure.cpu_ratio > 0, figure
    fill_rates = [figure.fill_rate for figure in figures if figure.fill_rate is not None]
    assert len(fill_rates) == 2 and min(fill_rates) > 0.1

    written = json.loads(json.dumps(record_of(figures, PLAN)))
    assert [case["name"] for case in written["cases"]] == NAMES
    assert all(case["load"]["rate"] > 0 for case in written["cases"])
    console = Console(width=120, file=StringIO(), record=True)
    console.print(table_of(figures))
    shown = console.export_text()
    assert all(name in shown for name in NAMES)


def test_a_catalog_is_looked_at_from_inside(tmp_path: Path) -> None:
    inside = look_inside(200, tmp_path, rounds=2)
    assert 0 < inside.decide_p50_us <= inside.decide_p99_us
    assert inside.first_p50_us > 0 and inside.longest_wait_seconds >= 0
    assert 0 < inside.rebuild_seconds < 60
    console = Console(width=120, file=StringIO(), record=True)
    console.print(table_inside([inside]))
    assert "200" in console.export_text()


def test_a_change_reaches_every_worker(tmp_path: Path) -> None:
    seconds = look_at_changes(200, tmp_path, changes=2)
    assert len(seconds) == 2 and min(seconds) >= 0
    assert "all 2 workers serve a change" in sentence_of_changes(200, seconds)


def test_each_kind_of_page_of_the_console_is_asked_for(tmp_path: Path) -> None:
    answers = look_at_console(200, tmp_path, rounds=2)
    paths = [one.path for one in answers]
    kinds = (
        "site/",
        "slot/",
        "advertiser/",
        "campaign/",
        "line_item/",
        "creative/",
        "new/line_item",
        "new/site",
    )
    for part in (
        *(f"/catalog/{kind}" for kind in kinds),
        "/line_items/table",
        "/why/",
        "/history/",
        "/users",
    ):
        assert any(part in path for path in paths), part
    assert all(one.p50_ms > 0 and 300 < one.byte_count < MOST_PAGE_BYTES for one in answers)
    console = Console(width=120, file=StringIO(), record=True)
    console.print(table_of_console(answers, 200))
    assert all(path in console.export_text(clear=False) for path in paths)


@pytest.mark.browser
def test_the_tag_is_weighed_and_timed_in_a_browser(tmp_path: Path) -> None:
    cost = look_at_tag(tmp_path, load_count=1)
    if cost is None:
        pytest.skip("no Chromium found (set ADSERVER_CHROMIUM to its path)")
    assert 1_000 < cost.brotli_bytes <= MOST_BYTES
    assert cost.script_ms > 0 and cost.slow_ms > 0
    assert f"{cost.brotli_bytes:,} bytes with brotli" in sentence_of(cost)


def test_catalogs_are_the_same_each_time_and_hold_every_tier() -> None:
    text = catalog_file(300)
    assert text == catalog_file(300)
    assert all(f'tier = "{tier}"' in text for tier in Tier)
    assert text.count("[[advertiser.campaign.line_item]]") == 300
