"""Bids on virtual time: each line item's own goal is met by its own bid, and nothing happens at midnight.

Two incidents of other ad servers are played here: line items that stop at midnight because next to nothing is
due then, and line items of one campaign of which one gets twice its goal and the other nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adserver.catalog.model import Catalog
from adserver.clock import local_day
from tests.decision.market import SECTIONS, Market, Minute, served_of
from tests.newsroom import catalog_of, line_item

ZONE = ZoneInfo("Asia/Kathmandu")
#: Midnight in Kathmandu, 18:15 UTC, before a Monday.
START = datetime(2026, 11, 22, 18, 15, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTES_PER_DAY = 1440
#: What the rivals pay on average.
RIVALS_CPM = 0.5 + 0.25 * 4.5


def booking(name: str, goal: int, days: float = 10, **keys: Any) -> dict[str, Any]:
    """A guaranteed line item from START on."""
    fixed: dict[str, Any] = {"price": {"cpm": "2"}, "start": START, "end": START + days * DAY}
    return line_item(name, "guaranteed", "728x90", **{**fixed, "goal": {"impressions": goal}, **keys})


def spender(name: str, **budgets: Any) -> dict[str, Any]:
    """A line item of tier price with a budget of some kind: a thousand fills cost 3."""
    return line_item(name, "price", "728x90", price={"cpm": "3"}, **budgets)


def market_of(*items: dict[str, Any]) -> Catalog:
    """Line items among rivals that pay from 0.50 to 2.75, one in each section, and house ads."""
    rivals = [
        line_item(
            f"rival-{n}",
            "price",
            "728x90",
            price={"cpm": f"{0.5 + 0.25 * n:.2f}"},
            target={"section": [section]},
        )
        for n, section in enumerate(SECTIONS)
    ]
    return catalog_of(*items, *rivals, line_item("own", "house", "728x90"))


def hour(at: datetime) -> int:
    return at.astimezone(ZONE).hour


def by_day(night: float, day: float) -> Callable[[datetime], float]:
    """Pages per minute: few from eleven at night to five in the morning, local time."""
    return lambda at: night if hour(at) < 5 or hour(at) >= 23 else day


def due(minutes: Sequence[Minute], part: Sequence[Minute], size: int) -> float:
    """How much of a size belongs into a part of some minutes, by their pages."""
    return size * sum(minute.pages for minute in part) / sum(minute.pages for minute in minutes)


@pytest.mark.parametrize("name", ["daily", "even"])
def test_midnight_changes_nothing(name: str) -> None:
    """In Kathmandu, where it is 18:15 UTC, at a quarter of the day's traffic, which two days taught."""
    item = booking(name, 20_000) if name == "even" else spender(name, daily_budget="6")
    minutes = Market(market_of(item), START).play(2 * MINUTES_PER_DAY + 180, by_day(6, 24))
    midnight = 2 * MINUTES_PER_DAY
    assert (
        hour(minutes[midnight].at) == 0
        and local_day(minutes[midnight].at, ZONE) == local_day(START, ZONE) + 2
    )
    assert served_of(minutes[midnight : midnight + 10], name) >= 1
    yesterday = minutes[midnight - MINUTES_PER_DAY : midnight]
    night = minutes[midnight : midnight + 120]
    expected = due(yesterday, night, served_of(yesterday, name))
    assert 0.5 * expected < served_of(night, name) < 1.6 * expected
    bids = [minute.bids[name] for minute in minutes[midnight - 60 : midnight + 60]]
    assert max(bids) < 2 * min(bids)
    steps = [after / before for before, after in pairwise(bids)]
    assert min(steps) > 0.75 and max(steps) < 1.34


@pytest.mark.parametrize("name", ["daily", "even"])
def test_a_night_without_anybody_leaves_bids_as_they_were(name: str) -> None:
    """Once it is known that nobody comes from midnight to five, and when they come again, all serve."""
    item = booking(name, 12_000) if name == "even" else spender(name, daily_budget="3.6")
    market = Market(market_of(item), START)
    awake = lambda at: 0 if hour(at) < 5 else 16  # noqa: E731
    market.play(2 * MINUTES_PER_DAY, awake)
    before = market.bids()[name]
    night = market.play(300, awake)
    assert sum(minute.pages for minute in night) == 0
    # A budget is drawn to what the plan says, which is what the rivals pay on average, and not beyond it.
    most = 2 * before if name == "even" else RIVALS_CPM / 3
    assert 0.5 * before < market.bids()[name] < most
    morning = market.play(60, awake)
    assert served_of(morning[:10], name) >= 1
    assert served_of(morning, name) > 0.4 * 60 * 1200 / (19 * 60)


def test_hours_before_the_first_page_leave_bids_as_they_begin() -> None:
    """A server that is started at midnight, and asked for nothing until five."""
    market = Market(market_of(booking("even", 12_000), spender("daily", daily_budget="3.6")), START)
    before = market.bids()
    market.play(300, lambda at: 0)
    assert market.bids() == before


@pytest.mark.parametrize("name", ["late", "spent"])
def test_a_flight_that_begins_at_midnight_serves_within_minutes(name: str) -> None:
    """Next to nothing is due yet then, and nothing is known of how often it can serve."""
    begin = START + DAY
    flight: dict[str, Any] = {"start": begin, "end": begin + 10 * DAY}
    item = booking(name, 10_000, **flight) if name == "late" else spender(name, budget="30", **flight)
    market = Market(market_of(item), START)
    before = market.play(MINUTES_PER_DAY, by_day(6, 24))
    after = market.play(180, by_day(6, 24))
    assert served_of(before, name) == 0
    assert served_of(after[:10], name) >= 1
    expected = due(before, after, 1000)
    assert 0.5 * expected < served_of(after, name) < 5 * expected


@pytest.mark.parametrize(("large", "small"), [(6000, 2000), (6000, 12), (40, 3)])
def test_two_goals_of_one_campaign_are_each_met_by_its_own_bid(large: int, small: int) -> None:
    """With one and the same targeting: none gets what belongs to the other, at half time or in the end."""
    catalog = market_of(booking("large", large, days=2), booking("small", small, days=2))
    minutes = Market(catalog, START, seed=large).play(2 * MINUTES_PER_DAY, by_day(3, 12))
    half = minutes[:MINUTES_PER_DAY]
    for name, goal in (("large", large), ("small", small)):
        assert served_of(minutes, name) == goal
        if goal > 100:
            expected = due(minutes, half, goal)
            assert 0.8 * expected < served_of(half, name) < 1.4 * expected


def test_two_budgets_of_one_campaign_are_each_spent_by_its_own_multiplier() -> None:
    flight: dict[str, Any] = {"start": START, "end": START + 2 * DAY}
    large, small = spender("large", budget="18", **flight), spender("small", budget="1.5", **flight)
    minutes = Market(market_of(large, small), START).play(2 * MINUTES_PER_DAY, by_day(3, 12))
    half = minutes[:MINUTES_PER_DAY]
    for name, fills in (("large", 6000), ("small", 500)):
        assert 0.98 * fills <= served_of(minutes, name) <= fills
        assert 0.7 * fills / 2 < served_of(half, name) < 1.5 * fills / 2


def test_who_needs_more_bids_more() -> None:
    """Two with the same goal, of which one has half of the pages: it has to win twice as many of them."""
    narrow = {"section": list(SECTIONS[5:])}
    catalog = market_of(booking("wide", 3000, days=2), booking("narrow", 3000, days=2, target=narrow))
    market = Market(catalog, START)
    market.play(MINUTES_PER_DAY, lambda at: 10)
    bids = market.bids()
    assert bids["narrow"] > 1.2 * bids["wide"]


def test_frontloaded_runs_ahead_of_even_and_asap_takes_all_it_can() -> None:
    items = [booking(pacing, 3000, days=4, pacing=pacing) for pacing in ("even", "frontloaded", "asap")]
    minutes = Market(market_of(*items), START).play(MINUTES_PER_DAY, lambda at: 8)
    even, front, asap = (served_of(minutes, name) for name in ("even", "frontloaded", "asap"))
    assert 700 < even < front < asap == 3000
    assert served_of(minutes[:400], "asap") > 2500


def test_what_cannot_be_met_takes_all_there_is_and_its_bid_stays_within_bounds() -> None:
    market = Market(market_of(booking("greedy", 1_000_000, days=2)), START)
    minutes = market.play(600, lambda at: 8)
    later = minutes[300:]
    assert served_of(later, "greedy") > 0.95 * sum(minute.pages for minute in later)
    assert market.bids()["greedy"] < 1e9
