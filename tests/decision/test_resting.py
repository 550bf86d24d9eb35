"""Line items without rivals: they last as long as those that have some; who is in a hurry does not wait."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from adserver.decision.context import Reason
from adserver.decision.standing import RESTING
from adserver.decision.steering import Steering
from tests.decision.deciding import serve, served
from tests.decision.explaining import PAGE, SIDE, TOP, explained, verdict
from tests.decision.market import Market, served_of
from tests.decision.test_pacing import DAY, START, booking, spender
from tests.newsroom import catalog_of, line_item

#: Pages per minute.
TRAFFIC = 2.0
PAGES_PER_DAY = 1440 * TRAFFIC
HOUSE = line_item("own", "house", "728x90")


@pytest.mark.parametrize(
    ("item", "size"),
    [
        (booking("alone", 3_000, 10), 3_000),
        (booking("alone", 12_000, 10), 12_000),
        (spender("alone", budget="9", start=START, end=START + 10 * DAY), 3_000),
    ],
    ids=["a small goal", "a large goal", "a budget"],
)
def test_who_has_no_rivals_is_served_evenly_all_the_same(item: dict[str, object], size: int) -> None:
    minutes = Market(catalog_of(item, HOUSE), START).play(3 * 1440, lambda _: TRAFFIC)
    for days in (1, 2, 3):
        got = served_of(minutes[: days * 1440], "alone")
        assert abs(got / size - days / 10) < 0.13
    assert served_of(minutes, "own") > 0.25 * 3 * PAGES_PER_DAY


def test_a_daily_budget_without_rivals_lasts_for_the_day() -> None:
    minutes = Market(catalog_of(spender("alone", daily_budget="3"), HOUSE), START).play(
        2 * 1440, lambda _: TRAFFIC
    )
    afternoon = served_of(minutes[1440 + 720 :], "alone")
    assert afternoon > 0.3 * 1000


def test_who_is_in_a_hurry_does_not_rest() -> None:
    minutes = Market(catalog_of(booking("alone", 3_000, 10, pacing="asap"), HOUSE), START).play(
        1440, lambda _: TRAFFIC
    )
    assert served_of(minutes, "alone") > 0.95 * PAGES_PER_DAY


def test_a_worker_that_a_quarter_of_the_pages_ask_delivers_a_quarter() -> None:
    market = Market(catalog_of(booking("alone", 24_000, 10), HOUSE), START)
    market.steering.take_share(0.25)
    got = served_of(market.play(2 * 1440, lambda _: TRAFFIC), "alone")
    assert 0.25 * 24_000 * 0.1 < got < 0.25 * 24_000 * 0.35


def resting() -> Steering:
    """A line item far ahead of its time, with a slot of its own."""
    market = Market(catalog_of(booking("alone", 1_000, 10)), START)
    for _ in range(1440):
        market.play(1, lambda _: TRAFFIC)
        if RESTING in market.steering.decider.standing.bids:
            return market.steering
    raise AssertionError("it never rested")


def test_a_slot_of_somebody_who_rests_stays_empty_and_says_so() -> None:
    steering = resting()
    catalog = catalog_of(booking("alone", 1_000, 10))
    (decision,) = serve(steering, PAGE, [TOP], START + timedelta(hours=5), Random(0))
    assert served(decision) == f"({Reason.RESTING})"
    found = explained(catalog, steering=steering)
    assert (found.slots[0].winner, verdict(found, "alone").rule) == (None, "resting")
    assert "ahead of its time" in verdict(found, "alone").sentence


def test_a_roadblock_rests_whole() -> None:
    item = booking("alone", 2_000, 10, together=True)
    item["creative"] = line_item("alone", "house", "728x90", "300x250")["creative"]
    market = Market(catalog_of(item, HOUSE), START, asks=[TOP, SIDE])
    minutes = market.play(1440, lambda _: TRAFFIC)
    assert 100 < served_of(minutes, "alone") < 460
    assert all(minute.served["alone"] % 2 == 0 for minute in minutes)
