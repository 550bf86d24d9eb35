"""Shares of voice → whose turn it is, exact in the long run.

Shares are intervals on a circle, and each request takes the next point of a golden-ratio sequence on it:
every interval is met in proportion to its length, with an error of a few fills rather than the square root of
their number (Niederreiter, "Random Number Generation and Quasi-Monte Carlo Methods", 1992, chapter 3). Who
cannot take a turn is owed one, and gets it when a turn is nobody's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

_GOLDEN = 0.6180339887498949
#: So many turns are owed to a sponsor in a place at most.
_MOST_OWED = 10


class Voices:
    """Sponsors of one place that share its requests, and the point on the circle at which the next one is."""

    __slots__ = ("edges", "point", "positions")

    def __init__(self, place: int, shares: Mapping[int, float]) -> None:
        """`shares`: by position, scaled down where they are more than the whole."""
        self.positions = tuple(shares)
        excess = max(1.0, sum(shares.values()))
        self.edges: Sequence[float] = tuple(accumulate(share / excess for share in shares.values()))
        # Each begins elsewhere, so that the first requests of many places are not all the same sponsor's.
        self.point = (hash((place, *self.positions)) % 65_536 * _GOLDEN) % 1.0

    @property
    def owner(self) -> int | None:
        """Whose turn it is; None: nobody's."""
        i = bisect_right(self.edges, self.point)
        return self.positions[i] if i < len(self.positions) else None


class Turn(NamedTuple):
    """One request of a place (a slot's id, or 0 for sets of slots): whose turn it was, and who took it."""

    place: int
    voices: Voices
    owner: int | None
    winner: int | None


class Turns:
    """What sponsors share in which place, and the turns that they could not take."""

    def __init__(self) -> None:
        self._voices: dict[tuple[int, tuple[int, ...]], Voices] = {}
        self._owed: dict[int, dict[int, int]] = {}
        """Place → line item id → turns."""

    def begin(self) -> None:
        """Positions mean other line items from now on."""
        self._voices.clear()

    def voices(self, place: int, shares: Mapping[int, float]) -> Voices:
        """The sponsors with these shares in a place."""
        key = (place, tuple(shares))
        voices = self._voices.get(key)
        if voices is None:
            voices = self._voices[key] = Voices(place, shares)
        return voices

    def turn(self, place: int, voices: Voices, ids: Sequence[int], free: Callable[[int], bool]) -> Turn:
        """Whose turn it is, and who takes it: the owner if it is free, or else somebody who is owed one."""
        owner = voices.owner
        if owner is not None and free(owner):
            return Turn(place, voices, owner, owner)
        owed = self._owed.get(place)
        if owed:
            for position in voices.positions:
                if ids[position] in owed and position != owner and free(position):
                    return Turn(place, voices, owner, position)
        return Turn(place, voices, owner, None)

    def owes(self, place: int) -> bool:
        """Whether a turn in a place is owed to anybody."""
        return bool(self._owed.get(place))

    def settle(self, turn: Turn, ids: Sequence[int]) -> None:
        """Take note of a turn that was served."""
        turn.voices.point = (turn.voices.point + _GOLDEN) % 1.0
        if turn.owner == turn.winner:
            return
        owed = self._owed.setdefault(turn.place, {})
        if turn.owner is not None:
            owed[ids[turn.owner]] = min(owed.get(ids[turn.owner], 0) + 1, _MOST_OWED)
        if turn.winner is not None:
            left = owed.pop(ids[turn.winner], 1) - 1
            if left:
                owed[ids[turn.winner]] = left
