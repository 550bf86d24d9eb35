"""No decision breaks a rule of the design, for random catalogs, pages and visitors; selection is a loop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adserver.catalog.model import Catalog, LineItem, PriceModel, Tier
from adserver.clock import local_day, to_us
from adserver.decision.context import Ask, Context, Decision, Fill, HeaderBid, NoFill, Reason
from adserver.decision.steering import Steering
from adserver.decision.tally import Tally, TallyKey
from tests import strategies as words
from tests.decision.asking import asks, busy, contexts, eager, near
from tests.decision.deciding import EXPECTED_CTR, serve, steering_of
from tests.decision.oracle import passing
from tests.decision.rules import Rules, Visitor
from tests.newsroom import catalog_of, line_item

KEY = TallyKey(b"a key for tests of rules", max_chars=1500)
FIRST, LAST = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def edges(catalog: Catalog) -> list[datetime]:
    """Starts and ends of flights, of this year."""
    both = [edge for _, _, item in catalog.line_items() for edge in (item.start, item.end) if edge]
    return [edge for edge in both if FIRST < edge < LAST]


@MANY
@given(draws=st.data())
def test_selection_by_bitmaps_is_a_plain_loop_over_all_line_items(draws: st.DataObject) -> None:
    catalog = draws.draw(words.catalogs(groups=True, pages=True) | eager())
    if not catalog.site:
        return
    for _ in range(4):
        context = draws.draw(contexts(catalog))
        asked = draws.draw(asks(catalog, context.site))
        now = draws.draw(near(words.NOW, edges(catalog)))
        steering = steering_of(catalog, now)
        names = [item.name for item in steering.pacing.index.items]
        page = steering.decider.decide(context, asked, now, Random(1), Tally())
        known = [ask for ask in asked if ask.slot != "none"]
        for ask, (candidates, _) in zip(known, page.placed, strict=True):
            found = {name for position, name in enumerate(names) if candidates.eligible >> position & 1}
            assert found == passing(catalog, context, ask, now, expected_ctr=EXPECTED_CTR)


class Served(NamedTuple):
    """One fill, and when its impression was counted."""

    name: str
    at: datetime
    counted: bool


class Book:
    """All fills of all line items, and what of a limit is gone by a plain loop over them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.fills: list[Served] = []

    def over(self, item: LineItem, now: datetime) -> list[str]:
        """Limits that are exceeded by what is counted and what is out and not expired."""
        gone = [
            f
            for f in self.fills
            if f.name == item.name and (f.counted or now - f.at < timedelta(seconds=600))
        ]
        found = []
        if item.goal and item.goal.impressions is not None and len(gone) > item.goal.impressions:
            found.append(f"goal of {item.name}")
        if not item.price or item.price.model is not PriceModel.CPM:
            return found
        each = item.price.per_event_micros
        if item.budget is not None and len(gone) * each > item.budget:
            found.append(f"budget of {item.name}")
        zone = self._zone(item)
        today = [f for f in gone if local_day(f.at, zone) == local_day(now, zone)]
        if item.daily_budget is not None and len(today) * each > item.daily_budget:
            found.append(f"daily budget of {item.name}")
        return found

    def _zone(self, item: LineItem) -> ZoneInfo:
        wanted = item.target.site
        return next(s.zone for s in self._catalog.site if wanted is None or s.name in wanted)

    def count(self, steering: Steering, number: int) -> None:
        """The impression of a fill is on disk, at last."""
        fill = self.fills[number]
        if fill.counted:
            return
        self.fills[number] = fill._replace(counted=True)
        index = steering.pacing.index
        position = next(n for n, item in enumerate(index.items) if item.name == fill.name)
        earns = index.choices[position][0]
        steering.count(
            earns.item_id,
            "impressions",
            1,
            earns.price_micros if earns.model is PriceModel.CPM else 0,
            day=local_day(fill.at, index.zones[position]),
            minute=to_us(fill.at) // 60_000_000,
        )


class Play:
    """Pages of one catalog in service: two visitors carry their tallies along, a third keeps none."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self.rules, self.book = Rules(catalog, EXPECTED_CTR), Book(catalog)
        self.now, self.rng = words.NOW, Random(seed)
        self.steering = steering_of(catalog, self.now)
        self.visitors = [Visitor(), Visitor(), Visitor(stored=False)]
        self._texts = ["", "", ""]
        self._limited = {
            name
            for name, item in self.rules.items.items()
            if item.goal or item.budget is not None or item.daily_budget is not None
        }

    def page(self, context: Context, asked: Sequence[Ask]) -> Sequence[Decision]:
        """One page, of which no rule may be broken, and all that follows from serving it."""
        self.now += self.rng.choice(PAUSES)
        who, now_s = self.rng.choice([0, 0, 0, 1, 2]), to_us(self.now) // 1_000_000
        visitor, decider = self.visitors[who], self.steering.decider
        tally = KEY.read(self._texts[who], now_s) if visitor.stored else None
        page = decider.decide(context, asked, self.now, self.rng, tally)
        subjects = decider.serve(page, self.now)
        assert self.rules.broken(context, asked, self.now, visitor, page.decisions, self._limited) == []
        for fill in page.decisions:
            if isinstance(fill, Fill):
                name = fill.choice.item.name
                self.book.fills.append(Served(name, self.now, counted=False))
                visitor.seen += [(subject, self.now) for subject, _ in self.rules.subjects(name)]
        assert visitor.stored or not subjects
        if tally is not None:
            tally.add(subjects, now_s)
            self._texts[who] = KEY.write(tally, self.steering.pacing.index.caps, now_s).decode()
        served = {fill.choice.item.name for fill in page.decisions if isinstance(fill, Fill)}
        assert [over for name in served for over in self.book.over(self.rules.items[name], self.now)] == []
        return page.decisions

    def afterwards(self) -> None:
        """Some impressions are counted, soon, late or never; at times a minute ends."""
        fills = self.book.fills
        for _ in range(self.rng.randrange(3)):
            if fills:
                soon = self.rng.random() < 0.5
                self.book.count(self.steering, len(fills) - 1 if soon else self.rng.randrange(len(fills)))
        if self.rng.random() < 0.5:
            self.steering.tick(self.now)


PAUSES = [
    timedelta(0),
    timedelta(seconds=1),
    timedelta(seconds=50),
    timedelta(minutes=3),
    timedelta(minutes=29, seconds=59),
    timedelta(hours=3, microseconds=1),
]


@settings(MANY, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking takes minutes
@given(draws=st.data())
def test_no_page_of_a_sequence_breaks_a_rule(draws: st.DataObject) -> None:
    catalog = draws.draw(eager())
    if not catalog.site:
        return
    some = [draws.draw(contexts(catalog)) for _ in range(3)]
    pages = [(context, draws.draw(asks(catalog, context.site))) for context in some]
    play = Play(catalog, draws.draw(st.integers(0, 999)))
    for number in range(30):
        play.page(*pages[number % len(pages)])
        play.afterwards()


def kinds_of(rules: Rules, decision: Decision) -> set[str]:
    """What a decision is a case of."""
    if not isinstance(decision, Fill):
        return {decision.reason if isinstance(decision, NoFill) else "header bid"}
    item = decision.choice.item
    kinds = {item.tier, *(key for key in ("together", "companions", "repeat") if getattr(item, key))}
    return kinds | ({"caps"} if rules.subjects(item.name) else set())


@pytest.mark.parametrize("seed", range(4))
def test_no_page_of_a_busy_site_breaks_a_rule(seed: int) -> None:
    """A catalog in which everything meets: four hundred pages of it, on which each kind of case comes up."""
    play, rng, met = Play(busy(), seed), Random(seed), set[str]()
    names = ["top", "side", "foot", "none"]
    for _ in range(400):
        bids = [HeaderBid(name, "hb", rng.randrange(2_500_000), "300x250") for name in names * 2]
        context = Context(
            "daily",
            rng.choice([None, "world", "sport"]),
            rng.choice([(), (), ("crime",)]),
            theme=rng.choice([None, "dark"]),
            bids=rng.choice([(), (), bids]),
            network=rng.random() < 0.7,
        )
        asked = [Ask(name) for name in rng.choices(names, weights=[4, 4, 4, 1], k=rng.randrange(5))]
        if rng.random() < 0.1:
            asked.append(Ask("top", ("1x1",), rng.choice([None, 300])))
        for decision in play.page(context, asked):
            met |= kinds_of(play.rules, decision)
        play.afterwards()
    assert met >= {*Tier, "header bid", "together", "companions", "repeat", "caps"}
    assert met >= {Reason.NO_SIZE, Reason.UNKNOWN_SLOT, Reason.REPEATED, Reason.TOPIC_EXCLUDED}


@pytest.mark.parametrize(
    ("keys", "most"),
    [
        ({"goal": {"impressions": 2}}, 2),
        ({"caps": [{"impressions": 3, "per": "1d"}, {"impressions": 9, "per": "7d"}]}, 3),
        ({"goal": {"impressions": 3}, "caps": [{"impressions": 2, "per": "30m"}]}, 2),
        ({"repeat": False}, 1),
    ],
)
@pytest.mark.parametrize("set_of", ["repeat", "companions"])
def test_one_page_shows_a_line_item_as_often_as_its_limits_allow(
    keys: dict[str, Any], most: int, set_of: str
) -> None:
    flight = {"start": words.NOW, "end": words.NOW + timedelta(days=1), "price": {"cpm": "1"}}
    fixed: dict[str, Any] = {set_of: True, **flight, "goal": {"impressions": 99}}
    item = line_item("often", "guaranteed", "728x90", **{**fixed, **keys})
    most = 5 if set_of == "companions" and "repeat" in keys else most
    decisions = serve(
        steering_of(catalog_of(item), words.NOW), Context("daily"), [Ask("top")] * 5, words.NOW, Random(1)
    )
    assert sum(isinstance(decision, Fill) for decision in decisions) == most


@MANY
@given(draws=st.data())
def test_the_same_snapshot_request_and_luck_give_the_same_page(draws: st.DataObject) -> None:
    """From a server that was asked other things before, and looked at without serving, as from a new one."""
    catalog = draws.draw(eager())
    if not catalog.site:
        return
    context = draws.draw(contexts(catalog))
    asked, seed = draws.draw(asks(catalog, context.site)), draws.draw(st.integers(0, 99))
    warm = steering_of(catalog, words.NOW)
    for _ in range(3):
        other = draws.draw(contexts(catalog))
        warm.decider.decide(other, draws.draw(asks(catalog, other.site)), words.NOW, Random(seed), Tally())
    fresh = steering_of(catalog, words.NOW)
    pages = [one.decider.decide(context, asked, words.NOW, Random(seed), Tally()) for one in (warm, fresh)]
    assert pages[0].decisions == pages[1].decisions
