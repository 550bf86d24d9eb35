"""What followed impressions of each creative in each slot → what an impression is expected to bring.

Empirical Bayes: a slot's own rate is drawn towards what is expected of any slot. By how much creatives are
better or worse than the slots that they stood in is learned over all slots, drawn towards 1 by a gamma prior
that is as strong as creatives are alike. What is learned is looked at every few minutes and then stands, so
that the same snapshot and request give the same ad.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

import numpy as np

from adserver.decision.arrays import Floats
from adserver.decision.context import Choice
from adserver.decision.index import (
    EXPECTED_CONVERSION_RATE,
    LEARNED_UNITS,
    Index,
    IndexedSlot,
    prices_per_thousand,
)

#: Strength of the prior of a creative's factor, in expected clicks (or views): until much is counted, and at
#: least and at most.
_STRENGTH, _LEAST_STRENGTH, _MOST_STRENGTH = 4.0, 1.6, 16.0
#: From so many creatives, and so many squared expected clicks of them all, their spread is believed.
_ENOUGH_CREATIVES, _ENOUGH = 10, 400.0
#: Strength of the prior of a slot's rate.
_SLOT_STRENGTH = 1.0
#: A posterior with half the variance explores enough, and wastes less (Russo et al., "A Tutorial on Thompson
#: Sampling", 2018, section 8).
_SHARPNESS = 2.0
_VIEWS = LEARNED_UNITS.index("viewables")


class Seen(NamedTuple):
    """What was counted of one creative in one slot so far."""

    slot_id: int
    creative_id: int
    impression_count: int
    measurable_count: int
    viewable_count: int
    click_count: int
    conversion_count: int = 0


class Rates:
    """One snapshot of what was learned. `expected_…`: for slots without a past.

    Conversions are learned from the line items that are paid by them: of the others nobody reports any.
    """

    def __init__(
        self,
        index: Index,
        seen: Iterable[Seen],
        rng: Random,
        *,
        expected_ctr: float,
        expected_viewability: float,
        expected_conversion_rate: float = EXPECTED_CONVERSION_RATE,
    ) -> None:
        self._index = index
        self._seed = rng.getrandbits(64)
        self._ecpms: dict[int, Floats] = {}
        self._factors: Floats | None = None
        clicks, views = _Rate(expected_ctr), _Rate(expected_viewability)
        orders, reported = _Rate(expected_conversion_rate), _paid_by(index, "conversions")
        for row in seen:
            clicks.add(row.slot_id, row.creative_id, row.click_count, row.impression_count)
            views.add(row.slot_id, row.creative_id, row.viewable_count, row.measurable_count)
            if row.creative_id in reported:
                orders.add(row.slot_id, row.creative_id, row.conversion_count, row.impression_count)
        self._rates = {"clicks": clicks, "viewables": views, "conversions": orders}

    def promise(self, slot_id: int, choice: Choice) -> float:
        """By what creatives of one line item are compared when their rotation is `optimised`.

        A draw from the posterior, the same all through the snapshot.
        """
        rate = self._rates[choice.item.optimise_for]
        shape, scale = rate.factor([choice.creative_id])
        # Seeded by what is drawn for, so that the order of questions changes no answer.
        luck = Random(hash((self._seed, choice.creative_id)))
        return rate.base(slot_id) * luck.gammavariate(_SHARPNESS * shape, 1.0) / (_SHARPNESS * scale)

    def per_impression(self, position: int) -> float:
        """What a line item counts, per impression over all its slots: 1 for impressions."""
        rate = self._rates.get(self._index.units[position])
        if rate is None:
            return 1.0
        return min(1.0, rate.overall([choice.creative_id for choice in self._index.choices[position]]))

    def mean_ecpm(self, slot_id: int, position: int) -> float:
        """What a thousand impressions of a line item in a slot earn on average, without a draw of luck."""
        index = self._index
        unit = index.units_paid.get(position)
        if unit is None:
            return float(index.ecpms[position])
        price = index.items[position].price
        assert price, "what is paid for has a price"
        shape, scale = self._rates[unit].factor([choice.creative_id for choice in index.choices[position]])
        per_impression = min(1.0, self._rates[unit].base(slot_id) * shape / scale)
        return per_impression * price.micros / 1e6 * prices_per_thousand(unit)

    def ecpms(self, slot: IndexedSlot) -> Floats:
        """What a thousand impressions of each line item in a slot are expected to earn, in currency units."""
        ecpms = self._ecpms.get(slot.id)
        if ecpms is None:
            ecpms = self._index.ecpms.copy()
            positions = self._index.learning
            if len(positions):
                ecpms[positions] = self._index.learning_prices * self._learned(slot.id)
            # Pages are decided while a plan is made in a thread: what is not finished must not be seen.
            self._ecpms[slot.id] = ecpms
        return ecpms

    def _learned(self, slot_id: int) -> Floats:
        """What each learning line item is paid for, per impression in a slot: views means, all else drawn."""
        if self._factors is None:
            self._factors = self._draw_factors()
        bases = np.array([self._rates[unit].base(slot_id) for unit in LEARNED_UNITS])
        rates: Floats = bases[self._index.learning_units] * self._factors
        return np.where(self._index.learning_units == _VIEWS, np.minimum(1.0, rates), rates)

    def _draw_factors(self) -> Floats:
        """By how much each learning line item is better than its slots, the same in all of them."""
        index = self._index
        rows = [
            self._rates[index.units_paid[position]].factor(
                [choice.creative_id for choice in index.choices[position]]
            )
            for position in index.learning.tolist()
        ]
        shape, scale = np.array(rows, dtype=float).T
        luck = np.random.Generator(np.random.PCG64(self._seed))
        drawn = luck.standard_gamma(_SHARPNESS * shape) / (_SHARPNESS * scale)
        factors: Floats = np.where(index.learning_units == _VIEWS, shape / scale, drawn)
        return factors


def _paid_by(index: Index, unit: str) -> set[int]:
    """The creatives of line items that are paid by a unit."""
    positions = [position for position, paid in index.units_paid.items() if paid == unit]
    return {choice.creative_id for position in positions for choice in index.choices[position]}


class _Rate:
    """Events per trial, by slot and creative."""

    def __init__(self, expected: float) -> None:
        self._expected = expected
        self._counts: dict[int, dict[int, tuple[int, int]]] = {}
        """Creative → slot → (events, trials)."""
        self._of_slot: dict[int, tuple[int, int]] = {}
        self._factors: dict[int, tuple[float, float]] | None = None
        self._strength = _STRENGTH

    def add(self, slot_id: int, creative_id: int, events: int, trials: int) -> None:
        """Take note of what was counted of a creative in a slot; each pair once, before anything is asked."""
        self._counts.setdefault(creative_id, {})[slot_id] = (events, trials)
        before = self._of_slot.get(slot_id, (0, 0))
        self._of_slot[slot_id] = (before[0] + events, before[1] + trials)

    def base(self, slot_id: int) -> float:
        """Events per trial of a slot, whatever stands there."""
        events, trials = self._of_slot.get(slot_id, (0, 0))
        return self._expected * (events + _SLOT_STRENGTH) / (trials * self._expected + _SLOT_STRENGTH)

    def factor(self, creatives: Sequence[int]) -> tuple[float, float]:
        """(shape, scale) of a gamma: how much better some creatives, taken as one, are than their slots."""
        events, expected = self._sums(creatives)
        strength = self._strength
        return events + strength, expected + strength

    def overall(self, creatives: Sequence[int]) -> float:
        """Events per trial of a line item in all slots, drawn towards what is expected."""
        shape, scale = self.factor(creatives)
        trials = sum(
            trials for creative in creatives for _, trials in self._counts.get(creative, {}).values()
        )
        usual = (self._sums(creatives)[1] + _SLOT_STRENGTH) / (trials + _SLOT_STRENGTH / self._expected)
        return usual * shape / scale

    def _sums(self, creatives: Sequence[int]) -> tuple[float, float]:
        """Events of some creatives, and how many were to be expected where they stood."""
        if self._factors is None:
            factors = self._summed()
            self._strength = _strength_of(list(factors.values()))
            self._factors = factors
        pairs = [self._factors.get(creative, (0.0, 0.0)) for creative in creatives]
        return sum(events for events, _ in pairs), sum(expected for _, expected in pairs)

    def _summed(self) -> dict[int, tuple[float, float]]:
        bases = {slot_id: self.base(slot_id) for slot_id in self._of_slot}
        return {
            creative: (
                float(sum(events for events, _ in slots.values())),
                sum(trials * bases[slot_id] for slot_id, (_, trials) in slots.items()),
            )
            for creative, slots in self._counts.items()
        }


def _strength_of(sums: Sequence[tuple[float, float]]) -> float:
    """How alike creatives are: what they differ by beyond chance, by the method of moments."""
    enough = sum(expected**2 for _, expected in sums)
    if len(sums) < _ENOUGH_CREATIVES or enough < _ENOUGH:
        return _STRENGTH
    beyond = sum((events - expected) ** 2 - expected for events, expected in sums)
    return min(_MOST_STRENGTH, max(_LEAST_STRENGTH, enough / max(beyond, 1e-9)))
