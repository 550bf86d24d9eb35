"""Bids, multipliers and learned rates → one snapshot of what every line item scores in every slot.

A snapshot stands for a minute: within it the same request always gets the same answer from it.
"""

from __future__ import annotations

from random import Random

import numpy as np

from adserver.catalog.model import Tier
from adserver.decision import bitmap
from adserver.decision.arrays import Floats
from adserver.decision.index import Index, IndexedSlot
from adserver.decision.rates import Rates

#: House ads come after everything that pays, and among each other as luck has it.
HOUSE_SCORE = -1.0
#: Of a line item that is ahead of its time, and serves nothing for now.
RESTING = -2.0


class Standing:
    """What line items bid now. `bids`: of those with a goal, and `RESTING`, else NaN; `multipliers`: of what
    others pay."""

    def __init__(
        self, index: Index, rates: Rates, bids: Floats, multipliers: Floats, *, number: int, rng: Random
    ) -> None:
        assert len(bids) == len(multipliers) == len(index.items), "one bid and multiplier for each line item"
        self.number = number
        """Rises with each snapshot."""
        self.rates = rates
        self.bids = bids
        self.multipliers = multipliers
        self.jitter = np.random.default_rng(rng.getrandbits(64)).random(len(bids))
        """Who goes before whom where scores are equal and the list is cut."""
        self._house = bitmap.positions_in(index.tiers[Tier.HOUSE])
        self._scores: dict[int, Floats] = {}

    def scores(self, slot: IndexedSlot) -> Floats:
        """Score of each line item in a slot, in currency units per thousand; the highest wins."""
        scores = self._scores.get(slot.id)
        if scores is None:
            scores = self.rates.ecpms(slot) * self.multipliers
            bidding = ~np.isnan(self.bids)
            scores[bidding] = self.bids[bidding]
            scores[self._house] = HOUSE_SCORE
            self._scores[slot.id] = scores
        return scores
