"""A string of the IAB Global Privacy Platform → its sections, each read or refused, or why all is refused.

Source: IAB Tech Lab, "Global Privacy Platform String" 1.0: a header with the ids of the sections, in
Fibonacci coding, then the sections in the order of their ids, all parted by "~". Sections that are read are 2
(TCF of the EU), 5 (TCF of Canada), 6 (US Privacy), 7 (US national) and those of single US states; of others
nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping

from adserver.consent.bits import Bits, Refusal, Unreadable
from adserver.consent.canada import CaChoice, decode_ca
from adserver.consent.tcf import TcString, decode_tcf
from adserver.consent.us import SECTIONS as US_SECTIONS
from adserver.consent.us import UsChoice, decode_us, decode_usp

TCF_EU = 2
TCF_CANADA = 5
USP = 6
#: Largest id of a section that is believed, and so the longest code of one that is read.
_LARGEST_ID = 10_000
_HEADER_TYPE, _VERSION = 3, 1

#: Section id → what it says.
Sections = Mapping[int, TcString | CaChoice | UsChoice | Refusal]


def decode_gpp(text: str) -> Sections | Refusal:
    """Read a string. A section that cannot be read, or that is not known here, is refused on its own."""
    header, *texts = text.split("~")
    try:
        ids = _section_ids(header, len(texts))
    except Unreadable as error:
        return Refusal(str(error))
    return {number: _section(number, section) for number, section in zip(ids, texts, strict=True)}


def _section(number: int, text: str) -> TcString | CaChoice | UsChoice | Refusal:
    if number == TCF_EU:
        return decode_tcf(text)
    try:
        if number == TCF_CANADA:
            return decode_ca(text)
        if number == USP:
            return decode_usp(text)
        if number in US_SECTIONS:
            return decode_us(number, text)
    except Unreadable as error:
        return Refusal(str(error))
    return Refusal(f"section {number} is not read here")


def _section_ids(header: str, count: int) -> list[int]:
    """The ids in a header, rising; as many as there are sections. Raises Unreadable."""
    bits = Bits(header, "the header")
    kind, version, entries = bits.numbers((6, 6, 12))
    if (kind, version) != (_HEADER_TYPE, _VERSION):
        raise Unreadable("it does not begin with a header of version 1")
    ids: list[int] = []
    last = 0
    for _ in range(entries):
        is_range = bits.number(1)
        start = last = last + _fibonacci(bits)
        if is_range:
            last += _fibonacci(bits)
        if last - start >= count:
            raise Unreadable("the header names more sections than there are")
        ids.extend(range(start, last + 1))
    if len(ids) != count:
        raise Unreadable(f"the header names {len(ids)} sections, and there are {count}")
    return ids


def _fibonacci(bits: Bits) -> int:
    """A number as a sum of Fibonacci numbers, the smallest first, ended by two ones in a row."""
    total, this, following, before = 0, 1, 2, 0
    while this <= _LARGEST_ID:
        bit = bits.number(1)
        if bit and before:
            return total
        total += this * bit
        this, following, before = following, this + following, bit
    raise Unreadable("the header has a section id that is too large")
