"""`adserver close`, `statement`: a month is frozen, and what changes then is a correction with its date."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adserver.catalog.model import Catalog
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_closing import SqliteClosing
from adserver.errors import InvalidInput
from adserver.measurement.statement import Line, close_month, statement
from adserver.settings import Settings
from tests.newsroom import apply_catalog, catalog_of, image, line_item, rows, server
from tests.processes import adserver

CATALOG = catalog_of(
    line_item("wide", "price", "728x90", price={"cpm": "4.00"}),
    line_item("box", "price", "300x250", price={"cpc": "0.50"}),
    line_item("own", "house", "970x250"),
)
#: October begins in Kathmandu, and is over.
BEGIN = datetime(2025, 9, 30, 18, 15, tzinfo=UTC)
END = datetime(2025, 10, 31, 18, 15, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def read_pages(db: Path, times: Sequence[datetime], catalog: Catalog | None = CATALOG) -> None:
    """A page at each time: an impression in either slot, and a click on the box."""
    now = [BEGIN]
    with server(db, catalog, clock=lambda: now[0]) as client:
        for at in times:
            now[0] = at
            ask = {"site": "daily", "slots": [{"slot": "top"}, {"slot": "side"}]}
            fills = client.post("/v1/fill", json=ask).json()["fills"]
            events = [{"fill": one["fill"], "type": "impression"} for one in fills]
            assert client.post("/v1/events", json={"events": events}).status_code == 204
            now[0] = at + timedelta(seconds=2)
            assert client.get(fills[1]["creative"]["click"]).status_code == 302


def close(db: Path, stored: Stored, now: datetime, **keys: Any) -> Any:
    """Close October 2025 at some time."""
    with SqliteClosing(db) as engine:
        return close_month(engine, stored, Settings(db=db), "daily", "2025-10", now, author="sita", **keys)


def run(db: Path, *words: str) -> str:
    """A command that succeeds, and what it prints."""
    done = adserver(*words, "--db", str(db))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_month_has_the_local_days_of_its_site(tmp_path: Path) -> None:
    """Of four pages one is a minute before it, and one just after."""
    db = tmp_path / "a.db"
    read_pages(db, [BEGIN - MINUTE, BEGIN, END - MINUTE, END])
    stored = apply_catalog(db, CATALOG)
    close(db, stored, END + 31 * DAY)
    with SqliteClosing(db) as engine:
        found = statement(engine, stored, "daily", "2025-10")
        assert statement(engine, stored, "daily", "2025-09") is None
    assert found
    assert list(found.closed.lines) == [
        Line("bank", "autumn", "box", "cpc", 2, 0, 2, 0, 1_000_000),
        Line("bank", "autumn", "wide", "cpm", 2, 0, 0, 0, 8_000),
    ]
    assert (found.closed.revenue_micros, found.revenue_micros) == (1_008_000, 1_008_000)
    assert (found.currency, list(found.corrections), list(found.pending)) == ("USD", [], [])
    assert found.closed.at.isoformat() == "2025-12-02T00:00:00+05:45"


def test_a_publishers_share_is_what_it_was_when_the_month_was_closed(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    items = (
        line_item("wide", "price", "728x90", price={"cpm": "4.00"}),
        line_item("box", "price", "300x250", price={"cpc": "0.50"}),
    )
    read_pages(db, [BEGIN, END - MINUTE], catalog_of(*items, revenue_share=0.7))
    close(db, apply_catalog(db, catalog_of(*items, revenue_share=0.7)), END + 31 * DAY)
    stored = apply_catalog(db, catalog_of(*items, revenue_share=0.5))
    with SqliteClosing(db) as engine:
        found = statement(engine, stored, "daily", "2025-10")
    assert found
    assert (found.revenue_micros, found.share_ppm, found.publisher_micros) == (1_008_000, 700_000, 705_600)
    assert "Publisher's share, 70.00%: 0.7056 USD; the operator's: 0.3024 USD" in run(
        db, "statement", "2025-10", "--site", "daily"
    )
    sent = found.of("bank")
    assert (sent.closed.lines, sent.revenue_micros) == (found.closed.lines, 1_008_000)
    assert sent.publisher_micros == sent.revenue_micros, "an advertiser is not told how it is shared"
    assert found.of("nobody").revenue_micros == 0


@pytest.mark.parametrize(
    ("after", "force", "refused"),
    [
        (-MINUTE, False, "2025-10 of daily ends at 2025-10-31 18:15 UTC"),
        (-MINUTE, True, "2025-10 of daily ends at 2025-10-31 18:15 UTC"),
        (30 * DAY - MINUTE, False, "can come to count until 2025-11-30 18:15 UTC; close it then, or now"),
        (30 * DAY - MINUTE, True, ""),
        (30 * DAY, False, ""),
    ],
)
def test_a_month_is_closed_when_nothing_can_come_any_more(
    tmp_path: Path, after: timedelta, force: bool, refused: str
) -> None:
    db = tmp_path / "a.db"
    read_pages(db, [BEGIN])
    stored = apply_catalog(db, CATALOG)
    if refused:
        with pytest.raises(InvalidInput) as raised:
            close(db, stored, END + after, force=force)
        assert refused in str(raised.value)
        assert rows(db, "SELECT * FROM booking") == []
    else:
        assert close(db, stored, END + after, force=force)
        assert close(db, stored, END + after + DAY, force=force) is None


def test_where_orders_are_paid_for_their_look_back_is_waited_for(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    orders = image("orders", "300x250", click="https://bank.example/?ad={fill}")
    item: dict[str, object] = {
        "name": "orders",
        "tier": "price",
        "price": {"cpa": "9.00"},
        "creative": [orders],
    }
    catalog = catalog_of(item, line_item("wide", "price", "728x90", price={"cpm": "4.00"}))
    read_pages(db, [BEGIN, BEGIN + MINUTE], catalog)
    stored = apply_catalog(db, catalog)
    with pytest.raises(InvalidInput, match="until 2025-12-30 18:15 UTC"):
        close(db, stored, END + 31 * DAY)
    assert close(db, stored, END + 60 * DAY)


def test_what_is_restated_after_a_month_was_closed_is_a_correction_and_never_a_change(tmp_path: Path) -> None:
    db, marks = tmp_path / "a.db", tmp_path / "marks.csv"
    read_pages(db, [BEGIN, BEGIN + DAY, BEGIN + 2 * DAY])
    told = run(db, "close", "2025-10", "--author", "sita")
    assert told == "daily 2025-10 is closed: 1.512 USD for 2 prices of line items.\n"
    sent = run(db, "statement", "2025-10", "--csv")
    head = "from,until,reason\n"
    marks.write_text(f"{head}2025-10-02,2025-10-03,click farm\n")
    run(db, "refilter", "--marks", str(marks), "--apply", "--author", "ram")
    corrected = run(db, "statement", "2025-10", "--csv")
    assert corrected.startswith(sent)
    read = list(csv.DictReader(io.StringIO(corrected)))
    assert [(row["booking"], row["line_item"], row["click_count"], row["revenue"]) for row in read] == [
        ("closed", "box", "3", "1.50"),
        ("closed", "wide", "0", "0.012"),
        ("correction", "box", "-1", "-0.50"),
        ("correction", "wide", "0", "-0.004"),
    ]
    marks.write_text(head)
    run(db, "refilter", "--marks", str(marks), "--apply", "--author", "ram")
    text = run(db, "statement", "2025-10")
    assert text.count("Correction ") == 2
    assert " by ram: refilter: 3 events of 2 line items, 2025-10-02; revenue -0.504" in text
    owed = text.partition("Owed")[2].split()
    assert owed == ["Advertiser", "Closed", "Corrections", "USD", "bank", *["1.512", "0.00", "1.512"] * 2]
    assert run(db, "close", "2025-10") == "daily 2025-10 is closed, and nothing changed since.\n"
    actions = [action for (action,) in rows(db, "SELECT action FROM audit ORDER BY id")]
    assert actions == ["close", "refilter", "correct", "refilter", "correct"]


def test_what_came_to_count_after_an_early_closing_is_pending_and_then_a_correction(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    read_pages(db, [BEGIN])
    stored = apply_catalog(db, CATALOG)
    close(db, stored, END, force=True)
    read_pages(db, [BEGIN + DAY, END + 40 * DAY], None)
    with SqliteClosing(db) as engine:
        found = statement(engine, stored, "daily", "2025-10")
        assert found
        assert [(line.line_item, line.click_count) for line in found.pending] == [("box", 1), ("wide", 0)]
        assert found.revenue_micros == found.closed.revenue_micros == 504_000
        assert close(db, stored, END + 90 * DAY)
        found = statement(engine, stored, "daily", "2025-10")
    assert found
    assert (found.revenue_micros, len(found.corrections), list(found.pending)) == (1_008_000, 1, [])


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("statement", "2025-10"), "2025-10 of daily is not closed; `adserver close 2025-10 --site daily`"),
        (("close", "2025-13"), "'2025-13' is not a month such as 2026-10"),
        (("close", "2025-10", "--site", "weekly"), "'weekly' was never in the catalog (it has daily)"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, words: tuple[str, ...], fault: str) -> None:
    db = tmp_path / "a.db"
    apply_catalog(db, CATALOG)
    done = adserver(*words, "--db", str(db))
    assert done.returncode == 2
    assert fault in done.stderr
