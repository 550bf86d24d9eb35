"""For random catalogs and requests: the bitmap index finds what a plain loop finds; no rule is broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.catalog.model import Catalog, Tier
from adserver.decision.context import Ask, BidFill, Context, Fill, Reason
from adserver.decision.tally import Tally
from tests import strategies as words
from tests.decision.deciding import EXPECTED_CTR, serve, steering_of
from tests.decision.oracle import passing, sizes

FIRST = datetime(2026, 10, 15, tzinfo=UTC)


@st.composite
def requests(draw: st.DrawFn, catalog: Catalog) -> tuple[Context, list[Ask], datetime]:
    """A page request that the catalog's line items often match, at a time when some of them are in flight."""
    site = draw(st.sampled_from(catalog.site))
    context = Context(
        site=site.name,
        section=draw(st.none() | st.sampled_from(words.SECTIONS)),
        topics=draw(st.lists(st.sampled_from(words.TOPICS), max_size=3)),
        values=draw(
            st.dictionaries(
                st.sampled_from(sorted(words.VALUES)), st.sampled_from(["x", "y", "z"]) | st.just(["x", "y"])
            )
        ),
        country=draw(st.none() | st.sampled_from(words.COUNTRIES)),
        device=draw(st.none() | st.sampled_from(["desktop", "mobile", "tablet"])),
    )
    asks = st.builds(
        Ask,
        slot=st.sampled_from([slot.name for slot in site.slot] or ["none"]),
        sizes=st.none() | st.lists(st.sampled_from(words.SIZES), max_size=4).map(tuple),
        width=st.none() | st.sampled_from([320, 728, 1000]),
    )
    flights = [edge for _, _, item in catalog.line_items() for edge in (item.start, item.end) if edge]
    edges = [edge for edge in flights if FIRST < edge < FIRST + timedelta(days=90)]
    anywhere = st.integers(0, 90 * 86_400_000).map(lambda ms: FIRST + timedelta(milliseconds=ms))
    near = st.sampled_from(edges).flatmap(
        lambda edge: st.sampled_from([edge - timedelta(microseconds=1), edge, edge + timedelta(minutes=1)])
    )
    now = draw(anywhere | near if edges else anywhere)
    return context, draw(st.lists(asks, min_size=1, max_size=5)), now


MANY = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(draws=st.data())
def test_the_index_finds_what_a_plain_loop_finds(draws: st.DataObject) -> None:
    catalog = draws.draw(words.catalogs())
    if not catalog.site:
        return
    items = {item.name: item for _, _, item in catalog.line_items()}
    tiers = {name: item.tier for name, item in items.items()}
    for _ in range(4):
        context, asks, now = draws.draw(requests(catalog))
        slots = {slot.name: slot for site in catalog.site if site.name == context.site for slot in site.slot}
        steering = steering_of(catalog, now)
        spent = {
            item.name
            for item, shut in zip(steering.pacing.index.items, steering.ledger.closed, strict=True)
            if shut
        }
        decisions = serve(steering, context, asks, now, Random(draws.draw(st.integers(0, 9))))
        used = [decision.choice.item.name for decision in decisions if isinstance(decision, Fill)]
        alone = [name for name in used if not items[name].together]
        assert len(set(alone)) == len(alone), (
            "no line item stands twice on a page unless it takes a set of slots"
        )
        assert not spent.intersection(used)
        labels = {label for name in used for label in items[name].labels}
        assert len(labels) == sum(len(set(items[name].labels)) for name in set(used)), "no label stands twice"
        for ask, decision in zip(asks, decisions, strict=True):
            if ask.slot not in slots:
                assert decision.slot_id is None
                continue
            eligible = passing(catalog, context, ask, now, expected_ctr=EXPECTED_CTR)
            free = {
                name
                for name in eligible.difference(used, spent)
                if tiers[name] is not Tier.SPONSORSHIP
                and not items[name].together
                and labels.isdisjoint(items[name].labels)
            }
            if isinstance(decision, Fill):
                choice = decision.choice
                assert choice.item.name in eligible
                assert choice.creative in choice.item.creative
                assert choice.creative.size in sizes(slots[ask.slot], ask)
                assert choice.item.tier is not Tier.HOUSE or {tiers[name] for name in free} <= {Tier.HOUSE}
                continue
            assert not isinstance(decision, BidFill)
            assert not free
            assert (decision.reason is Reason.NO_SIZE) == (not sizes(slots[ask.slot], ask))
            left = (Reason.REPEATED, Reason.NO_TURN, Reason.USED_UP)
            assert (decision.reason in left) == bool(eligible)


@MANY
@given(draws=st.data())
def test_the_same_seed_gives_the_same_page(draws: st.DataObject) -> None:
    """Also from a decider that has answered other requests before: what it remembers changes nothing."""
    catalog = draws.draw(words.catalogs())
    if not catalog.site:
        return
    warm = steering_of(catalog, FIRST)
    wanted = [draws.draw(requests(catalog)) for _ in range(4)]
    for context, asks, now in (*wanted, *reversed(wanted)):
        fresh = steering_of(catalog, FIRST).decider.decide(context, asks, now, Random(5), Tally()).decisions
        assert warm.decider.decide(context, asks, now, Random(5), Tally()).decisions == fresh
        louder = context._replace(
            topics=[*context.topics, "nobody-asks"], values={**(context.values or {}), "q": "1"}
        )
        assert warm.decider.decide(louder, asks, now, Random(5), Tally()).decisions == fresh
