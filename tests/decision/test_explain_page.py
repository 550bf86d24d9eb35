"""Who won a slot, who came close, and what on the page kept others away: what ad ops are told of it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from adserver.decision.context import Ask, Context, HeaderBid, Reason
from adserver.decision.explain import explain
from adserver.decision.ledger import Delivered
from adserver.decision.look import look
from adserver.decision.tally import Tally
from tests.decision.deciding import serve, steering_of
from tests.decision.explaining import DAY, FLIGHT, PAGE, SIDE, TOP, explained, own, paying, verdict
from tests.newsroom import NOW, catalog_of, line_item


def test_the_winner_and_who_was_outbid_with_their_scores() -> None:
    catalog = catalog_of(
        own(),
        paying("low", "3.10"),
        paying("high", "4.75"),
        paying("far", "9.00", target={"country": ["NP"]}),
    )
    (slot,) = explained(catalog).slots
    assert [(one.line_item, one.rule) for one in slot.line_items] == [
        ("high", "won"),
        ("low", "outbid"),
        ("own", "outbid"),
        ("far", "target.country"),
    ]
    assert slot.counts == {"won": 1, "outbid": 2, "target.country": 1}
    assert (slot.winner, slot.creative, slot.reason) == ("high", "high-728x90", None)
    high, low, house, _ = slot.line_items
    assert high.sentence == "Scored 4.75 from its price of 4.75 cpm; nothing that may serve here scored more."
    assert low.sentence == "Scored 3.10 from its price of 3.10 cpm; high scored 4.75."
    assert house.sentence == "Is a house ad, which comes after everything that pays; high scored 4.75."
    assert low.score
    assert (low.score.score, low.score.ecpm, low.score.multiplier, low.score.bid) == (3.1, 3.1, 1.0, None)


def test_scores_that_differ_are_shown_with_enough_decimals() -> None:
    page = explained(catalog_of(paying("low", "4.751"), paying("high", "4.752")))
    assert verdict(page, "low").sentence == "Scored 4.751 from its price of 4.751 cpm; high scored 4.752."


def test_clicks_show_what_they_are_expected_to_be() -> None:
    catalog = catalog_of(line_item("clicks", "price", "728x90", price={"cpc": "3.00"}))
    score = verdict(explained(catalog), "clicks").score
    assert score
    assert score.rate
    assert score.ecpm == pytest.approx(score.rate * 3.00 * 1000)


def test_conversions_show_what_they_are_expected_to_be_and_outbid_what_earns_less() -> None:
    orders = line_item("orders", "price", "728x90", price={"cpa": "90"})
    page = explained(catalog_of(orders, paying("low", "0.02")))
    found = verdict(page, "orders")
    assert found.rule == "won"
    assert found.sentence.startswith("Scored ")
    assert " from its price of 90.00 cpa, an expected " in found.sentence
    assert found.score
    assert found.score.rate
    assert found.score.ecpm == pytest.approx(found.score.rate * 90 * 1000)


def test_equals_draw_lots() -> None:
    (slot,) = explained(catalog_of(paying("a", "2.00"), paying("b", "2.00"))).slots
    assert slot.line_items[1].rule == "tied"
    assert slot.line_items[1].sentence.endswith(", the same as the winner; lots were drawn.")


def test_a_goal_bids_and_its_progress_is_told() -> None:
    goal = line_item(
        "goal", "guaranteed", "728x90", **FLIGHT, price={"cpm": "1"}, goal={"impressions": 100_000}
    )
    catalog = catalog_of(goal, paying("high", "9.00"))
    steering = steering_of(catalog, NOW)
    steering.ledger.restate([Delivered(steering.pacing.index.item_ids[0], impression_count=41_200)])
    found = verdict(explained(catalog, steering=steering), "goal")
    assert found.rule == "outbid"
    assert found.sentence.startswith("Bids ")
    assert (
        " to meet its goal (41,200 of 100,000 impressions counted, 40 % of its flight over); "
        in found.sentence
    )
    assert found.score
    assert found.score.bid == found.score.score


@pytest.mark.parametrize(
    ("keys", "delivered", "rule", "sentence"),
    [
        (
            {"tier": "guaranteed", **FLIGHT, "price": {"cpm": "1"}, "goal": {"impressions": 50}},
            {"impression_count": 50},
            "used_up.goal",
            "Its goal of 50 impressions is reached: 50 counted.",
        ),
        (
            {"tier": "price", "price": {"cpm": "1"}, "budget": "2.00"},
            {"revenue_micros": 2_000_000},
            "used_up.budget",
            "Its budget of 2.00 is spent: 2.00 earned.",
        ),
        (
            {"tier": "price", "price": {"cpm": "1"}, "daily_budget": "2.00", "budget": "9.00"},
            {"revenue_micros": 2_000_000, "day_revenue_micros": 2_000_000},
            "used_up.daily_budget",
            "Its daily budget of 2.00 is spent: 2.00 earned today.",
        ),
    ],
)
def test_limits_that_leave_no_room(
    keys: dict[str, Any], delivered: dict[str, int], rule: str, sentence: str
) -> None:
    catalog = catalog_of({**line_item("full", "", "728x90"), **keys})
    steering = steering_of(catalog, NOW)
    (account,) = [account for account in steering.ledger.accounts if account]
    steering.ledger.restate([Delivered(steering.pacing.index.item_ids[0], day=account.day, **delivered)])
    found = verdict(explained(catalog, steering=steering), "full")
    assert (found.rule, found.sentence) == (rule, sentence)


def test_what_is_served_and_not_counted_yet_is_told_too() -> None:
    goal = line_item("goal", "guaranteed", "728x90", **FLIGHT, price={"cpm": "1"}, goal={"impressions": 1})
    catalog = catalog_of(goal)
    steering = steering_of(catalog, NOW)
    serve(steering, PAGE, [TOP], NOW, Random(0))
    assert verdict(explained(catalog, steering=steering), "goal").sentence == (
        "Its goal of 1 impressions is reached: 0 counted, and 1 more served and not counted yet."
    )


def test_caps_and_what_may_not_be_counted() -> None:
    catalog = catalog_of(own(caps=[{"impressions": 2, "per": "1d"}, {"impressions": 5, "per": "12h"}]))
    steering, tally = steering_of(catalog, NOW), Tally()
    for _ in range(2):
        serve(steering, PAGE, [TOP], NOW, Random(0), tally)
    found = verdict(explained(catalog, steering=steering, tally=tally), "own")
    assert found.rule == "capped"
    assert found.sentence == (
        "This visitor has seen it, or its campaign, as often as allowed: 2 in 1 day and 5 in 12 hours."
    )
    found = verdict(explained(catalog, stored=False), "own")
    assert found.rule == "no_consent_to_count"
    assert found.sentence == (
        "Is capped per visitor (2 in 1 day and 5 in 12 hours), and nothing may be stored about this one: "
        "the page sends no tally, or consent is refused."
    )


def test_labels_and_repeats_name_where_the_other_stands() -> None:
    catalog = catalog_of(
        paying("first", "5.00", "728x90", labels=["bank"]),
        paying("second", "4.00", "300x250", labels=["bank"]),
    )
    page = explained(catalog, TOP, TOP, SIDE)
    again, side = page.slots[1:]
    assert verdict(again, "first").rule == "repeated"
    assert (
        verdict(again, "first").sentence == "Stands on this page already, in top, and may stand there once."
    )
    assert verdict(side, "second").rule == "label"
    assert verdict(side, "second").sentence == "Shares the label bank with first, which stands in top."


def test_sponsors_take_turns_and_come_before_all_others() -> None:
    catalog = catalog_of(
        line_item("half", "sponsorship", "728x90", share=0.5),
        line_item("rest", "sponsorship", "728x90", share=0.5),
        paying("high", "9.00"),
    )
    (slot,) = explained(catalog).slots
    won, high, other = slot.line_items
    assert (won.rule, won.sentence) == ("won", "It was its turn: it has 50 % of this slot's requests.")
    assert (other.rule, high.rule) == ("share", "sponsored")
    assert other.sentence == f"Has 50 % of this slot's requests; this was the turn of {won.line_item}."
    assert high.sentence == f"The slot went to the sponsor {won.line_item}, whose turn it was."
    assert won.score is None


def test_a_roadblock_stands_in_all_of_its_slots_or_says_why_not() -> None:
    both = paying("both", "3.00", "728x90", "300x250", together=True)
    found = verdict(explained(catalog_of(both, own())), "both")
    assert (found.rule, found.sentence[:35]) == ("won", "Takes all of its slots, with which ")
    aimed = paying("both", "3.00", "728x90", "300x250", together=True, target={"slot": ["top", "side"]})
    alone = verdict(explained(catalog_of(aimed)), "both")
    assert alone.rule == "roadblock"
    assert alone.sentence == "Takes all of its slots or none: this page does not ask for side."
    narrow = paying("both", "3.00", "728x90", together=True)
    page = explained(catalog_of(narrow), TOP, SIDE)
    assert verdict(page.slots[0], "both").sentence == (
        "Takes all of its slots or none: it cannot serve in side (see there)."
    )
    rich = paying("rich", "9.00", "300x250")
    beaten = explained(catalog_of(both, rich), TOP, SIDE)
    assert verdict(beaten, "both").sentence == (
        "Takes all of its 2 slots or none, and scored 6.00 in them together; what serves there now scored "
        "9.00, and the page as a whole is worth more without it."
    )
    sponsor = line_item("sponsor", "sponsorship", "300x250", share=1.0)
    taken = explained(catalog_of(both, sponsor), TOP, SIDE)
    assert verdict(taken, "both").sentence == (
        "Takes all of its 2 slots or none, and side went to the sponsor sponsor."
    )


def test_who_loses_to_a_roadblock_or_a_companion_is_told_so() -> None:
    both = paying("both", "9.00", "728x90", "300x250", together=True)
    page = explained(catalog_of(both, paying("side", "1.00", "300x250")), TOP, SIDE)
    assert verdict(page.slots[1], "side").rule == "roadblocked"
    main = paying("main", "5.00", "728x90", "300x250", companions=True)
    page = explained(catalog_of(main, paying("side", "4.00", "300x250")), TOP, SIDE)
    found = verdict(page.slots[1], "side")
    assert (found.rule, found.sentence) == (
        "companion",
        "The slot went to main, which won top and takes its other slots.",
    )
    assert (
        verdict(page.slots[1], "main").sentence
        == "Stands beside itself: it won top and takes its other slots."
    )


def test_a_header_bid_can_win() -> None:
    bids = [
        HeaderBid("top", "hb-1", 5_000_000, "728x90"),
        HeaderBid("top", "hb-2", 4_000_000, "728x90"),
        HeaderBid("top", "hb-3", 1_000_000, "728x90"),
        HeaderBid("top", "hb-4", 9_000_000, "300x250"),
        HeaderBid("side", "hb-5", 9_000_000, "300x250"),
    ]
    slots = [{"name": "top", "sizes": ["728x90"], "floor": "2.00"}]
    context = Context("daily", bids=bids)
    (slot,) = explained(catalog_of(paying("low", "3.00"), slot=slots), context=context).slots
    assert (slot.winner, slot.sentence) == ("hb-1", "Goes to the header bid hb-1, at 5.00 USD.")
    assert [(bid.bid, bid.rule) for bid in slot.bids] == [
        ("hb-1", "won"),
        ("hb-2", "outbid"),
        ("hb-3", "floor"),
        ("hb-4", "size"),
    ]
    assert slot.bids[1].sentence == "Offers 4.00; the header bid hb-1 offers 5.00."
    (low,) = slot.line_items
    assert low.sentence == "Scored 3.00 from its price of 3.00 cpm; the header bid hb-1 offers 5.00."


def test_what_the_catalog_does_not_know_has_no_line_items() -> None:
    page = explained(catalog_of(own()), Ask("nope"), TOP)
    assert (page.slots[0].reason, page.slots[0].sentence) == (
        Reason.UNKNOWN_SLOT,
        "Stays empty: site daily has no slot nope.",
    )
    assert page.slots[0].line_items == ()
    assert page.slots[1].winner == "own"
    nowhere = explained(catalog_of(own()), context=Context("nowhere"))
    assert nowhere.slots[0].sentence == "Stays empty: the catalog has no site nowhere."


def test_answers_are_bounded_and_can_be_narrowed() -> None:
    catalog = catalog_of(own(), paying("low", "1.00"), paying("high", "2.00"), line_item("bare", "house"))
    (slot,) = explained(catalog, limit=2).slots
    assert [one.line_item for one in slot.line_items] == ["high", "low"]
    assert (slot.left_off, sum(slot.counts.values())) == (2, 4)
    (slot,) = explained(catalog, TOP, SIDE, slot="top", item="own").slots
    assert ([one.line_item for one in slot.line_items], slot.left_off) == (["own"], 0)
    (slot,) = explained(catalog, item="bare").slots
    assert [one.rule for one in slot.line_items] == ["not_approved"]


def test_another_day_has_its_own_daily_budget_and_today_keeps_its_own() -> None:
    catalog = catalog_of(paying("daily", "1.00", daily_budget="0.001"))
    steering = steering_of(catalog, NOW)
    serve(steering, PAGE, [TOP], NOW, Random(0))
    assert verdict(explained(catalog, steering=steering), "daily").rule == "used_up.daily_budget"
    tomorrow = look(steering.decider, PAGE, [TOP], NOW + DAY, Random(0), Tally(), elsewhen=True)
    assert explain(tomorrow, catalog, limit=9).slots[0].winner == "daily"
    assert verdict(explained(catalog, steering=steering), "daily").rule == "used_up.daily_budget"


def test_what_other_workers_hold_is_told_apart_from_what_is_used_up() -> None:
    catalog = catalog_of(paying("short", "1.00", budget="0.001"), paying("long", "1.00", budget="9"))
    steering = steering_of(catalog, NOW, workers=2)
    short, long = (explained(catalog, steering=steering, item=name) for name in ("short", "long"))
    assert [verdict(one, name).rule for one, name in ((short, "short"), (long, "long"))] == ["used_up"] * 2
    assert "other workers hold" in verdict(long, "long").sentence
    index = steering.pacing.index
    position = [item.name for item in index.items].index("short")
    steering.ledger.grant(index.item_ids[position], 1, scarce=True)
    steering.ledger.renew_closed()
    assert explained(catalog, steering=steering).slots[0].winner == "short"
    serve(steering, PAGE, [TOP], NOW, Random(0))
    assert verdict(explained(catalog, steering=steering), "short").rule == "used_up.budget"
