"""What a visitor's browser has seen ⇄ a short signed text that only that browser keeps: the tally of caps.

The text holds, for each line item and campaign with a cap, in which minutes it was shown and how often. It
holds no visitor id and no random number: two visits are linked by nothing but these counts. Whoever removes
it begins anew, and whoever brings back an older one is shown what that one allows; nobody can make one up.

Whatever is rounded is rounded so that a cap is never exceeded. An impression is held to have been when the
minute after it begins, so it counts for up to a minute longer than it should, never shorter; and where more
than `MOST_ENTRIES` minutes of one subject are needed, the impressions of one are moved to a later one.

The bytes are columns of numbers as wide as their largest, not varints: as short, and read without a loop over
bytes. The signature is keyed BLAKE2b (RFC 7693) over the text itself, so one tally has one spelling.
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from operator import sub
from struct import Struct

#: (impressions, seconds): at most so many within any half-open window of this length.
Limit = tuple[int, int]
#: Catalog id of a line item or campaign → its limits. What has no cap is absent.
Caps = Mapping[int, tuple[Limit, ...]]
#: (time in whole minutes since 1970, impressions) of one subject, the newest first, each time once.
Entries = list[tuple[int, int]]

#: Times that are told apart for one subject. A cap of up to so many impressions never needs more.
MOST_ENTRIES = 12
#: How far a tally may be ahead of the clock and is still believed: servers' clocks differ and are set back.
_MOST_MINUTES_AHEAD = 60
#: A tally that nothing is added to is written anew after this time, without what has expired.
_REWRITE_MINUTES = 24 * 60

_FORMAT = 1
#: format, minute of writing, widths of four columns (2 bits each), subjects, entries of several impressions
_HEAD = Struct("<BIBHH")
_WIDTHS = "BHIQ"
_MAC_BYTES = 9
_MAC_CHARS = _MAC_BYTES * 4 // 3
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class Tally:
    """How often one visitor has seen which subject, and when; read from a text, or empty."""

    __slots__ = ("_seen", "changed", "text")

    def __init__(self, text: str = "", seen: dict[int, Entries] | None = None, changed: bool = False) -> None:
        self.text = text
        """What it was read from; empty when that was not a tally."""
        self.changed = changed
        """Whether it has to be written anew. If not, its text still says all of it."""
        self._seen = {} if seen is None else seen

    def room(self, subject: int, limits: Sequence[Limit], now_s: int) -> int:
        """How many more impressions of a subject each of its limits, one or more, allows now; 0 or more."""
        entries = self._seen.get(subject, ())
        least = min(
            impressions - sum(count for minute, count in entries if minute > (now_s - per_s) // 60)
            for impressions, per_s in limits
        )
        return max(least, 0)

    def blocked(self, caps: Caps, now_s: int) -> list[int]:
        """The subjects that may not be shown now: those of `caps` without room."""
        found = []
        for subject, entries in self._seen.items():
            for impressions, per_s in caps.get(subject, ()):
                since = (now_s - per_s) // 60
                for minute, count in entries:
                    if minute <= since:
                        break
                    impressions -= count
                if impressions <= 0:
                    found.append(subject)
                    break
        return found

    def add(self, subjects: Iterable[int], now_s: int) -> None:
        """One impression now for each subject, two for one that is named twice."""
        seen, next_minute = self._seen, now_s // 60 + 1
        for subject in subjects:
            self.changed = True
            entries = seen.get(subject)
            if entries is None:
                seen[subject] = [(next_minute, 1)]
                continue
            newest, count = entries[0]
            if next_minute > newest:
                entries.insert(0, (next_minute, 1))
            else:  # the same minute; or a clock that was set back, and later is safe
                entries[0] = (newest, count + 1)

    def _needed(self, caps: Caps, now_s: int) -> list[tuple[int, Entries]]:
        """Its subjects in the order of their ids, without what even the longest window of each has passed."""
        needed = []
        for subject, entries in self._seen.items():
            longest_s = 0
            for _, per_s in caps.get(subject, ()):
                if per_s > longest_s:
                    longest_s = per_s
            since = (now_s - longest_s) // 60
            if not longest_s or entries[0][0] <= since:
                continue
            if entries[-1][0] <= since:
                entries = [entry for entry in entries if entry[0] > since]
            if len(entries) > MOST_ENTRIES:
                entries = _merged(entries)
            needed.append((subject, entries))
        needed.sort()
        return needed


class TallyKey:
    """Signs and reads tallies with one secret of 16 to 64 bytes; a text is never longer than `max_chars`."""

    def __init__(self, secret: bytes, *, max_chars: int) -> None:
        assert 16 <= len(secret) <= 64, (
            "BLAKE2b takes keys of up to 64 bytes, and less than 16 can be guessed"
        )
        self._keyed = blake2b(key=secret, digest_size=_MAC_BYTES, person=b"adserver-tally")
        self._max_chars = max_chars

    def read(self, text: str, now_s: int) -> Tally:
        """What a text says; an empty tally for any text that this key did not sign, or signed in the future.

        Takes time and memory in proportion to `max_chars` at most.
        """
        if not text or not _MAC_CHARS < len(text) <= self._max_chars or not text.isascii():
            return Tally()
        signed = text.encode()
        body = signed[:-_MAC_CHARS]
        if not hmac.compare_digest(signed[-_MAC_CHARS:], self._mac(body)):
            return Tally()
        packed = binascii.a2b_base64(body.translate(_FROM_URL) + b"==")
        if packed[0] != _FORMAT:
            return Tally()
        written, seen = _unpack(packed)
        age_minutes = now_s // 60 - written
        if age_minutes < -_MOST_MINUTES_AHEAD:
            return Tally()
        return Tally(text, seen, age_minutes >= _REWRITE_MINUTES)

    def write(self, tally: Tally, caps: Caps, now_s: int) -> bytes:
        """The text of a tally, ASCII and safe in a URL; empty when there is nothing that a cap still needs.

        Leaves out subjects without a cap, and of the others what even their longest window has passed. What
        is still too long loses the subjects whose last impression is the oldest, until it fits.
        """
        needed = tally._needed(caps, now_s)
        while needed:
            packed = _pack(needed, now_s // 60)
            body = binascii.b2a_base64(packed, newline=False).translate(_TO_URL).rstrip(b"=")
            excess = len(body) + _MAC_CHARS - self._max_chars
            if excess <= 0:
                return body + self._mac(body)
            needed = _without_oldest(needed, packed, excess)
        return b""

    def _mac(self, body: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(body)
        return binascii.b2a_base64(keyed.digest(), newline=False).translate(_TO_URL)


def _merged(entries: Entries) -> Entries:
    """Neighbours joined at the newer's time until there are few enough.

    First those for which the impressions moved, times the minutes, are least, so that no entry gathers all.
    """
    entries = entries.copy()
    while len(entries) > MOST_ENTRIES:
        _, place = min(
            ((entries[place - 1][0] - entries[place][0]) * entries[place][1], place)
            for place in range(1, len(entries))
        )
        minute, count = entries[place - 1]
        entries[place - 1 : place + 1] = [(minute, count + entries[place][1])]
    return entries


def _without_oldest(
    needed: list[tuple[int, Entries]], packed: bytes, excess_chars: int
) -> list[tuple[int, Entries]]:
    """Leaves out the subjects whose last impression is the oldest, until the text is so much shorter."""
    _, _, widths, _, _ = _HEAD.unpack_from(packed)
    step_bytes, age_bytes = 1 << (widths & 3), 1 << (widths >> 2 & 3)
    many_bytes = (1 << (widths >> 4 & 3)) + (1 << (widths >> 6))
    dropped, saved_bytes = set(), 0
    for subject, entries in sorted(needed, key=lambda one: (one[1][0][0], one[0])):
        dropped.add(subject)
        saved_bytes += step_bytes + 1 + age_bytes * len(entries)
        saved_bytes += many_bytes * sum(count > 1 for _, count in entries)
        if 4 * saved_bytes >= 3 * excess_chars:  # 4 characters hold 3 bytes
            break
    return [one for one in needed if one[0] not in dropped]


def _pack(needed: list[tuple[int, Entries]], minutes_now: int) -> bytes:
    """One or more subjects in the order of their ids → head and columns."""
    subjects = [subject for subject, _ in needed]
    steps = list(map(sub, subjects, [0, *subjects]))
    written = max(minutes_now, max([entries[0][0] for _, entries in needed]))
    ages: list[int] = []
    places: list[int] = []
    counts: list[int] = []
    for _, entries in needed:
        for minute, count in entries:
            if count > 1:
                places.append(len(ages))
                counts.append(count)
            ages.append(written - minute)
    widths, columns = 0, [steps, ages]
    if places:
        columns += [places, counts]
    packed = [bytes([len(entries) for _, entries in needed])]
    for shift, column in enumerate(columns):
        width = _width(max(column))
        widths |= width << 2 * shift
        packed.append(bytes(column) if not width else _column(width, len(column)).pack(*column))
    return _HEAD.pack(_FORMAT, written, widths, len(needed), len(places)) + b"".join(packed)


def _unpack(packed: bytes) -> tuple[int, dict[int, Entries]]:
    """Head and columns → the minute of writing, and entries by subject."""
    _, written, widths, subject_count, many_count = _HEAD.unpack_from(packed)
    at = _HEAD.size + subject_count
    lengths = packed[_HEAD.size : at]
    entry_count = sum(lengths)
    steps, at = _numbers(packed, at, widths & 3, subject_count)
    ages, at = _numbers(packed, at, widths >> 2 & 3, entry_count)
    entries = [(written - age, 1) for age in ages]
    if many_count:
        places, at = _numbers(packed, at, widths >> 4 & 3, many_count)
        counts, at = _numbers(packed, at, widths >> 6, many_count)
        for place, count in zip(places, counts, strict=True):
            entries[place] = (entries[place][0], count)
    seen, start = {}, 0
    for subject, length in zip(accumulate(steps), lengths, strict=True):
        seen[subject] = entries[start : start + length]
        start += length
    return written, seen


def _numbers(packed: bytes, at: int, width: int, count: int) -> tuple[Sequence[int], int]:
    """The column that begins at a place, and the place where it ends."""
    end = at + (count << width)
    return packed[at:end] if not width else _column(width, count).unpack_from(packed, at), end


def _width(number: int) -> int:
    """The narrowest column for a number from 0 to 2⁶⁴ - 1: 2 to the power of this many bytes."""
    if number < 1 << 8:
        return 0
    if number < 1 << 16:
        return 1
    return 2 if number < 1 << 32 else 3


@lru_cache(maxsize=2_000)
def _column(width: int, count: int) -> Struct:
    return Struct(f"<{count}{_WIDTHS[width]}")
