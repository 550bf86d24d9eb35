"""Text in base64url → bits, read from the front and never beyond the end."""

from __future__ import annotations

import binascii
import re
from typing import NamedTuple

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_FROM_URL = str.maketrans("-_", "+/")
BITS_PER_CHAR = 6


class Unreadable(Exception):
    """A string that is not what its specification says; the message says why. Ends in a `Refusal`."""


class Refusal(NamedTuple):
    """A string that cannot be read, so that nothing is granted by it."""

    reason: str


class Ids(NamedTuple):
    """A set of ids from 1 to `size`: as bits, the first for 1, or as ranges with both ends."""

    size: int = 0
    bits: int = 0
    ranges: tuple[tuple[int, int], ...] = ()

    def has(self, number: int) -> bool:
        """Whether an id is in the set."""
        if self.ranges:
            return any(start <= number <= end for start, end in self.ranges)
        return 0 < number <= self.size and bool(self.bits >> self.size - number & 1)

    def listed(self) -> list[int]:
        """The ids, rising."""
        if self.ranges:
            return sorted({number for start, end in self.ranges for number in range(start, end + 1)})
        return [place for place, bit in enumerate(f"{self.bits:0{self.size}b}", 1) if bit == "1"]


class Bits:
    """The bits of one segment: six for each character, the highest first."""

    __slots__ = ("_bits", "_left", "_where")

    def __init__(self, text: str, where: str) -> None:
        """`where`: what is read, for faults. Raises Unreadable for an empty text and foreign characters."""
        if not _BASE64URL.fullmatch(text):
            raise Unreadable(f"{where} is not base64url text")
        missing = -len(text) % 4
        packed = binascii.a2b_base64(text.translate(_FROM_URL) + "A" * missing)
        self._bits = int.from_bytes(packed, "big") >> missing * BITS_PER_CHAR
        self._left = len(text) * BITS_PER_CHAR
        self._where = where

    def number(self, count: int) -> int:
        """The next `count` bits as an unsigned number. Raises Unreadable where there are fewer."""
        self._left -= count
        if self._left < 0:
            raise Unreadable(f"{self._where} is cut short")
        return self._bits >> self._left & (1 << count) - 1

    def numbers(self, widths: tuple[int, ...]) -> list[int]:
        """One number after the other, each of so many bits."""
        whole = self.number(sum(widths))
        found = []
        for width in reversed(widths):
            found.append(whole & (1 << width) - 1)
            whole >>= width
        found.reverse()
        return found

    def ids(self, size: int) -> Ids:
        """The next `size` bits as a set."""
        return Ids(size, self.number(size))
