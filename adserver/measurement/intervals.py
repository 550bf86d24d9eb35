"""Clicks among impressions → an interval for the rate behind them that holds however often somebody looks.

A common interval is right for one look planned beforehand; whoever looks each morning and stops when two
creatives differ is misled far more often than its 5 %. This is a confidence sequence: with the probability
asked for, it holds at all looks together. It comes from the likelihood ratio of a mixture of rates against
each rate (Robbins 1970, "Statistical methods related to the law of the iterated logarithm"): rates of which
it stays below 1 / alpha are in it, by Ville's inequality.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import lgamma, log

#: The mixture: a Beta distribution about rates that ads have. Any would be right, others would be wider.
_A, _B = 0.5, 50.0
#: Halved so often, an edge is known to 1e-9.
_STEPS = 30
#: Of most creatives nothing is new since the report was last asked for.
_MOST_REMEMBERED = 8_192


@dataclass(frozen=True, slots=True)
class Interval:
    """Lowest and highest rate that the counts do not speak against."""

    low: float
    high: float


@lru_cache(_MOST_REMEMBERED)
def always_valid(count: int, whole: int, alpha: float = 0.05) -> Interval:
    """`count` of `whole`, 0 ≤ count ≤ whole → the interval that holds with probability 1 - alpha."""
    assert 0 <= count <= whole, "a part is no more than the whole"
    if not whole:
        return Interval(0.0, 1.0)
    mixture = _log_beta(_A + count, _B + whole - count) - _log_beta(_A, _B)
    bound = mixture + log(alpha)

    def inside(rate: float) -> bool:
        return _log_likelihood(count, whole, rate) > bound

    mean = count / whole
    low = 0.0 if not count else _edge(0.0, mean, inside)
    high = 1.0 if count == whole else _edge(1.0, mean, inside)
    return Interval(low, high)


def _edge(outside: float, within: float, inside: Callable[[float], bool]) -> float:
    """Where rates begin to be inside, between one that is not and one that is."""
    for _ in range(_STEPS):
        middle = (outside + within) / 2
        if inside(middle):
            within = middle
        else:
            outside = middle
    return within


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_likelihood(count: int, whole: int, rate: float) -> float:
    if rate <= 0 or rate >= 1:
        return float("-inf")
    return count * log(rate) + (whole - count) * log(1 - rate)
