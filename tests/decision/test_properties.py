"""For random catalogs and requests: the bitmap index finds what a plain loop finds; no rule is broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.catalog.model import Catalog, Tier
from adserver.decision.context import Ask, Context, Fill, Reason
from tests import strategies as words
from tests.decision.deciding import EXPECTED_CTR, decider_of
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


MANY = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(draws=st.data())
def test_the_index_finds_what_a_plain_loop_finds(draws: st.DataObject) -> None:
    catalog = draws.draw(words.catalogs())
    if not catalog.site:
        return
    decider = decider_of(catalog)
    for _ in range(4):
        context, asks, now = draws.draw(requests(catalog))
        site = next(site for site in catalog.site if site.name == context.site)
        known = {slot.name: slot for slot in site.slot}
        decisions = decider.decide(context, asks, now, Random(draws.draw(st.integers(0, 9))))
        used: set[str] = set()
        for ask, decision in zip(asks, decisions, strict=True):
            if ask.slot not in known:
                assert decision.slot_id is None
                continue
            eligible = passing(catalog, context, ask, now, expected_ctr=EXPECTED_CTR)
            tiers = {item.name: item.tier for _, _, item in catalog.line_items()}
            free = {name for name in eligible - used if tiers[name] is not Tier.SPONSORSHIP}
            if not isinstance(decision, Fill):
                assert not free
                expected = Reason.NO_SIZE if not sizes(known[ask.slot], ask) else None
                assert (decision.reason is Reason.NO_SIZE) == (expected is Reason.NO_SIZE)
                assert (decision.reason is Reason.REPEATED) == bool(eligible)
                continue
            item = decision.choice.item
            assert item.name in eligible - used
            assert decision.choice.creative in item.creative
            assert decision.choice.creative.size in sizes(known[ask.slot], ask)
            best = min((list(Tier).index(tiers[name]) for name in free), default=len(Tier))
            assert list(Tier).index(item.tier) <= best
            used.add(item.name)


@MANY
@given(draws=st.data())
def test_the_same_seed_gives_the_same_page(draws: st.DataObject) -> None:
    """Also from a decider that has answered other requests before: what it remembers changes nothing."""
    catalog = draws.draw(words.catalogs())
    if not catalog.site:
        return
    warm = decider_of(catalog)
    wanted = [draws.draw(requests(catalog)) for _ in range(4)]
    for context, asks, now in (*wanted, *reversed(wanted)):
        fresh = decider_of(catalog).decide(context, asks, now, Random(5))
        assert warm.decide(context, asks, now, Random(5)) == fresh
        louder = context._replace(
            topics=[*context.topics, "nobody-asks"], values={**(context.values or {}), "q": "1"}
        )
        assert warm.decide(louder, asks, now, Random(5)) == fresh
