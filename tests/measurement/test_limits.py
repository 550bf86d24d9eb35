"""Catalogs → limits: each unit of a goal, budgets of nothing at all, and line items that are archived."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from adserver.engines.sqlite_limits import Limit
from adserver.measurement.event import Kind
from adserver.measurement.limits import limits_of
from tests.newsroom import apply_catalog, catalog_of, line_item

FLIGHT = {"start": datetime(2026, 11, 1, tzinfo=UTC), "end": datetime(2026, 12, 1, tzinfo=UTC)}
CPM = {"price": {"cpm": "4.50"}}
SOLD = catalog_of(
    line_item("shown", "guaranteed", "728x90", goal={"impressions": 10}, **CPM, **FLIGHT),
    line_item("seen", "guaranteed", "728x90", goal={"viewables": 20}, **CPM, **FLIGHT),
    line_item("clicked", "guaranteed", "728x90", goal={"clicks": 30}, **CPM, **FLIGHT),
    line_item("spent", "price", "728x90", budget="500.000001", **CPM),
    line_item("daily", "price", "728x90", budget="500", daily_budget="25.00", **CPM),
    line_item("nothing", "price", "728x90", budget="0", **CPM),
    line_item("free", "price", "728x90", **CPM),
    line_item("house", "house", "728x90"),
)
EXPECTED = {
    "shown": (Kind.IMPRESSION, 10, None, None),
    "seen": (Kind.VIEWABLE, 20, None, None),
    "clicked": (Kind.CLICK, 30, None, None),
    "spent": (0, None, 500_000_001, None),
    "daily": (0, None, 500_000_000, 25_000_000),
    "nothing": (0, None, 0, None),
}


def test_every_goal_and_budget_is_a_limit_also_when_the_line_item_is_gone(tmp_path: Path) -> None:
    stored = apply_catalog(tmp_path / "a.db", SOLD)
    limits = [Limit(stored.ids["line_item", name], *limit) for name, limit in EXPECTED.items()]
    assert limits_of(stored) == limits
    archived = apply_catalog(tmp_path / "a.db", catalog_of())
    assert not list(archived.catalog.line_items())
    assert limits_of(archived) == limits
