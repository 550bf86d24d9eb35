"""The server as a player, changed in one respect each → what that respect is worth."""

from __future__ import annotations

from random import Random

from tests.simulation.ours import Ours
from tests.simulation.world import World

_CERTAIN = 10**9


class Restarted(Ours):
    """Killed and started again every so often, with what was saved: must change next to nothing."""

    def __init__(self) -> None:
        super().__init__(restart_every=331)


class Knowing(Ours):
    """Told every true click rate beforehand: what it earns more than `Ours` is what learning costs."""

    def begin(self, world: World, rng: Random) -> None:
        """As if each creative had been shown a thousand million times in each slot."""
        super().begin(world, rng)
        slots = self._index.sites[world.site.name].slots
        for row, slot in enumerate(world.site.slot):
            for position, choices in enumerate(self._index.choices):
                clicks = round(float(world.ctr[row, self._number[position]]) * _CERTAIN)
                for choice in choices:
                    self._seen[slots[slot.name].id, choice.creative_id] = [_CERTAIN, clicks]
