"""Projections of goals: bounded, in order, exact where days are alike; and who is told of what."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adserver.catalog.model import Catalog
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_progress import DayCounts, Progress
from adserver.measurement.pace import Pace, Paces, project
from adserver.measurement.period import Period
from adserver.measurement.report import Choice
from tests.newsroom import apply_catalog, line_item

NOW = datetime(2026, 11, 11, 18, 15, tzinfo=UTC)  # midnight in Kathmandu: ten of twenty days are over
FLIGHT = {"start": "2026-11-02T00:00:00+05:45", "end": "2026-11-22T00:00:00+05:45"}
counts = st.integers(0, 10**6)


@given(
    delivered=counts,
    goal=st.integers(1, 10**6),
    days=st.lists(counts, max_size=7),
    left=st.floats(0, 400),
    since=st.floats(0, 400),
)
@example(delivered=1, goal=1, days=[], left=0.0, since=1e-309)
def test_a_projection_lies_between_what_is_delivered_and_the_goal(
    delivered: int, goal: int, days: list[int], left: float, since: float
) -> None:
    low, likely, high = project(delivered, goal, days, left, since_start=since)
    assert delivered <= low <= likely <= high <= max(goal, delivered)


def test_days_that_are_alike_go_on_exactly() -> None:
    assert project(1000, 5000, [100] * 7, 10, since_start=10) == (2000, 2000, 2000)


def test_the_range_is_wider_the_more_days_vary_and_the_more_are_left() -> None:
    calm = project(0, 10**6, [90, 110] * 3, 4, since_start=6)
    wild = project(0, 10**6, [10, 190] * 3, 4, since_start=6)
    longer = project(0, 10**6, [90, 110] * 3, 16, since_start=6)
    assert calm[1] == wild[1] == 400
    assert wild[2] - wild[0] > calm[2] - calm[0]
    assert longer[2] - longer[0] == pytest.approx(2 * (calm[2] - calm[0]), abs=2)


class Counted:
    """What is counted of line items: so much in all, and so much on each of the last days."""

    def __init__(self, stored: Stored, each: dict[str, tuple[int, int]]) -> None:
        self._items = {stored.ids["line_item", name]: pair for name, pair in each.items()}

    async def read_progress(self) -> Sequence[Progress]:
        return [Progress(item, whole, 0, 0, 0, 0) for item, (whole, _) in self._items.items()]

    async def day_counts(self, first_day: int, items: Sequence[int]) -> Sequence[DayCounts]:
        return [
            DayCounts(item, first_day + day, daily, 0, 0)
            for item, (_, daily) in self._items.items()
            if item in items
            for day in range(9)  # today is among them, and does not count
        ]


def goals(**targets: list[str] | None) -> Catalog:
    """Two sites, and line items of 10,000 impressions that run on the sites named."""
    sites = [
        {
            "name": name,
            "domain": f"{name}.example",
            "timezone": "Asia/Kathmandu",
            "currency": "USD",
            "slot": [{"name": "top", "sizes": ["728x90"]}],
        }
        for name in ("daily", "weekly")
    ]
    items = [
        line_item(
            name,
            "guaranteed",
            "728x90",
            price={"cpm": "4"},
            goal={"impressions": 10_000},
            **FLIGHT,
            **({"target": {"site": target}} if target else {}),
        )
        for name, target in targets.items()
    ]
    campaigns = [{"name": "autumn", "line_item": items}]
    return Catalog.model_validate({"site": sites, "advertiser": [{"name": "bank", "campaign": campaigns}]})


def pace_of(path: Path, sites: frozenset[str] | None, **each: tuple[int, int]) -> Pace:
    """What the site `daily` is told."""
    catalog = goals(slow=["daily"], fast=["daily"], both=None, elsewhere=["weekly"])
    stored = apply_catalog(path, catalog)
    site = stored.catalog.site[0]
    today = NOW.astimezone(site.zone).date()
    choice = Choice(site, Period(site.zone, today - timedelta(days=6), today), "7d", NOW)
    return asyncio.run(Paces(Counted(stored, each), lambda: stored).read(choice, sites))


def test_what_falls_shortest_of_its_goal_comes_first(tmp_path: Path) -> None:
    pace = pace_of(tmp_path / "a.db", None, slow=(3000, 300), fast=(5200, 500), both=(100, 10))
    told = [(line.line_item, line.due_count, line.projected_count) for line in pace.lines]
    assert told == [("both", 5000, 200), ("slow", 5000, 6000), ("fast", 5000, 10_000)]
    assert [line.will_miss for line in pace.lines] == [True, True, False]
    assert pace.lines[1].short_count == 4000


def test_who_may_not_read_every_site_of_a_line_item_is_not_told_of_it(tmp_path: Path) -> None:
    pace = pace_of(tmp_path / "a.db", frozenset(["daily"]), slow=(1, 1), both=(1, 1))
    assert {line.line_item for line in pace.lines} == {"slow", "fast"}
    everything = pace_of(tmp_path / "b.db", frozenset(["daily", "weekly"]), slow=(1, 1))
    assert {line.line_item for line in everything.lines} == {"slow", "fast", "both"}


def test_of_all_sites_those_that_end_first_come_first(tmp_path: Path) -> None:
    catalog = goals(slow=["daily"], both=None, elsewhere=["weekly"])
    item = catalog.advertiser[0].campaign[0].line_item[2]
    sooner = item.model_copy(update={"end": NOW + timedelta(days=1)})
    campaign = catalog.advertiser[0].campaign[0]
    kept = campaign.model_copy(update={"line_item": (*campaign.line_item[:2], sooner)})
    advertiser = catalog.advertiser[0].model_copy(update={"campaign": (kept,)})
    stored = apply_catalog(tmp_path / "a.db", catalog.model_copy(update={"advertiser": (advertiser,)}))
    counted = Counted(stored, {"slow": (9_000, 900), "elsewhere": (5_000, 500), "both": (5_000, 500)})
    lines = asyncio.run(Paces(counted, lambda: stored).in_flight(NOW))
    assert [line.line_item for line in lines] == ["elsewhere", "both", "slow"]
    # Nearly all of it is delivered already, though only half of the flight is over, and so it will be met.
    assert [line.will_miss for line in lines] == [True, False, False]
