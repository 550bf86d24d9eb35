"""Supply, needs and worth of the week to come → what each line item should bid, and who should hurry.

All bookings are played against each other in the slots of the week to come. Every row has one level: what a
thousand of its impressions are bid at. In each slot rows share what there is by

    share ~ (need / supply) · exp((bid − outside) / temperature)

so that without competition each delivers evenly over all that it could take, and with it, where it is
cheapest. A level rises while its row would get less than it needs, and falls while it would get more: the
dual ascent of the linear program that knows the whole week, smoothed by entropy (compare Chen et al., "Ad
Serving Using a Compact Allocation Plan", EC 2012). Steps grow while they go one way and are halved when they
turn (Riedmiller & Braun, "RPROP", 1993).

The plan is not kept to: levels are where bids begin, and its timing says who should hurry. What is served is
steered from what was served (`pacing`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from adserver.decision.arrays import Flags, Floats
from adserver.decision.week import Supply

#: In units of what a usual impression pays (`Booked.unit`).
_TEMPERATURE = 8.0
_FIRST_LEVEL, _LEAST_LEVEL = 4.0, 0.05
#: A budget is never held back further than to this part of what it pays.
_LEAST_PART, _FIRST_PART = 0.02, 0.8
#: So much of a slot is at least left to those outside the plan.
_LEAST_OUTSIDE = 0.05
_FIRST_ROUNDS, _ROUNDS = 60, 25
_FIRST_STEP, _STEP, _LEAST_STEP, _MOST_STEP = 0.5, 0.2, 0.003, 3.0
_FASTER, _TURNED = 1.25, 0.5
#: The soonest part of its own supply by which a row's haste is judged, and how many of the plan's slots must
#: lie in it to be believed half.
_SOON, _BELIEF = 0.05, 2.0
_LEAST_HASTE, _MOST_HASTE = 0.02, 8.0


class Booked(NamedTuple):
    """What is asked of the week, one value for each row."""

    needs: Floats
    """Impressions of those with a goal; of others what they may spend, in currency units times a thousand."""
    guaranteed: Flags
    worth: Floats
    """The most that a thousand impressions of a guaranteed row are worth: what it pays, and what missing them
    costs."""
    repeat: Flags
    """Whether it may stand on a page more than once."""
    unit: float
    """Currency units that make the plan's constants fit the site's prices."""
    levels: Floats | None
    """Of the plan before, if there was one."""


class Planned(NamedTuple):
    """One value for each row."""

    levels: Floats
    parts: Floats
    """What part of what it pays a row without a goal should bid, 0 to 1."""
    haste: Floats
    """How much faster than evenly a guaranteed row should deliver now; 1 where nothing is known."""
    asking: Flags
    """Whether the plan has anything to say of it: it needs something, and there is something."""


def plan(supply: Supply, booked: Booked) -> Planned:
    """Play the week until levels have settled."""
    count = len(booked.needs)
    pair_guaranteed = booked.guaranteed[supply.rows]
    amounts = np.where(pair_guaranteed, 1.0, supply.ecpms)
    offered = supply.weights[supply.slots] * amounts
    most = np.bincount(supply.rows, offered, minlength=count).astype(float, copy=False)
    chances = np.bincount(supply.rows, supply.weights[supply.slots], minlength=count)
    asking = (booked.needs > 0) & (most > 0)
    pays = most / np.maximum(chances, 1e-9)
    game = _Game(supply, booked, offered, most, asking, pays)
    levels = game.settle()
    parts = np.where(booked.guaranteed, 1.0, levels / np.maximum(pays, 1e-9))
    haste = _haste(supply, offered, most, game.given, asking & booked.guaranteed)
    return Planned(levels, np.clip(parts, _LEAST_PART, 1.0), haste, asking)


class _Game:
    """The week of one plan while it is played."""

    def __init__(
        self,
        supply: Supply,
        booked: Booked,
        offered: Floats,
        most: Floats,
        asking: Flags,
        pays: Floats,
    ) -> None:
        self._supply, self._booked, self._offered, self._asking = supply, booked, offered, asking
        self._temperature = _TEMPERATURE * booked.unit
        guaranteed = booked.guaranteed
        self._highest = np.where(guaranteed, booked.worth, pays)
        self._lowest = np.minimum(
            self._highest, np.where(guaranteed, _LEAST_LEVEL * booked.unit, _LEAST_PART * pays)
        )
        first = np.where(guaranteed, _FIRST_LEVEL * booked.unit, _FIRST_PART * pays)
        known = first if booked.levels is None else booked.levels
        self._levels = np.clip(known, self._lowest, self._highest)
        rows = supply.rows
        even = np.clip(booked.needs / np.maximum(most, 1e-9), 1e-9, 1.0)
        self._live = asking[rows]
        self._even = np.log(even[rows]) - supply.outside[supply.slots] / self._temperature
        # A row without a goal bids in proportion to what it pays in each slot.
        steady = guaranteed[rows]
        self._slope = np.where(steady, 1.0, supply.ecpms / np.maximum(pays, 1e-9)[rows]) / self._temperature
        load = np.bincount(supply.slots, np.where(self._live, even[rows], 0.0), minlength=len(supply.weights))
        self._rest = np.maximum(_LEAST_OUTSIDE, 1.0 - load)
        _, self._group = np.unique(supply.pages * len(asking) + rows, return_inverse=True)
        self._once = ~booked.repeat[rows]
        self.given: Floats = np.zeros(len(rows))
        """What each pair gives its row."""

    def settle(self) -> Floats:
        """Levels at which rows get what they need, or cannot."""
        fresh = self._booked.levels is None
        step = np.full(len(self._levels), (_FIRST_STEP if fresh else _STEP) * self._temperature)
        way = np.zeros(len(self._levels))
        for _ in range(_FIRST_ROUNDS if fresh else _ROUNDS):
            got = self._play()
            before, way = way, np.where(self._asking, np.sign(self._booked.needs - got), 0.0)
            step *= np.where(way == before, _FASTER, _TURNED)
            step = np.clip(step, _LEAST_STEP * self._temperature, _MOST_STEP * self._temperature)
            self._levels = np.clip(self._levels + way * step, self._lowest, self._highest)
        return self._levels

    def _play(self) -> Floats:
        """What each row gets at these levels."""
        supply = self._supply
        exponent = self._even + self._levels[supply.rows] * self._slope
        asked = np.where(self._live, np.exp(np.clip(exponent, -60.0, 60.0)), 0.0)
        whole = self._rest + np.bincount(supply.slots, asked, minlength=len(self._rest))
        share = asked / whole[supply.slots]
        # Nobody gets more than one slot of a page, unless it may repeat.
        page = np.maximum(1.0, np.bincount(self._group, share)[self._group])
        self.given = self._offered * np.where(self._once, share / page, share)
        got = np.bincount(supply.rows, self.given, minlength=len(self._asking))
        return got.astype(float, copy=False)


def _haste(supply: Supply, offered: Floats, most: Floats, given: Floats, asking: Flags) -> Floats:
    """Each row's part of what it is given in the week that comes soon, next to an even delivery's."""
    count = len(most)
    order = np.lexsort((supply.slots, supply.rows))
    rows, offered, given = supply.rows[order], offered[order], given[order]
    before = np.concatenate([[0.0], np.cumsum(most)])[:-1]
    place = (np.cumsum(offered) - offered / 2 - before[rows]) / np.maximum(most[rows], 1e-9)
    soon = place < _SOON
    soon_given = np.bincount(rows[soon], given[soon], minlength=count)
    soon_offered = np.bincount(rows[soon], offered[soon], minlength=count)
    seen = np.bincount(rows[soon], minlength=count)
    all_given = np.bincount(rows, given, minlength=count)
    even = soon_offered / np.maximum(most, 1e-9)
    haste = soon_given / np.maximum(all_given, 1e-9) / np.maximum(even, 1e-9)
    haste = 1.0 + (haste - 1.0) * seen / (seen + _BELIEF)
    return np.where(asking & (seen > 0), np.clip(haste, _LEAST_HASTE, _MOST_HASTE), 1.0)
