"""Decisions of a page, case by case; the cases double as documentation."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adserver.catalog.model import Catalog
from adserver.decision.context import Ask, Context, Fill
from tests.decision.deciding import chi_square, serve, served, steering_of
from tests.newsroom import NOW, catalog_of, image, line_item

TOP, SIDE = Ask("top"), Ask("side")
PAGE = Context("daily")
#: 99.99 % points of the chi-square distribution for 1 to 3 degrees of freedom.
CHI_SQUARE_LIMITS = {1: 15.14, 2: 18.42, 3: 21.11}


def decide(
    catalog: Catalog, *asks: Ask, context: Context = PAGE, now: datetime = NOW, seed: int = 0
) -> list[str]:
    """Names of what fills each slot."""
    decisions = serve(steering_of(catalog, now), context, asks or (TOP,), now, Random(seed))
    return [served(decision) for decision in decisions]


def guaranteed(name: str, goal: int = 1000, **keys: object) -> dict[str, object]:
    """A guaranteed line item whose flight covers NOW."""
    flight = {"start": NOW - timedelta(days=1), "end": NOW + timedelta(days=9)}
    fixed: dict[str, Any] = {**flight, "price": {"cpm": "1"}, "goal": {"impressions": goal}, **keys}
    return line_item(name, "guaranteed", "728x90", **fixed)


def test_sponsors_go_first_and_house_ads_last() -> None:
    tiers = [
        line_item("sponsor", "sponsorship", "728x90", share=1.0),
        guaranteed("goal"),
        line_item("paying", "price", "728x90", price={"cpm": "0.05"}),
        line_item("backfill", "network", "728x90", price={"cpm": "0.04"}),
        line_item("own", "house", "728x90"),
    ]
    names = ["sponsor", "goal", "paying", "backfill", "own"]
    for n, name in enumerate(names):
        assert decide(catalog_of(*reversed(tiers[n:]))) == [name]
    assert decide(catalog_of(*tiers), *[TOP] * 6) == [*names, "(repeated)"]


def test_what_a_network_is_estimated_to_pay_competes_with_what_others_pay() -> None:
    paying = line_item("paying", "price", "728x90", price={"cpm": "1.50"})
    assert decide(catalog_of(paying, line_item("net", "network", "728x90", price={"cpm": "1.60"}))) == ["net"]
    assert decide(catalog_of(paying, line_item("net", "network", "728x90", price={"cpm": "1.40"}))) == [
        "paying"
    ]


def test_within_price_the_highest_ecpm_wins() -> None:
    catalog = catalog_of(
        line_item("cheap", "price", "728x90", price={"cpm": "2.00"}),
        line_item("clicks", "price", "728x90", price={"cpc": "3.00"}),
        line_item("viewed", "price", "728x90", price={"vcpm": "4.00"}),  # 70 % are expected to be viewed
    )
    assert decide(catalog, TOP, TOP, TOP) == ["clicks", "viewed", "cheap"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-01T00:00:00+05:45", "flight"),
        ("2026-10-31T23:59:59+05:45", "(no_eligible)"),
        ("2026-11-30T23:59:59+05:45", "flight"),
        ("2026-12-01T00:00:00+05:45", "(no_eligible)"),
    ],
)
def test_flights_are_half_open(at: str, expected: str) -> None:
    start, end = (datetime(2026, month, 1, tzinfo=ZoneInfo("Asia/Kathmandu")) for month in (11, 12))
    catalog = catalog_of(line_item("flight", "house", "728x90", start=start, end=end))
    assert decide(catalog, now=datetime.fromisoformat(at)) == [expected]


def test_dates_need_no_rebuilt_index() -> None:
    """One decider sees line items start and stop, in any order of time."""
    start, end = NOW, NOW + timedelta(hours=1)
    steering = steering_of(catalog_of(line_item("hour", "house", "728x90", start=start, end=end)), NOW)
    second = timedelta(seconds=1)
    for at, live in (
        (end, False),
        (start, True),
        (start - second, False),
        (end - second, True),
        (end, False),
    ):
        (decision,) = serve(steering, PAGE, [TOP], at, Random(0))
        assert isinstance(decision, Fill) is live, at


def test_a_paused_line_item_and_one_without_creatives_do_not_serve() -> None:
    paused = line_item("paused", "house", "728x90", paused=True)
    bare = line_item("bare", "house")
    assert decide(catalog_of(paused, bare)) == ["(no_eligible)"]


@pytest.mark.parametrize(
    ("local", "live"),
    [
        ("2026-11-24 08:00", True),  # a Tuesday
        ("2026-11-24 07:59", False),
        ("2026-11-24 19:59", True),
        ("2026-11-24 20:00", False),
        ("2026-11-28 12:00", False),
        ("2026-11-27 23:30", True),  # Friday night
        ("2026-11-28 01:59", True),
        ("2026-11-28 02:00", False),
    ],
)
def test_hours_are_the_sites(local: str, live: bool) -> None:
    target = {"hours": ["mon-fri 08:00-20:00", "fri 22:00-02:00"]}
    catalog = catalog_of(line_item("office", "house", "728x90", target=target))
    now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Asia/Kathmandu"))
    assert decide(catalog, now=now.astimezone(UTC)) == ["office" if live else "(no_eligible)"]


@pytest.mark.parametrize(
    ("target", "context", "passes"),
    [
        ({"section": ["world"]}, Context("daily", section="world"), True),
        ({"section": ["world"]}, Context("daily", section="sport"), False),
        ({"section": ["world"]}, Context("daily"), False),
        ({"topic": ["tea", "trade"]}, Context("daily", topics=["trade", "x"]), True),
        ({"topic": ["tea"]}, Context("daily"), False),
        ({"country": ["NP"]}, Context("daily", country="NP"), True),
        ({"country": ["NP"]}, Context("daily", country=None), False),
        ({"not": {"country": ["IN"]}}, Context("daily", country="NP"), True),
        ({"not": {"country": ["IN"]}}, Context("daily", country="IN"), False),
        ({"not": {"country": ["IN"]}}, Context("daily", country=None), False),
        ({"device": ["mobile"]}, Context("daily", device="mobile"), True),
        ({"device": ["mobile"]}, Context("daily", device=None), False),
        ({"not": {"topic": ["crime"]}}, Context("daily", topics=["crime", "x"]), False),
        ({"not": {"topic": ["crime"]}}, Context("daily"), True),
        ({"values": {"author": ["x"]}}, Context("daily", values={"author": "x"}), True),
        ({"values": {"author": ["x"]}}, Context("daily", values={"author": ["y", "x"]}), True),
        ({"values": {"author": ["x"]}}, Context("daily", values={"editor": "x"}), False),
        ({"values": {"a": ["1"], "b": ["2"]}}, Context("daily", values={"a": "1"}), False),
        ({"section": ["world"], "country": ["NP"]}, Context("daily", section="world", country="IN"), False),
        ({"not": {"section": ["a"], "topic": ["b"]}}, Context("daily", section="z", topics=["b"]), False),
        ({"site": ["daily"], "slot": ["top"]}, PAGE, True),
        ({"slot": ["side"]}, PAGE, False),
        ({"not": {"slot": ["top"]}}, PAGE, False),
    ],
)
def test_targeting(target: dict[str, object], context: Context, passes: bool) -> None:
    catalog = catalog_of(line_item("aimed", "house", "728x90", target=target))
    assert decide(catalog, context=context) == ["aimed" if passes else "(no_eligible)"]


def test_a_floor_keeps_cheap_line_items_out_and_says_so() -> None:
    slots = [{"name": "top", "sizes": ["728x90"], "floor": "2.00"}]
    cheap = line_item("cheap", "price", "728x90", price={"cpm": "1.99"})
    assert decide(catalog_of(cheap, slot=slots)) == ["(below_floor)"]
    assert decide(catalog_of(cheap, line_item("own", "house", "728x90"), slot=slots)) == ["own"]
    assert decide(catalog_of(line_item("fair", "price", "728x90", price={"cpm": "2.00"}), slot=slots)) == [
        "fair"
    ]


def test_a_bank_does_not_stand_beside_a_conflict_unless_it_opts_in() -> None:
    conflict = Context("daily", topics=["conflict", "border"])
    bank = line_item("bank", "house", "728x90")
    catalog = catalog_of(bank, exclude_topics=["conflict"])
    assert decide(catalog) == ["bank"]
    assert decide(catalog, context=conflict) == ["(topic_excluded)"]
    relief = line_item("relief", "house", "728x90", allow_topics=["conflict"])
    assert decide(catalog_of(bank, relief, exclude_topics=["conflict"]), context=conflict) == ["relief"]


def test_only_creatives_that_the_slot_and_the_page_can_show() -> None:
    creatives = [image("wide", "970x250"), image("narrow", "728x90"), image("foreign", "300x600")]
    steering = steering_of(catalog_of({"name": "own", "tier": "house", "creative": creatives}), NOW)
    for ask, sizes in (
        (Ask("top"), {"970x250", "728x90"}),
        (Ask("top", sizes=("728x90", "300x600")), {"728x90"}),
        (Ask("top", width=969), {"728x90"}),
        (Ask("top", sizes=("970x250",), width=970), {"970x250"}),
    ):
        drawn = {serve(steering, PAGE, [ask], NOW, Random(seed))[0] for seed in range(40)}
        assert {d.choice.creative.size for d in drawn if isinstance(d, Fill)} == sizes


@pytest.mark.parametrize("weights", [(1, 1), (1, 2, 3)])
def test_creatives_are_drawn_by_weight(weights: tuple[int, ...]) -> None:
    creatives = [image(f"c{n}", "728x90", weight=weight) for n, weight in enumerate(weights)]
    steering = steering_of(catalog_of({"name": "own", "tier": "house", "creative": creatives}), NOW)
    rng, counts = Random(1), Counter[str]()
    for _ in range(6000):
        (decision,) = serve(steering, PAGE, [TOP], NOW, rng)
        assert isinstance(decision, Fill)
        counts[decision.choice.creative.name] += 1
    shares = {f"c{n}": weight / sum(weights) for n, weight in enumerate(weights)}
    assert chi_square(counts, shares) < CHI_SQUARE_LIMITS[len(weights) - 1]


def test_sponsors_take_their_share_of_voice_and_leave_the_rest() -> None:
    catalog = catalog_of(
        line_item("half", "sponsorship", "728x90", share=0.5),
        line_item("fifth", "sponsorship", "728x90", share=0.2),
        line_item("own", "house", "728x90"),
    )
    steering, rng, counts = steering_of(catalog, NOW), Random(2), Counter[str]()
    for _ in range(6000):
        counts[served(serve(steering, PAGE, [TOP], NOW, rng)[0])] += 1
    assert chi_square(counts, {"half": 0.5, "fifth": 0.2, "own": 0.3}) < CHI_SQUARE_LIMITS[2]


def test_equals_draw_lots() -> None:
    names = ["a", "b", "c"]
    catalog = catalog_of(*(line_item(name, "price", "728x90", price={"cpm": "1"}) for name in names))
    steering = steering_of(catalog, NOW)
    rng, counts = Random(4), Counter[str]()
    for _ in range(6000):
        counts[served(serve(steering, PAGE, [TOP], NOW, rng)[0])] += 1
    assert chi_square(counts, dict.fromkeys(names, 1 / 3)) < CHI_SQUARE_LIMITS[2]
