"""How often a browser was shown which line items and campaigns ⇄ the part of its tally that tells reach.

Which impression of a line item this is to its browser is all that an event tells: as many browsers have seen
it k times as there are k-th impressions. So nobody needs to know which browser it was. Unlike the part of the
tally that holds caps, this one has no times, counts what has no cap as well, and is not signed: whoever makes
one up can do no more than somebody who empties the browser's storage.

Five characters tell of one line item or campaign: four are its id, one how often it was seen. They are
changed where they stand, which takes a tenth of the time of reading them all. Where there are too many, those
with the smallest ids are left out, and the first five characters say up to which: how often these were seen
is not known from then on, and never said to be the first time.
"""

from __future__ import annotations

from adserver.decision.facts import CAMPAIGN_ORDINAL, MORE

#: Digits of 6 bits, in the order of their ASCII codes, so that ids compare as numbers do.
_DIGITS = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_ID_CHARS = 4
_ENTRY_CHARS = _ID_CHARS + 1
LEAST_ROOM = _ENTRY_CHARS
#: What stands between the two parts of a tally.
_BETWEEN = "."
#: Where a campaign's ordinal stands among facts; that of the line item is the lowest.
_OF_CAMPAIGN = CAMPAIGN_ORDINAL.shift
#: Character of a count → the count, and the character of the next one. All beyond `MORE` is as much as that.
_COUNTS = bytes(min(max(_DIGITS.find(byte), 0), MORE) for byte in range(256))
_NEXT = bytes(_DIGITS[min(count + 1, MORE)] for count in _COUNTS)
_ONE = _DIGITS[1:2]
_NOTHING = _DIGITS[:1] * _ENTRY_CHARS
#: When some are left out, this many more are, so that it is not done for each page.
_MORE_ROOM = 8


def parts_of(text: str) -> tuple[str, str]:
    """What a browser keeps → the part that holds caps, and the part that is read here."""
    caps, _, frequencies = text.partition(_BETWEEN)
    return caps, frequencies


def caps_room(room: int) -> int:
    """How many characters of a tally caps may take, so that there is room for this part, too."""
    return room - len(_BETWEEN) - LEAST_ROOM


def whole_of(caps: bytes, frequencies: bytes) -> bytes:
    """Inverse of `parts_of`, of ASCII."""
    return b"%b%b%b" % (caps, _BETWEEN.encode(), frequencies) if frequencies else caps


def subject_of(number: int) -> bytes:
    """How the id of a line item or campaign is spelt; ids beyond 16 millions are as one that was left out."""
    if number >> 6 * _ID_CHARS:
        number = 0
    return bytes(_DIGITS[number >> 6 * place & 63] for place in reversed(range(_ID_CHARS)))


class Frequencies:
    """How often one browser was shown what."""

    __slots__ = ("_entries",)

    def __init__(self, text: str = "") -> None:
        """Empty for any text that is none."""
        entries = text.encode("ascii", "replace")
        if len(entries) % _ENTRY_CHARS or entries.translate(None, _DIGITS):
            entries = b""
        self._entries = bytearray(entries or _NOTHING)

    def add(self, item: bytes, campaign: bytes) -> int:
        """One impression now of a line item → which one it is of that and of its campaign, as facts.

        Up to `MORE` each; 0 where that is not known. Called for each fill, hence without a loop of its own.
        """
        entries = self._entries
        at = entries.find(item)
        while at % _ENTRY_CHARS and at > 0:
            at = entries.find(item, at + 1)
        if at > 0:
            digit = entries[at + _ID_CHARS] = _NEXT[entries[at + _ID_CHARS]]
            ordinals = _COUNTS[digit]
        else:
            ordinals = self._begin(item)
        at = entries.find(campaign)
        while at % _ENTRY_CHARS and at > 0:
            at = entries.find(campaign, at + 1)
        if at > 0:
            digit = entries[at + _ID_CHARS] = _NEXT[entries[at + _ID_CHARS]]
            return ordinals | _COUNTS[digit] << _OF_CAMPAIGN
        return ordinals | self._begin(campaign) << _OF_CAMPAIGN

    def _begin(self, subject: bytes) -> int:
        """The first impression of what is not among the entries, unless it may have been left out."""
        if subject <= self._entries[:_ID_CHARS]:
            return 0
        self._entries += subject + _ONE
        return 1

    def text(self, most: int, room: int) -> bytes:
        """As a browser is to keep it: so many line items and campaigns, and characters, at most; ASCII.

        Empty where there is nothing to keep. `room` is `LEAST_ROOM` or more: what was left out must be noted.
        """
        assert room >= LEAST_ROOM, "what was left out could not be noted, and would be taken for new"
        most = min(most, room // _ENTRY_CHARS - 1)
        if len(self._entries) > _ENTRY_CHARS * (most + 1):
            self._forget(max(most - _MORE_ROOM, 0))
        return b"" if self._entries == _NOTHING else bytes(self._entries)

    def _forget(self, most: int) -> None:
        """Leave out all but so many, those with the smallest ids."""
        places = range(0, len(self._entries), _ENTRY_CHARS)
        entries = sorted(bytes(self._entries[place : place + _ENTRY_CHARS]) for place in places)
        last = entries[len(entries) - most - 1]
        self._entries = bytearray(
            b"".join([last[:_ID_CHARS] + _NOTHING[:1], *entries[len(entries) - most :]])
        )
