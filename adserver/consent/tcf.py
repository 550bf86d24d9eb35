"""A consent string of the IAB Europe Transparency & Consent Framework → what it says, or why it is refused.

Source: IAB Tech Lab, "Transparency and Consent String with Global Vendor & CMP List Formats", versions 2.0 to
2.3, and 1.1 for strings that begin with "B". What the reference decoder (@iabtcf/core 1.5.6) refuses is
refused here, and so is what could be read in two ways: a segment that comes twice or before the core, ranges
that run backwards or beyond the largest id, restrictions of no purpose. Bits after the fields are padding.

Takes time and memory in proportion to the text, which the caller bounds: ranges stay ranges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from adserver.consent.bits import Bits, Ids, Refusal, Unreadable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TENTH_MS = 100
#: As the reference has it: no CMP has 0 or 1.
_LEAST_CMP_ID = 2
#: As the reference has it, too: the letters, and what lies between the two cases.
_COUNTRY = re.compile(r"[A-z]{2}")
_LARGEST_VENDOR = (1 << 16) - 1
_NO_IDS = Ids()


class Segment(IntEnum):
    """Type of a segment, in its first three bits; those of the core are the first of its version."""

    CORE = 0
    DISCLOSED = 1
    ALLOWED = 2
    PUBLISHER = 3


class Restriction(IntEnum):
    """What a publisher says about some vendors' use of a purpose."""

    NOT_ALLOWED = 0
    REQUIRE_CONSENT = 1
    REQUIRE_INTEREST = 2


class Restricted(NamedTuple):
    """A restriction of one purpose, and the vendors that it is for."""

    purpose: int
    kind: Restriction
    vendors: Ids


class PublisherTc(NamedTuple):
    """What the reader allowed the publisher itself, with purposes of its own (`custom_…`)."""

    consents: Ids = _NO_IDS
    interests: Ids = _NO_IDS
    custom_consents: Ids = _NO_IDS
    custom_interests: Ids = _NO_IDS


class TcString(NamedTuple):
    """All fields of a string; `interests` are legitimate interests. Version 1 has some of them only."""

    version: int
    created_at: datetime
    updated_at: datetime
    cmp_id: int
    cmp_version: int
    consent_screen: int
    consent_language: str
    vendor_list_version: int
    purpose_consents: Ids
    vendor_consents: Ids
    policy_version: int = 2
    is_service_specific: bool = False
    use_non_standard_texts: bool = False
    special_features: Ids = _NO_IDS
    purpose_interests: Ids = _NO_IDS
    purpose_one_treatment: bool = False
    """Purpose 1 was not asked for, because the publisher's country does not ask for it."""
    publisher_country: str = "AA"
    vendor_interests: Ids = _NO_IDS
    restrictions: tuple[Restricted, ...] = ()
    disclosed: Ids | None = None
    """Vendors that were shown to the reader; None without that segment, which TCF 2.3 always has."""
    allowed: Ids | None = None
    publisher: PublisherTc = PublisherTc()


def decode_tcf(text: str) -> TcString | Refusal:
    """Read a whole string: the core, then its other segments in any order, each once."""
    try:
        return _decode(text)
    except Unreadable as error:
        return Refusal(str(error))


def _decode(text: str) -> TcString:
    first, *others = text.split(".", len(Segment))
    core = Bits(first, "the core segment")
    version = core.number(6)
    if version == 1:
        if others:
            raise Unreadable("version 1 has no segments")
        return _core_1(core)
    if version != 2:
        raise Unreadable(f"the version is {version}, and not 1 or 2")
    decoded = _core_2(core)
    if not others:
        return decoded
    found = _segments(others)
    disclosed, allowed, publisher = (found.get(segment) for segment in list(Segment)[1:])
    return decoded._replace(
        disclosed=_vendors(disclosed) if disclosed else None,
        allowed=_vendors(allowed) if allowed else None,
        publisher=_publisher(publisher) if publisher else PublisherTc(),
    )


#: created, updated, cmp id, cmp version, screen, two letters of language, vendor list.
_HEAD = (36, 36, 12, 12, 6, 6, 6, 12)


def _core_1(bits: Bits) -> TcString:
    created, updated, cmp_id, cmp_version, screen, *language, vendor_list = bits.numbers(_HEAD)
    consents = bits.ids(24)
    vendors = _vendors(bits, version=1)
    letters = _letters(language)
    dates = _instant(created), _instant(updated)
    return TcString(1, *dates, _cmp(cmp_id), cmp_version, screen, letters, vendor_list, consents, vendors)


#: policy, service specific, texts, special features, purposes by consent and interest, purpose one, country.
_TAIL = (6, 1, 1, 12, 24, 24, 1, 6, 6)


def _core_2(bits: Bits) -> TcString:
    created, updated, cmp_id, cmp_version, screen, *language, vendor_list = bits.numbers(_HEAD)
    policy, specific, texts, features, consents, interests, one, *country = bits.numbers(_TAIL)
    publisher_country = _letters(country)
    if not _COUNTRY.fullmatch(publisher_country):
        raise Unreadable("the publisher's country is not two letters")
    return TcString(
        version=2,
        created_at=_instant(created),
        updated_at=_instant(updated),
        cmp_id=_cmp(cmp_id),
        cmp_version=cmp_version,
        consent_screen=screen,
        consent_language=_letters(language),
        vendor_list_version=vendor_list,
        policy_version=policy,
        is_service_specific=bool(specific),
        use_non_standard_texts=bool(texts),
        special_features=Ids(12, features),
        purpose_consents=Ids(24, consents),
        purpose_interests=Ids(24, interests),
        purpose_one_treatment=bool(one),
        publisher_country=publisher_country.upper(),
        # Arguments are evaluated in the order in which they stand, which is that of the fields.
        vendor_consents=_vendors(bits),
        vendor_interests=_vendors(bits),
        restrictions=tuple(_restrictions(bits)),
    )


def _segments(texts: list[str]) -> dict[Segment, Bits]:
    """The segments after the core, each read up to its fields."""
    found: dict[Segment, Bits] = {}
    for text in texts:
        bits = Bits(text, "a segment after the core")
        number = bits.number(3)
        if not Segment.CORE < number <= Segment.PUBLISHER:
            raise Unreadable(f"there is no segment of type {number} after the core")
        segment = Segment(number)
        if segment in found:
            raise Unreadable(f"the {segment.name.lower()} segment comes twice")
        found[segment] = bits
    return found


def _publisher(bits: Bits) -> PublisherTc:
    consents, interests, custom = bits.numbers((24, 24, 6))
    return PublisherTc(Ids(24, consents), Ids(24, interests), bits.ids(custom), bits.ids(custom))


def _letters(numbers: list[int]) -> str:
    """0 is "A"."""
    return "".join([chr(65 + number) for number in numbers])


def _instant(tenths: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=tenths * _TENTH_MS)


def _cmp(number: int) -> int:
    if number < _LEAST_CMP_ID:
        raise Unreadable(f"there is no CMP {number}")
    return number


def _vendors(bits: Bits, version: int = 2) -> Ids:
    """A set of vendors, as bits or as ranges."""
    size, by_ranges = bits.numbers((16, 1))
    if not by_ranges:
        return bits.ids(size)
    if version == 1 and bits.number(1):
        raise Unreadable("the vendors that are listed are those without consent")
    return _ranges(bits, size)


def _ranges(bits: Bits, size: int) -> Ids:
    """Ranges of vendors up to the largest."""
    ranges = []
    for _ in range(bits.number(12)):
        start = bits.number(17)  # the first of these bits says whether an end follows
        if start >> 16:
            start &= _LARGEST_VENDOR
            end = bits.number(16)
        else:
            end = start
        if not 0 < start <= end <= size:
            raise Unreadable(f"{start} to {end} is not a range of the vendors up to {size}")
        ranges.append((start, end))
    return Ids(size, 0, tuple(ranges))


def _restrictions(bits: Bits) -> Iterator[Restricted]:
    for _ in range(bits.number(12)):
        purpose, kind = bits.numbers((6, 2))
        if not purpose or kind > Restriction.REQUIRE_INTEREST:
            raise Unreadable(f"there is no restriction {kind} of purpose {purpose}")
        yield Restricted(purpose, Restriction(kind), _ranges(bits, _LARGEST_VENDOR))
