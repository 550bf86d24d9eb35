"""Section 5 of a GPP string, the TCF of Canada → the purposes that a reader consented to.

Source: IAB Tech Lab, "GPP Extension: IAB Canada TCF" 1.1. Consent may be expressed or implied there. Of its
core only what stands before the vendors is read: they circulate in two encodings (ranges by fixed numbers,
and by Fibonacci ones, as the reference wrote them at different times) that nothing in the string tells apart.
So no vendor is known to have consent, and no network is asked for its sake.
"""

from __future__ import annotations

from typing import NamedTuple

from adserver.consent.bits import Bits, Ids, Unreadable

#: The reference wrote 2 for the same layout before it wrote 1.
_VERSIONS = (1, 2)
#: created, updated, cmp id, cmp version, screen, language, vendor list, policy, stacks, special features.
_HEAD = (36, 36, 12, 12, 6, 12, 12, 6, 1, 12)
_PURPOSES = 24
#: The core, vendors that were disclosed, and the publisher's own purposes.
_MOST_SEGMENTS = 3


class CaChoice(NamedTuple):
    """Purposes, by their number, that the reader consented to, one way or the other."""

    express: Ids
    implied: Ids

    def consents(self, purpose: int) -> bool:
        """Whether a purpose has consent."""
        return self.express.has(purpose) or self.implied.has(purpose)


def decode_ca(text: str) -> CaChoice:
    """Read a section. Raises Unreadable."""
    core, *others = text.split(".")
    bits = Bits(core, "section 5")
    version = bits.number(6)
    if version not in _VERSIONS:
        raise Unreadable(f"section 5 has the unknown version {version}")
    if len(others) >= _MOST_SEGMENTS:
        raise Unreadable("section 5 has more than three segments")
    for other in others:
        Bits(other, "section 5")
    bits.numbers(_HEAD)
    return CaChoice(bits.ids(_PURPOSES), bits.ids(_PURPOSES))
