"""Numbers and periods as people read them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from adserver.measurement.report import Choice, Comparison, Period, Report, Site, Totals
from dashboards import words
from tests.dashboards.world import NOW, site

SITE = Site.model_validate(site("daily", "Asia/Kathmandu"))


@pytest.mark.parametrize(
    ("micros", "currency", "text"),
    [
        (1_234_500_000, "USD", "$1,234.50"),
        (5_000, "USD", "$0.01"),
        (4_999, "USD", "$0.00"),
        (1_500_000, "JPY", "¥2"),
        (1_000_000, "NPR", "NPR\u00a01.00"),
        (10**15, "EUR", "€1,000,000,000.00"),
        (None, "USD", "–"),
    ],
)
def test_money(micros: int | None, currency: str, text: str) -> None:
    assert words.money(micros, currency) == text


@pytest.mark.parametrize(
    ("now", "earlier", "text", "direction"),
    [
        (104, 100, "+4.0%", 1),
        (150, 100, "+50%", 1),
        (90, 100, "−10%", -1),
        (10**9 + 1, 10**9, "±0%", 0),
        (2_000, 100, "+1,900%", 1),
    ],
)
def test_amounts_change_in_percent(now: int, earlier: int, text: str, direction: int) -> None:
    assert words.amount_change(now, earlier) == words.Change(text, direction)


def test_nothing_is_compared_with_nothing() -> None:
    assert words.amount_change(5, 0) is None
    assert words.amount_change(None, 5) is None
    assert words.rate_change(None, 0.5) is None


def test_rates_change_in_points() -> None:
    assert words.rate_change(0.525, 0.5) == words.Change("+2.5\u00a0pp", 1)
    assert words.rate_change(0.0046, 0.0051, 2) == words.Change("−0.05\u00a0pp", -1)
    assert words.rate_change(0.50001, 0.5) == words.Change("±0\u00a0pp", 0)


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (date(2026, 11, 24), date(2026, 11, 24), "Tue 24 Nov 2026"),
        (date(2026, 11, 18), date(2026, 11, 24), "18–24 Nov 2026"),
        (date(2026, 10, 28), date(2026, 11, 24), "28 Oct – 24 Nov 2026"),
        (date(2025, 12, 28), date(2026, 1, 3), "28 Dec 2025 – 3 Jan 2026"),
    ],
)
def test_ranges_say_no_part_twice(first: date, last: date, text: str) -> None:
    assert words.day_range(first, last) == text


def report(earlier: Totals | None, preset: str | None = "7d", **given: Any) -> Report:
    """Seven days with today, six of them complete."""
    zone = SITE.zone
    period = Period(zone, given.get("first", date(2026, 11, 18)), date(2026, 11, 24))
    over = Period(zone, date(2026, 11, 18), date(2026, 11, 23))
    total = Totals(2000, 1500, 1234, 1000, 600, 8, 10_000_000)
    comparison = Comparison(over, over.compared_with(), total, earlier) if earlier is not None else None
    return Report(Choice(SITE, period, preset, NOW), total, (), (), (), (), comparison)


@pytest.mark.parametrize(
    ("earlier", "compared"),
    [
        (8_000_000, "The 6 complete days earned 25% more than 11–16 Nov 2026 ($8.00)."),
        (20_000_000, "The 6 complete days earned 50% less than 11–16 Nov 2026 ($20.00)."),
        (10_000_000, "The 6 complete days earned the same as 11–16 Nov 2026 ($10.00)."),
        (0, ""),
    ],
)
def test_the_headline_answers_what_was_earned_and_whether_it_is_normal(earlier: int, compared: str) -> None:
    earned, comparison = words.headline(report(Totals(revenue_micros=earlier)))
    assert earned == "You earned $10.00 from 1,234 impressions in the last 7 days."
    assert comparison == compared


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("today", "impressions today."),
        ("last-month", "impressions in November 2026."),
        ("28d", "impressions in the last 28 days."),
        (None, "impressions during 18–24 Nov 2026."),
    ],
)
def test_every_period_can_be_said(preset: str | None, said: str) -> None:
    assert words.headline(report(None, preset))[0].endswith(said)


def test_what_is_compared_is_said() -> None:
    assert words.comparison_note(report(None)).startswith("Today is not over")
    nothing = words.comparison_note(report(Totals()))
    assert nothing == "Nothing was counted during 11–16 Nov 2026, so nothing is compared."
    days = words.comparison_note(report(Totals(request_count=1)))
    assert days == "Changes compare 18–23 Nov 2026 with 11–16 Nov 2026: complete days, the same weekdays."


def test_the_newest_event_is_told_in_the_sites_time() -> None:
    choice = report(None).choice
    assert words.freshness(replace(choice, last_event_at=NOW)) == "last event today, 15:37"
    earlier = replace(choice, last_event_at=datetime.fromisoformat("2026-11-23T18:14:00+00:00"))
    assert words.freshness(earlier) == "last event Mon 23 Nov 2026, 23:59"
    assert words.freshness(choice) == "no event yet"
