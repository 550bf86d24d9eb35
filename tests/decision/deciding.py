"""A catalog → decisions over it, with ids as the store gives them, and nothing learned yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from random import Random

from adserver.catalog.model import Catalog
from adserver.catalog.plan import flatten
from adserver.clock import to_ms
from adserver.decision.context import Ask, BidFill, Context, Decision, Fill
from adserver.decision.index import Index
from adserver.decision.steering import Expectations, Learned, Steering
from adserver.decision.tally import Tally

EXPECTED_CTR = 0.001


def index_of(catalog: Catalog) -> Index:
    """The index of a catalog that nothing was stored of."""
    ids = {path: number for number, path in enumerate(flatten(catalog), start=1)}
    return Index(catalog, ids, version=1, expected_ctr=EXPECTED_CTR)


def steering_of(
    catalog: Catalog, now: datetime, learned: Learned | None = None, seed: int = 0, *, workers: int = 1
) -> Steering:
    """What serves a catalog from an instant on, in one of so many workers."""
    expectations = Expectations(ctr=EXPECTED_CTR, worker_count=workers)
    return Steering(index_of(catalog), learned or Learned(), expectations, now, Random(seed))


def serve(
    steering: Steering,
    context: Context,
    asks: Sequence[Ask],
    now: datetime,
    rng: Random,
    tally: Tally | None = None,
) -> Sequence[Decision]:
    """Decide a page and take note that it is served. `tally` None: that of a first visit."""
    tally = Tally() if tally is None else tally
    page = steering.decider.decide(context, asks, now, rng, tally)
    tally.add(steering.decider.serve(page, now), to_ms(now) // 1000)
    return page.decisions


def served(decision: Decision) -> str:
    """Name of the line item that fills a slot, or of the header bid, or the reason in brackets."""
    if isinstance(decision, BidFill):
        return decision.bid.bid
    return decision.choice.item.name if isinstance(decision, Fill) else f"({decision.reason})"


def chi_square(counts: Counter[str], shares: dict[str, float]) -> float:
    """Pearson's statistic of counts against expected shares."""
    total = counts.total()
    return sum((counts[name] - share * total) ** 2 / (share * total) for name, share in shares.items())
