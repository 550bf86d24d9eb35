"""What a reader answered → what it allows: the table, and which answers a string holds.

Two things hang on it. What is *stored*: the tally in the reader's own browser, and so whether line items with
visitor caps may serve. And whether a *network* such as AdSense, whose code runs in the page, may be asked and
how. What is *counted* does not: an event says what was shown where and when, and nothing of the reader. Nor
does what line items *target*: page, country and device, and nothing that is known of a reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

from adserver.consent.bits import Refusal
from adserver.consent.canada import CaChoice
from adserver.consent.gpp import Sections
from adserver.consent.tcf import Restriction, TcString
from adserver.consent.us import UsChoice


class Storage(IntEnum):
    """What becomes of what a browser keeps; the lowest is the strictest."""

    REMOVE = 0
    """Nothing is stored, and what was stored goes."""
    LEAVE = 1
    """Nothing is stored or read; what was stored stays until the reader's answer is known."""
    KEEP = 2


class Network(IntEnum):
    """How an advertising network may be asked for an ad; the lowest is the strictest."""

    NONE = 0
    NON_PERSONALISED = 1
    PERSONALISED = 2


class Allowed(NamedTuple):
    """What a page request may do."""

    storage: Storage
    network: Network

    def and_also(self, other: Allowed) -> Allowed:
        """The stricter of both, in each respect."""
        return Allowed(min(self.storage, other.storage), min(self.network, other.network))


class Answer(StrEnum):
    """What was said, or not said, about one law."""

    GRANTED = "granted"
    """TCF: purpose 1, and for the network's vendor all that personalised ads take."""
    NO_PROFILE = "no_profile"
    """TCF: the same without purpose 3 or 4, which make and use a profile."""
    NO_VENDOR = "no_vendor"
    """TCF: purpose 1, and less for the network's vendor than any ad of its takes; Canada's: purpose 1."""
    REFUSED = "refused"
    """TCF, Canada's too: no consent to purpose 1, or a string of version 1."""
    NOT_OPTED_OUT = "not_opted_out"
    """US sections of GPP: opted out of nothing."""
    OPTED_OUT = "opted_out"
    """US sections of GPP: of sale, sharing or targeted advertising; a known child; Global Privacy Control."""
    UNREADABLE = "unreadable"
    """A string that its specification does not allow, or a section that is not known here."""
    UNANSWERED = "unanswered"
    """A consent tool that has not answered in time, or whose dialog is open."""
    ASSUMED = "assumed"
    """Nothing, where the site takes that for a yes."""
    NOT_ASSUMED = "not_assumed"
    """Nothing, where the site takes that for a no."""


#: The table. A network's code stores and reads for itself, so that without purpose 1 it is not asked at all:
#: "If you don't have consent for Google for Purpose 1, you should not call Google's ad tag" (AdSense help,
#: "Publisher integration with the IAB TCF").
ALLOWED: Mapping[Answer, Allowed] = {
    Answer.GRANTED: Allowed(Storage.KEEP, Network.PERSONALISED),
    Answer.NO_PROFILE: Allowed(Storage.KEEP, Network.NON_PERSONALISED),
    Answer.NO_VENDOR: Allowed(Storage.KEEP, Network.NONE),
    Answer.REFUSED: Allowed(Storage.REMOVE, Network.NONE),
    Answer.NOT_OPTED_OUT: Allowed(Storage.KEEP, Network.PERSONALISED),
    Answer.OPTED_OUT: Allowed(Storage.REMOVE, Network.NON_PERSONALISED),
    Answer.UNREADABLE: Allowed(Storage.REMOVE, Network.NONE),
    Answer.UNANSWERED: Allowed(Storage.LEAVE, Network.NONE),
    Answer.ASSUMED: Allowed(Storage.KEEP, Network.PERSONALISED),
    Answer.NOT_ASSUMED: Allowed(Storage.REMOVE, Network.NONE),
}

_STORE = 1
_PROFILE = (3, 4)
#: Basic ads, measuring them, market research, better products: by consent or by legitimate interest.
_BASIC = (2, 7, 9, 10)
#: TCF 2.3: strings that are made after 2026-02-28 say which vendors were shown to the reader.
_DISCLOSED_FROM = datetime(2026, 3, 1, tzinfo=UTC)


def tcf_answer(tc: TcString | Refusal, vendor: int) -> Answer:
    """What a TCF string answers; `vendor`: id of the network on IAB Europe's Global Vendor List.

    Purposes for a network are those that Google asks for (AdSense help, as above). The publisher segment has
    no part in it: consent tools send it empty where a publisher did not set it up.
    """
    if isinstance(tc, Refusal):
        return Answer.UNREADABLE
    if tc.version == 1 or not tc.purpose_consents.has(_STORE):
        return Answer.REFUSED
    shown = tc.created_at < _DISCLOSED_FROM or (tc.disclosed is not None and tc.disclosed.has(vendor))
    basic = _consented(tc, _STORE, vendor) and all(_based(tc, purpose, vendor) for purpose in _BASIC)
    if not (shown and basic):
        return Answer.NO_VENDOR
    profiled = all(_consented(tc, purpose, vendor) for purpose in _PROFILE)
    return Answer.GRANTED if profiled else Answer.NO_PROFILE


def _restrictions(tc: TcString, purpose: int, vendor: int) -> set[Restriction]:
    return {
        kind for restricted, kind, vendors in tc.restrictions if restricted == purpose and vendors.has(vendor)
    }


def _consented(tc: TcString, purpose: int, vendor: int) -> bool:
    """Whether a vendor may use a purpose by the reader's consent."""
    forbidden = {Restriction.NOT_ALLOWED, Restriction.REQUIRE_INTEREST} & _restrictions(tc, purpose, vendor)
    return not forbidden and tc.purpose_consents.has(purpose) and tc.vendor_consents.has(vendor)


def _based(tc: TcString, purpose: int, vendor: int) -> bool:
    """Whether a vendor may use a purpose by consent or by a legitimate interest."""
    if _consented(tc, purpose, vendor):
        return True
    forbidden = {Restriction.NOT_ALLOWED, Restriction.REQUIRE_CONSENT} & _restrictions(tc, purpose, vendor)
    return not forbidden and tc.purpose_interests.has(purpose) and tc.vendor_interests.has(vendor)


def gpp_answers(sections: Sections | Refusal, in_force: tuple[int, ...], vendor: int) -> Iterator[Answer]:
    """What each section of a GPP string answers that is in force: those named, or all where none is."""
    if isinstance(sections, Refusal):
        yield Answer.UNREADABLE
        return
    named = [number for number in in_force if number > 0] or sections
    for number in named:
        said = sections.get(number)
        if isinstance(said, UsChoice):
            yield Answer.OPTED_OUT if said.opted_out else Answer.NOT_OPTED_OUT
        elif isinstance(said, CaChoice):
            yield Answer.NO_VENDOR if said.consents(_STORE) else Answer.REFUSED
        else:
            yield Answer.UNREADABLE if said is None else tcf_answer(said, vendor)
