"""Views and caps → how many impressions the caps let through at most, and how many overran a window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.simulation.traffic import Flags, Ints, Views


def most_under_caps(views: Views, seen: Flags, caps: Sequence[tuple[int, int]], start_us: int) -> int:
    """An upper bound on the impressions of a line item that may serve once on each of the views `seen`.

    From `start_us` on, time is cut into pieces as long as a cap's window: it allows no more in any of them.
    """
    chosen = np.flatnonzero(seen)
    if not len(chosen):
        return 0
    at_us = views.at_us[chosen] - start_us
    bounds = [_most(views.visitor[chosen], at_us // window_us, most) for most, window_us in caps]
    return min(bounds)


def _most(visitor: Ints, piece: Ints, most: int) -> int:
    keys = visitor * (int(piece.max()) + 1) + piece
    _, counts = np.unique(keys, return_counts=True)
    return int(np.minimum(counts, most).sum())


def overruns(at_us: Ints, visitor: Ints, caps: Sequence[tuple[int, int]]) -> int:
    """How many impressions of one line item came while its visitor's sliding window was already full."""
    order = np.lexsort((at_us, visitor))
    at_us, visitor = at_us[order], visitor[order]
    broken = np.zeros(len(order), dtype=np.bool_)
    for most, window_us in caps:
        if len(order) > most:
            same = visitor[most:] == visitor[:-most]
            broken[most:] |= same & (at_us[most:] - at_us[:-most] < window_us)
    return int(broken.sum())
