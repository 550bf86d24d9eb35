"""Positions and flags ⇄ bitmaps: Python integers of which bit i stands for line item i.

Setting bits one by one copies the integer each time, which is quadratic in their number; so bits are set in
an array first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

#: One byte of 0 or 1 per bit.
Flags = NDArray[np.uint8]
#: Positions of bits.
Positions = NDArray[np.uint32]


def positions_array(positions: Sequence[int]) -> Positions:
    """Positions in the form that takes least memory."""
    return np.array(positions, dtype=np.uint32)


def of_positions(positions: Positions | Iterable[int], count: int) -> int:
    """The bitmap, of `count` bits, in which just these positions are set."""
    flags = np.zeros(count, dtype=np.uint8)
    if not isinstance(positions, np.ndarray):
        positions = np.fromiter(positions, dtype=np.uint32)
    flags[positions] = 1
    return of_flags(flags)


def of_flags(flags: Flags | NDArray[np.bool_] | Sequence[bool]) -> int:
    """Flags by position → bitmap."""
    packed = np.packbits(np.asarray(flags).astype(bool, copy=False), bitorder="little")
    return int.from_bytes(packed.tobytes(), "little")


def positions_in(bits: int) -> NDArray[np.int64]:
    """Positions of the set bits, ascending."""
    packed = np.frombuffer(bits.to_bytes((bits.bit_length() + 7) // 8, "little"), dtype=np.uint8)
    return np.flatnonzero(np.unpackbits(packed, bitorder="little"))


def flags_of(bits: int, count: int) -> Flags:
    """The lowest `count` bits as flags, which may be written to."""
    packed = np.frombuffer(to_bytes(bits, count), dtype=np.uint8)
    return np.unpackbits(packed, count=count, bitorder="little")


def to_bytes(bits: int, count: int) -> bytes:
    """A bitmap of `count` bits as bytes, in which single bits are found without a look at the others."""
    return bits.to_bytes((count + 7) // 8, "little")


def has(packed: bytes, position: int) -> bool:
    """Whether a position is set in what `to_bytes` gave."""
    return bool(packed[position >> 3] >> (position & 7) & 1)
