"""Leases against a plain list of what was served: no limit is exceeded, however late events are counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.clock import local_day, to_us
from adserver.decision.ledger import Delivered, Ledger, terms_of
from adserver.decision.rates import Rates, Seen
from tests.decision.deciding import index_of
from tests.newsroom import NOW, catalog_of, line_item

ZONE = ZoneInfo("Asia/Kathmandu")
MINUTE = timedelta(minutes=1)
#: 23:50 in Kathmandu, ten minutes before its midnight.
EVENING = datetime(2026, 11, 24, 18, 5, tzinfo=UTC)
PRICE = 2000
FLIGHT: dict[str, Any] = {"start": NOW - timedelta(days=1), "end": NOW + timedelta(days=9)}


class Book:
    """A ledger of one line item, and a plain list of its fills: [served at, counted or not]."""

    def __init__(self, now: datetime, tier: str = "price", **limits: object) -> None:
        item = line_item("one", tier, "728x90", **{"price": {"cpm": "2"}, **limits})
        self.index = index_of(catalog_of(item))
        self.item_id = self.index.item_ids[0]
        self.ledger = Ledger(reservation_seconds=600, offer_seconds=60)
        self.ledger.bind(self.index, terms_of(self.index))
        self.ledger.tick(now)
        self.fills: list[list[datetime]] = []
        self.offers: list[datetime] = []
        self.counted: list[datetime] = []

    def serve(self, now: datetime, most: int, *, offered: bool = False) -> int:
        """Serve up to so many fills, or offer so many bids, as far as there is room; how many."""
        if to_us(now) >= self.ledger.next_midnight_us:
            self.ledger.begin_days(now)
        for served in range(most):
            if self.ledger.closed[0]:
                return served
            self.ledger.take(0, to_us(now), offered=offered)
            if offered:
                self.offers.append(now)
            else:
                self.fills.append([now])
        return most

    def count(self, number: int) -> None:
        """The impression of one of the fills that are open is on disk."""
        (served_at,) = self.fills.pop(number)
        self.counted.append(served_at)
        self.told(served_at)

    def told(self, served_at: datetime, count: int = 1, revenue_micros: int = PRICE) -> None:
        """Tell the ledger of impressions of fills of an instant, and of what each earned."""
        day, minute = local_day(served_at, ZONE), to_us(served_at) // 60_000_000
        self.ledger.count(self.item_id, "impressions", count, count * revenue_micros, day=day, minute=minute)

    def out(self, now: datetime) -> list[datetime]:
        """When what is served or offered, not counted and not expired was served."""
        fills = [at for (at,) in self.fills if now - at < timedelta(seconds=600)]
        return fills + [at for at in self.offers if now - at < timedelta(seconds=60)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["serve", "serve", "offer", "win", "count newest", "count any", "tick", "minutes", "minutes"]
        ),
        st.integers(0, 9),
    ),
    min_size=12,
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, size=st.integers(1, 12), seed=st.integers(0, 99))
def test_what_is_counted_and_what_is_out_never_exceed_a_limit(
    steps: list[tuple[str, int]], size: int, seed: int
) -> None:
    """Whenever something is served: events come late, after their fill has expired, or never; days end."""
    goal = Book(EVENING, "guaranteed", goal={"impressions": size}, **FLIGHT)
    budget = Book(EVENING, budget=f"{(size * PRICE + PRICE // 2) / 1e6:.6f}")
    daily = Book(EVENING, daily_budget=f"{size * PRICE / 1e6:.6f}")
    for book in (goal, budget, daily):
        now, rng = EVENING, Random(seed)
        for step, amount in steps:
            if step == "minutes":
                now += amount * MINUTE
            elif step == "tick":
                book.ledger.tick(now)
            elif step == "win" and book.offers:
                book.counted.append(book.offers[-1])
                book.told(book.offers.pop())
            elif step in ("serve", "offer") and book.serve(now, amount, offered=step == "offer"):
                today = local_day(now, ZONE)
                spent = [*book.counted, *book.out(now)]
                if book is daily:
                    spent = [at for at in spent if local_day(at, ZONE) == today]
                assert len(spent) <= size
            elif step.startswith("count") and book.fills:
                book.count(-1 if step == "count newest" else rng.randrange(len(book.fills)))


def test_a_limit_is_met_to_the_last_fill() -> None:
    book = Book(NOW, budget="0.007")
    assert book.serve(NOW, 9) == 3
    for _ in range(3):
        book.count(-1)
    assert book.serve(NOW, 9) == 0
    assert [book.ledger.room(0), *book.ledger.closed] == [0, 1]


def test_what_is_never_drawn_is_free_again_after_its_time() -> None:
    book = Book(NOW, "guaranteed", goal={"impressions": 5}, **FLIGHT)
    assert book.serve(NOW, 3) == 3
    assert book.serve(NOW + 5 * MINUTE, 9) == 2
    for minutes, room in ((10, 0), (11, 3), (14, 3), (16, 5)):
        book.ledger.tick(NOW + minutes * MINUTE)
        assert book.ledger.room(0) == room
        assert bool(book.ledger.closed[0]) is (room == 0)


def test_what_is_offered_and_lost_is_free_again_sooner() -> None:
    book = Book(NOW, "guaranteed", goal={"impressions": 6}, **FLIGHT)
    assert book.serve(NOW, 2) == 2
    assert book.serve(NOW, 9, offered=True) == 4
    book.told(NOW)
    for minutes, room in ((1, 0), (2, 3), (10, 3), (11, 5)):
        book.ledger.tick(NOW + minutes * MINUTE)
        assert book.ledger.room(0) == room


def test_an_event_of_an_old_fill_frees_nobody_elses_reservation() -> None:
    """It came from before a restart, or after it had expired: what is out now is out still."""
    book = Book(NOW, "guaranteed", goal={"impressions": 5}, **FLIGHT)
    assert book.serve(NOW, 2) == 2
    book.told(NOW - 30 * MINUTE)
    assert book.ledger.room(0) == 5 - 2 - 1


def test_a_day_begins_with_its_whole_budget_and_what_is_out_of_yesterday_stays_yesterdays() -> None:
    book = Book(EVENING, budget="0.024", daily_budget="0.010")
    assert book.serve(EVENING, 9) == 5
    midnight = EVENING + 10 * MINUTE
    assert book.serve(midnight - timedelta(microseconds=1), 9) == 0
    assert book.serve(midnight, 3) == 3
    # Five impressions of yesterday come in; today three are out, and two may follow.
    for _ in range(5):
        book.count(0)
    assert book.ledger.room(0) == 2
    assert book.serve(midnight, 9) == 2
    # The budget of the whole flight holds 12: five were counted, five are out.
    assert book.serve(midnight + timedelta(days=1), 9) == 2


def test_yesterdays_fills_that_expire_leave_todays_reserved() -> None:
    book = Book(EVENING, daily_budget="0.010")
    assert book.serve(EVENING + 9 * MINUTE, 4) == 4
    assert book.serve(EVENING + 12 * MINUTE, 9) == 5
    book.ledger.tick(EVENING + 21 * MINUTE)
    assert book.ledger.room(0) == 0
    book.ledger.tick(EVENING + 23 * MINUTE)
    assert book.ledger.room(0) == 5


def test_a_restart_takes_over_what_the_log_says() -> None:
    book = Book(NOW, budget="0.020", daily_budget="0.010")
    day = local_day(NOW, ZONE)
    book.ledger.restate([Delivered(book.item_id, 7, 0, 0, 7 * PRICE, day, 3 * PRICE), Delivered(99, 1)])
    assert book.ledger.room(0) == 2
    book.ledger.restate([Delivered(book.item_id, 7, 0, 0, 7 * PRICE, day - 1, 7 * PRICE)])
    assert book.ledger.room(0) == 2, "what is known of today does not change by what is said of yesterday"
    book.ledger.restate([Delivered(book.item_id, 9, 0, 0, 9 * PRICE, day, 0)])
    assert book.ledger.room(0) == 1


def test_a_new_catalog_keeps_what_was_delivered_and_what_is_out() -> None:
    book = Book(NOW, budget="0.020")
    assert book.serve(NOW, 4) == 4
    book.count(-1)
    more = index_of(catalog_of(line_item("one", "price", "728x90", price={"cpm": "2"}, budget="0.010")))
    assert more.item_ids == book.index.item_ids
    book.ledger.bind(more, terms_of(more))
    assert book.ledger.room(0) == 5 - 4
    without = index_of(catalog_of(line_item("one", "price", "728x90", price={"cpm": "2"})))
    book.ledger.bind(without, terms_of(without))
    assert book.ledger.room(0) == inf
    assert not book.ledger.closed[0]


def test_a_goal_of_clicks_has_room_for_the_fills_that_bring_them() -> None:
    book = Book(NOW, "guaranteed", price={"cpc": "0.10"}, goal={"clicks": 10}, **FLIGHT)
    creative = book.index.choices[0][0].creative_id
    learned = [(0, 0, 500, 500), (100, 1000, 100, 110), (0, 10_000, 10_000, inf)]
    for clicks, impressions, least, most in learned:
        seen = [Seen(1, creative, impressions, 0, 0, clicks)]
        book.ledger.learn(Rates(book.index, seen, Random(1), expected_ctr=0.02, expected_viewability=0.7))
        assert least <= book.ledger.room(0) <= most
    room = book.ledger.room(0)
    assert book.serve(NOW, 3) == 3
    assert book.ledger.room(0) == room - 3
    for minute_of in (NOW, NOW, NOW):
        book.told(minute_of)
    assert book.ledger.room(0) == room, "three fills were shown, and none was clicked yet"
    minute = to_us(NOW) // 60_000_000
    book.ledger.count(book.item_id, "clicks", 10, 1_000_000, day=0, minute=minute)
    assert book.ledger.room(0) == 0


def test_what_is_left_but_pays_no_whole_click_is_as_good_as_spent() -> None:
    """8.03 at 0.65 a click: twelve clicks, and 23 cents that nobody is ever served for."""
    book = Book(NOW, price={"cpc": "0.65"}, budget="8.03")
    book.ledger.learn(Rates(book.index, [], Random(1), expected_ctr=0.02, expected_viewability=0.7))
    day, minute = local_day(NOW, ZONE), to_us(NOW) // 60_000_000
    for clicks in range(12):
        assert book.ledger.room(0) == (12 - clicks) * 50
        assert book.serve(NOW, 1) == 1
        book.told(NOW, 1, revenue_micros=0)
        book.ledger.count(book.item_id, "clicks", 1, 650_000, day=day, minute=minute)
    assert book.ledger.room(0) == 0
    for now in (NOW, NOW + timedelta(hours=3), NOW + timedelta(days=2)):
        book.ledger.tick(now)
        assert book.serve(now, 9) == 0


def test_a_budget_for_orders_has_room_for_the_fills_that_bring_them() -> None:
    """8 orders at one in a thousand fills; whatever others counted of it, too."""
    book = Book(NOW, price={"cpa": "10"}, budget="89")
    creative = book.index.choices[0][0].creative_id
    seen = [Seen(1, creative, 10**7, 0, 0, 0, 10_000)]
    book.ledger.learn(Rates(book.index, seen, Random(1), expected_ctr=0.02, expected_viewability=0.7))
    assert book.ledger.room(0) == pytest.approx(8_000, rel=0.01)
    book.ledger.restate([Delivered(book.item_id, 9_000, 0, 9, 70_000_000)])
    assert book.ledger.room(0) == pytest.approx(1_000, rel=0.01)
    book.ledger.restate([Delivered(book.item_id, 9_000, 0, 9, 80_000_000)])
    assert book.ledger.room(0) == 0


def test_a_view_releases_nothing_that_its_impression_has_released() -> None:
    """Also where every impression is expected to be viewed."""
    book = Book(NOW, "guaranteed", price={"vcpm": "2"}, goal={"viewables": 10}, **FLIGHT)
    book.ledger.learn(Rates(book.index, [], Random(1), expected_ctr=0.02, expected_viewability=1.0))
    assert book.serve(NOW, 4) == 4
    minute = to_us(NOW) // 60_000_000
    for unit in ("impressions", "viewables"):
        book.ledger.count(book.item_id, unit, 1, 0, day=0, minute=minute)
    assert book.ledger.room(0) == 10 - 1 - 3
