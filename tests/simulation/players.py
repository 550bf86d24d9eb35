"""Page views → fills: what the judge asks of every player, and the player judged, the server's own code."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Protocol

from tests.simulation.world import World

#: What a slot that stays empty holds in place of a line item's number.
EMPTY = -1


class Player(Protocol):
    """Fills a week of pages. Line items go by their number in `world.lines`, slots in the site's order.

    A player may look at `world.catalog`, `lines` and `history`, and at the view that it is asked for: its
    time, kind and, as the browser would carry it in a tally, its visitor. Never at later views or at `ctr`.
    """

    def begin(self, world: World, rng: Random) -> None:
        """A new week starts."""

    def tick(self, now_us: int) -> None:
        """A minute starts; called for every minute of the week, before the views in it."""

    def page(self, view: int) -> Sequence[int]:
        """The line item of each slot on a page view, or `EMPTY`."""

    def counted(self, view: int, filled: Sequence[int], clicked: Sequence[int]) -> None:
        """The page was shown: each filled slot is an impression; `clicked` are slots with a valid click."""
