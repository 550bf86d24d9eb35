"""Line items as rows of text, and what rows change."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.catalog.model import Catalog
from adserver.catalog.plan import Path, flatten
from adserver.editing.edits import Edit, edited
from adserver.editing.objects import Seen
from adserver.editing.sheet import COLUMNS, HEADS, edits_of, read_csv, rows_of, to_csv
from adserver.engines.catalog_store import State
from adserver.errors import InvalidInput
from tests import strategies as words
from tests.console.office import SAMPLE

NO_PRICE = dict.fromkeys(("cpm", "vcpm", "cpc", "cpa", "flat"))
ITEM: Path = ("line_item", "savings-top")


def seen_of(catalog: Catalog) -> Seen:
    entries = flatten(catalog)
    return Seen(7, entries, dict.fromkeys(entries, 3))


def items(seen: Seen) -> list[Path]:
    return list(seen.of_kind("line_item"))


def faults(rows: list[dict[str, str]], catalog: Catalog = SAMPLE) -> str:
    with pytest.raises(InvalidInput) as error:
        edits_of(seen_of(catalog), rows)
    return str(error.value)


@given(words.catalogs(groups=True, pages=True))
def test_what_is_exported_and_read_again_changes_nothing(catalog: Catalog) -> None:
    seen = seen_of(catalog)
    rows = rows_of(seen, items(seen))
    assert read_csv(to_csv(rows), 10_000) == rows
    assert edits_of(seen, rows) == []


def test_a_row_has_everything_as_people_write_it() -> None:
    (row,) = rows_of(seen_of(SAMPLE), [ITEM])
    assert row == {
        "line_item": "savings-top",
        "campaign": "himal-bank/savings",
        "version": "3",
        "tier": "guaranteed",
        "paused": "no",
        "start": "2026-11-01T00:00+05:45",
        "end": "2026-12-01T00:00+05:45",
        "price": "4.50 cpm",
        "goal": "100000 impressions",
        "budget": "",
        "daily_budget": "",
        "share": "",
        "pacing": "",
        "caps": "3 per 1d; 10 per 7d",
    }


@pytest.mark.parametrize(
    ("cells", "patch"),
    [
        (
            {"price": "5.25 vcpm"},
            {"price": {**NO_PRICE, "vcpm": "5.25"}},
        ),
        ({"goal": "2,000 clicks"}, {"goal": {"clicks": 2000, "impressions": None, "viewables": None}}),
        ({"end": "2026-12-24T12:00"}, {"end": "2026-12-24T06:15:00+00:00"}),
        ({"end": "2026-12-01T00:00:00"}, None),
        ({"end": "2026-11-30T18:15Z"}, None),
        ({"end": ""}, {"end": None}),
        ({"paused": "YES", "tier": "guaranteed"}, {"paused": True}),
        ({"paused": ""}, None),
        ({"caps": "5 per 12h"}, {"caps": [{"impressions": 5, "per": "12h"}]}),
        ({"caps": ""}, {"caps": None}),
        ({}, None),
    ],
)
def test_only_what_differs_is_changed(cells: dict[str, str], patch: dict[str, Any] | None) -> None:
    edits = edits_of(seen_of(SAMPLE), [{"line_item": "savings-top", "version": "2", **cells}])
    assert edits == ([Edit("change", ITEM, patch, version=2)] if patch else [])


def test_a_new_name_with_a_campaign_is_added() -> None:
    seen = seen_of(SAMPLE)
    row = {"line_item": "extra", "campaign": "himal-bank/savings", "tier": "house", "end": "2027-01-01T00:00"}
    edits = edits_of(seen, [row])
    after = edited(State(7, seen.entries, seen.versions), edits)
    entry = after["line_item", "extra"]
    assert entry.parent == ("campaign", "himal-bank", "savings")
    assert entry.body == {"name": "extra", "tier": "house", "end": "2026-12-31T18:15:00+00:00"}


def test_everything_wrong_is_said_at_once_by_row_and_column() -> None:
    told = faults(
        [
            {"line_item": "savings-top", "price": "four", "goal": "1 smile", "version": "x"},
            {"line_item": "nobody"},
            {"line_item": "savings-top"},
            {"line_item": "", "tier": "house"},
        ]
    )
    assert "row 1 (savings-top), price: 'four' is not such as 4.50 cpm" in told
    assert "row 1 (savings-top), goal: '1 smile' is not such as" in told
    assert "row 1 (savings-top), version: 'x' is not a number" in told
    assert "row 2 (nobody), line_item: is not there; to add it" in told
    assert "row 3 (savings-top): is there twice" in told
    assert "row 4, line_item: is not there" in told
    moved = faults([{"line_item": "savings-top", "campaign": "himal-bank/other"}])
    assert "stays in its campaign" in moved


@given(st.text(max_size=40))
def test_no_cell_is_a_formula_and_each_is_read_as_it_was(text: str) -> None:
    rows = [{"line_item": "a", "campaign": text}]
    if any(mark in text for mark in "\n\r\0"):
        return
    written = to_csv(rows)
    cell = next(csv.DictReader(io.StringIO(written, newline="")))["campaign"]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert read_csv(written, 9) == rows


def test_files_of_other_programs_are_read() -> None:
    assert read_csv("\ufeffline_item;paused\r\na;yes\r\n;\r\n", 9) == [{"line_item": "a", "paused": "yes"}]
    assert read_csv("line_item\tpaused\na\tno", 9) == [{"line_item": "a", "paused": "no"}]
    assert read_csv(to_csv([]), 9) == []
    assert to_csv([]).strip().split(",") == [*HEADS, *COLUMNS]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no column line_item"),
        ("name,prize\n", "column prize: is not known; did you mean 'price'?"),
        ("line_item,line_item\n", "column line_item: is there twice"),
        ("line_item,price\na\n", "line 2: has 1 cells, not 2"),
        ("line_item\n" + "a\n" * 3, "has more than 2 rows"),
        ('line_item\n"a', "is not a CSV file"),
    ],
)
def test_what_is_no_such_file_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_csv(text, 2)
    assert told in str(error.value)
