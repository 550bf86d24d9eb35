"""A catalog → a decider over it, with ids as the store gives them."""

from __future__ import annotations

from collections import Counter

from adserver.catalog.model import Catalog
from adserver.catalog.plan import flatten
from adserver.decision.context import Decision, Fill
from adserver.decision.index import Index
from adserver.decision.page import Decider

EXPECTED_CTR = 0.001


def decider_of(catalog: Catalog) -> Decider:
    """A decider over a catalog that nothing was stored of."""
    ids = {path: number for number, path in enumerate(flatten(catalog), start=1)}
    return Decider(Index(catalog, ids, version=1, expected_ctr=EXPECTED_CTR), max_memo=1000)


def served(decision: Decision) -> str:
    """Name of the line item that fills a slot, or the reason in brackets."""
    return decision.choice.item.name if isinstance(decision, Fill) else f"({decision.reason})"


def chi_square(counts: Counter[str], shares: dict[str, float]) -> float:
    """Pearson's statistic of counts against expected shares."""
    total = counts.total()
    return sum((counts[name] - share * total) ** 2 / (share * total) for name, share in shares.items())
