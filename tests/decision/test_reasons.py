"""Sampled pages decided again: why a line item did not serve on them, and what a targeting matches."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from adserver.catalog.model import Catalog
from adserver.decision.context import Ask, Context
from adserver.decision.look import look
from adserver.decision.matching import matching
from adserver.decision.reasons import count_reasons, replay_pages
from adserver.decision.tally import Tally
from adserver.decision.verdicts import distance, judge
from adserver.decision.week import Sample
from tests.decision.asking import asks, contexts, eager
from tests.decision.deciding import steering_of
from tests.decision.explaining import SIDE, TOP, own, paying
from tests.newsroom import NOW, catalog_of

_FAMILIES = ("site", "slot", "target", "hours")


@st.composite
def asked(draw: st.DrawFn) -> tuple[Catalog, Sample]:
    """A catalog of which much serves, and a page request."""
    catalog = draw(eager())
    context = draw(contexts(catalog))
    return catalog, Sample(NOW, context, tuple(draw(asks(catalog, context.site))))


@given(asked())
def test_one_line_item_alone_is_judged_as_among_all(drawn: tuple[Catalog, Sample]) -> None:
    catalog, (_, context, slots) = drawn
    steering = steering_of(catalog, NOW)
    looked = look(steering.decider, context, slots, NOW, Random(0), Tally())
    everybody = judge(looked).rules
    for position in range(len(looked.index.items)):
        alone = judge(looked, only=position).rules
        for number, rules in everybody.items():
            assert alone[number][position] == rules[position]


@given(asked())
def test_what_a_targeting_matches_is_what_deciding_lets_pass(drawn: tuple[Catalog, Sample]) -> None:
    catalog, sample = drawn
    steering = steering_of(catalog, NOW)
    index = steering.decider.index
    looked = look(steering.decider, sample.context, sample.asks, NOW, Random(0), Tally())
    if not looked.slots:
        return
    rules = judge(looked).rules
    for position, item in enumerate(index.items):
        best = min((rules[slot.number][position] for slot in looked.slots), key=distance)
        family = best.removeprefix("not.").partition(".")[0]
        if family in ("paused", "not_started", "ended"):
            continue
        (found,) = matching(item, index, [sample]).values()
        assert found.page_count == 1
        if found.match_count:
            assert family not in (*_FAMILIES, "topic_excluded"), best
        else:
            (rule,) = found.lost
            assert distance(best) >= distance("topic_excluded" if rule == "topic_excluded" else "hours"), best


def samples(*sections: str | None) -> list[Sample]:
    return [
        Sample(NOW - timedelta(minutes=n), Context("daily", section), (TOP, SIDE))
        for n, section in enumerate(sections)
    ]


def test_reasons_are_ranked_and_each_has_an_example() -> None:
    catalog = catalog_of(
        own(target={"section": ["world", "sport"]}), paying("rival", "9", target={"section": ["sport"]})
    )
    decider = steering_of(catalog, NOW).decider
    position = next(p for p, item in enumerate(decider.index.items) if item.name == "own")
    found = replay_pages(decider, position, samples("world", "crime", "sport", "crime", None))
    assert (found.page_count, found.served_count) == (5, 1)
    assert [(one.rule, one.page_count) for one in found.hindrances] == [("target.section", 3), ("outbid", 1)]
    section, outbid = found.hindrances
    assert section.sentence == "Asks for section world or sport; this page is in section crime."
    assert (section.slot, section.sample.context.section) == ("top", "crime")
    assert "rival scored 9.00" in outbid.sentence and outbid.sample.context.section == "sport"


def test_pages_of_slots_that_are_gone_are_not_counted() -> None:
    decider = steering_of(catalog_of(own()), NOW).decider
    gone = [Sample(NOW, Context("daily"), (Ask("gone"),)), Sample(NOW, Context("elsewhere"), (TOP,))]
    found = replay_pages(decider, 0, gone)
    assert (found.page_count, found.served_count, found.hindrances) == (0, 0, [])


@given(asked())
def test_all_line_items_are_counted_by_what_each_is_judged(drawn: tuple[Catalog, Sample]) -> None:
    catalog, sample = drawn
    decider = steering_of(catalog, NOW).decider
    found = count_reasons(decider, [sample], Random(5))
    luck = Random(Random(5).getrandbits(32))
    looked = look(decider, sample.context, sample.asks, NOW, luck, Tally())
    rules = judge(looked).rules
    expected = {}
    for position, item_id in enumerate(decider.index.item_ids):
        by_slot = [rules[slot.number][position] for slot in looked.slots]
        best = min(by_slot, key=distance, default="site")
        if best not in ("site", "not.site", "ended", "not_started"):
            expected[item_id, best] = 1
    assert found == expected


def test_where_scores_are_equal_nobody_wins_every_page() -> None:
    """Each of three wins some of 120 pages and loses others."""
    catalog = catalog_of(*(paying(name, "4") for name in ("one", "two", "three")))
    steering = steering_of(catalog, NOW)
    counts = count_reasons(steering.decider, samples(*["world"] * 120), Random(1))
    won = [count for (_, rule), count in counts.items() if rule == "won"]
    assert len(won) == 3
    replayed = [replay_pages(steering.decider, position, samples(*["world"] * 120)) for position in range(3)]
    for count in (*won, *(one.served_count for one in replayed)):
        assert 0 < count < 120
