"""Impressions, views and clicks of each creative in each slot → what an impression is expected to bring.

Empirical Bayes: a slot's own rate is drawn towards what is expected of any slot, and that of a creative in it
towards the slot's, each by a gamma prior. What is learned is looked at every few minutes and then stands, so
that the same snapshot and request give the same ad.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

import numpy as np

from adserver.decision.arrays import Floats
from adserver.decision.context import Choice
from adserver.decision.index import Index, IndexedSlot

#: Strength of the prior of a creative's rate, in expected clicks (or views).
_STRENGTH = 1.6
#: Strength of the prior of a slot's rate.
_SLOT_STRENGTH = 1.0
#: A posterior with half the variance explores enough, and wastes less (Russo et al., "A Tutorial on Thompson
#: Sampling", 2018, section 8).
_SHARPNESS = 2.0


class Seen(NamedTuple):
    """What was counted of one creative in one slot so far."""

    slot_id: int
    creative_id: int
    impression_count: int
    measurable_count: int
    viewable_count: int
    click_count: int


class Rates:
    """One snapshot of what was learned. `expected_ctr`, `expected_viewability`: for slots without a past."""

    def __init__(
        self,
        index: Index,
        seen: Iterable[Seen],
        rng: Random,
        *,
        expected_ctr: float,
        expected_viewability: float,
    ) -> None:
        self._index = index
        self._seed = rng.getrandbits(64)
        self._ecpms: dict[int, Floats] = {}
        clicks, views = _Rate(expected_ctr), _Rate(expected_viewability)
        for row in seen:
            clicks.add(row.slot_id, row.creative_id, row.click_count, row.impression_count)
            views.add(row.slot_id, row.creative_id, row.viewable_count, row.measurable_count)
        self._rates = {"clicks": clicks, "viewables": views}

    def promise(self, slot_id: int, choice: Choice) -> float:
        """By what creatives of one line item are compared when their rotation is `optimised`.

        A draw from the posterior, the same all through the snapshot.
        """
        base, shape, scale = self._rates[choice.item.optimise_for].posterior(slot_id, [choice.creative_id])
        # Seeded by what is drawn for, so that the order of questions changes no answer.
        luck = Random(hash((self._seed, slot_id, choice.creative_id)))
        return base * luck.gammavariate(_SHARPNESS * shape, 1.0) / (_SHARPNESS * scale)

    def per_impression(self, position: int) -> float:
        """What a line item counts, per impression over all its slots: 1 for impressions."""
        rate = self._rates.get(self._index.units[position])
        if rate is None:
            return 1.0
        return min(1.0, rate.overall([choice.creative_id for choice in self._index.choices[position]]))

    def ecpms(self, slot: IndexedSlot) -> Floats:
        """What a thousand impressions of each line item in a slot are expected to earn, in currency units."""
        ecpms = self._ecpms.get(slot.id)
        if ecpms is None:
            ecpms = self._ecpms[slot.id] = self._index.ecpms.copy()
            positions = self._index.learning
            if len(positions):
                ecpms[positions] = self._index.learning_prices * self._learned(slot.id)
        return ecpms

    def _learned(self, slot_id: int) -> Floats:
        """What each learning line item is paid for, per impression in a slot: clicks drawn, views means."""
        index = self._index
        rows = [
            self._rates[index.units_paid[position]].posterior(
                slot_id, [choice.creative_id for choice in index.choices[position]]
            )
            for position in index.learning.tolist()
        ]
        base, shape, scale = np.array(rows, dtype=float).T
        luck = np.random.Generator(np.random.PCG64([self._seed, slot_id]))
        drawn = base * luck.standard_gamma(_SHARPNESS * shape) / (_SHARPNESS * scale)
        rates: Floats = np.where(index.learning_clicks, drawn, np.minimum(1.0, base * shape / scale))
        return rates


class _Rate:
    """Events per trial, by slot and creative."""

    def __init__(self, expected: float) -> None:
        self._expected = expected
        self._counts: dict[tuple[int, int], tuple[int, int]] = {}
        self._of_slot: dict[int, tuple[int, int]] = {}
        self._of_creative: dict[int, tuple[int, int]] = {}

    def add(self, slot_id: int, creative_id: int, events: int, trials: int) -> None:
        """Take note of what was counted of a creative in a slot; each pair once."""
        self._counts[slot_id, creative_id] = (events, trials)
        for key, sums in ((slot_id, self._of_slot), (creative_id, self._of_creative)):
            before = sums.get(key, (0, 0))
            sums[key] = (before[0] + events, before[1] + trials)

    def posterior(self, slot_id: int, creatives: Sequence[int]) -> tuple[float, float, float]:
        """(slot's rate, shape, scale): a gamma around the slot's rate, of some creatives taken as one."""
        events, trials = self._of_slot.get(slot_id, (0, 0))
        base = self._expected * (events + _SLOT_STRENGTH) / (trials * self._expected + _SLOT_STRENGTH)
        events, trials = 0, 0
        for creative in creatives:
            more = self._counts.get((slot_id, creative))
            if more:
                events, trials = events + more[0], trials + more[1]
        return base, events + _STRENGTH, trials * base + _STRENGTH

    def overall(self, creatives: Sequence[int]) -> float:
        """Events per trial of a line item in all slots, drawn towards what is expected."""
        sums = [self._of_creative.get(creative, (0, 0)) for creative in creatives]
        events, trials = sum(e for e, _ in sums), sum(t for _, t in sums)
        return self._expected * (events + _STRENGTH) / (trials * self._expected + _STRENGTH)
