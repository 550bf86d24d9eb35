"""The days to come, played: goals that can be met are met, and those that cannot are short by what lacks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from adserver.catalog.model import Catalog
from adserver.decision.context import Context
from adserver.decision.steering import Learned
from adserver.decision.traffic import Level
from adserver.decision.week import Sample
from adserver.forecast.ahead import Outlook, TooFewPages, play
from tests.decision.deciding import steering_of
from tests.decision.explaining import TOP, own, paying
from tests.newsroom import NOW, catalog_of, line_item

DAY = timedelta(days=1)
#: 60 pages an hour, evenly: 1,440 a day, of which half are of one section.
SAMPLES = [
    Sample(NOW - timedelta(minutes=10 * n), Context("daily", ("world", "sport")[n % 2]), (TOP,))
    for n in range(1008)
]


def outlook(
    *items: dict[str, object],
    days: int = 2,
    samples: Sequence[Sample] = SAMPLES,
    most_pages: int = 10**6,
    catalog: Catalog | None = None,
) -> dict[str, Outlook]:
    """Who will have what in so many days, by name."""
    learned = Learned(level=Level(60 * 48, 48), samples=list(samples))
    steering = steering_of(catalog or catalog_of(*items), NOW, learned)
    found = play(steering, samples, NOW, days, Random(1), most_pages=most_pages)
    return {one.item.name: one for one in found}


def goal(name: str, impressions: int, end: timedelta = 2 * DAY, **keys: Any) -> dict[str, object]:
    """A guaranteed line item that began now."""
    terms = {"goal": {"impressions": impressions}, "price": {"cpm": "2"}, "start": NOW, "end": NOW + end}
    return line_item(name, "guaranteed", "728x90", **terms, **keys)


def test_what_can_be_met_is_met_and_house_has_the_rest() -> None:
    found = outlook(goal("small", 900), goal("large", 1_200), own())
    small, large = found["small"], found["large"]
    assert (small.will_count, small.missed, small.ended) == (900, 0.0, True)
    assert (large.will_count, large.due) == (1_200, 1_200.0)
    assert small.revenue_micros == 900 * 2_000
    assert found["own"].will_count == pytest.approx(2 * 1_440 - 2_100, rel=0.1)


def test_who_asks_for_more_than_there_is_comes_first_and_is_told_by_how_much() -> None:
    found = outlook(goal("sport", 2_000, target={"section": ["sport"]}), goal("small", 500), own())
    sport = found["sport"]
    assert next(iter(found)) == "sport"
    assert sport.missed == pytest.approx(1 - 1_440 / 2_000, abs=0.05)
    assert found["small"].missed == 0.0


def test_a_flight_that_runs_on_is_judged_by_its_due() -> None:
    long = outlook(goal("long", 5_000, 10 * DAY), own())["long"]
    assert (long.ended, long.until) == (False, NOW + 2 * DAY)
    assert long.due == pytest.approx(1_000, rel=0.01)
    assert long.will_count == pytest.approx(1_000, rel=0.3)


def test_clicks_and_budgets_go_by_what_was_learned() -> None:
    clicks = line_item("clicks", "price", "728x90", price={"cpc": "1.00"}, budget="5")
    found = outlook(clicks, paying("budget", "1.00", budget="0.5"), own(), days=5)
    # A rate of 0.001 is expected of what was never shown.
    assert found["budget"].will_count == 500
    assert found["clicks"].revenue_micros == pytest.approx(found["clicks"].will_count * 1_000, rel=0.01)
    assert 0 < found["clicks"].revenue_micros <= 5_000_000


def test_pages_beyond_the_bound_stand_for_several() -> None:
    every, some = (
        outlook(goal("small", 900), goal("large", 1_200), own(), most_pages=most) for most in (10**6, 300)
    )
    for name in ("small", "large"):
        assert some[name].will_count == every[name].will_count
    assert some["own"].will_count == pytest.approx(every["own"].will_count, rel=0.3)


def test_without_pages_nothing_is_said() -> None:
    with pytest.raises(TooFewPages, match="3 page requests are known"):
        outlook(own(), samples=SAMPLES[:3])
    with pytest.raises(TooFewPages):
        outlook(own(), samples=[sample._replace(context=Context("other")) for sample in SAMPLES])
