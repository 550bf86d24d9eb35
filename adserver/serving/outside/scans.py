"""Clicks on the links of an issue, by address → which of them a mail filter made, and which came again.

A filter opens the links of a mail at once; no reader opens two ads within a second or two. That can be seen
only once the second came, so a click waits for that long before it is recorded. Nobody waits with it, and it
is written before the server ends.

A link in a mail is the same for everybody, so nothing in it tells one click from its repeat; what does is the
address, within an hour. Addresses are kept in memory alone, under a keyed hash whose key is never written.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from adserver.measurement.event import Event, Validity

_IPV6_BYTES = 8
Record = Callable[[Sequence[Event]], None]


class Link(NamedTuple):
    """An ad's place in an issue; two of one issue differ in slot or position."""

    site: str
    issue: str
    slot: int
    position: int


class _Visit(NamedTuple):
    """What one address opened of one issue, and the clicks of these that wait."""

    begun_ms: int
    links: set[Link]
    waiting: list[Event]


class Scans:
    """The clicks of the last seconds, and what was clicked within the last hour. Each worker has its own."""

    def __init__(self, record: Record, *, window_ms: int, repeat_ms: int, most: int) -> None:
        """`most`: addresses and links that are remembered; clicks of further ones are recorded at once."""
        self._record = record
        self._window_ms, self._repeat_ms, self._most = window_ms, repeat_ms, most
        self._key = secrets.token_bytes(32)
        self._visits: dict[bytes, _Visit] = {}
        self._clicked: dict[bytes, int] = {}

    def click(self, address: bytes | None, link: Link, event: Event) -> None:
        """Take a click. `address` None: one that says nothing of who clicks, such as a proxy's."""
        self.settle(event.at_ms)
        if address is None or event.validity or len(self._clicked) >= self._most:
            self._record([event])
            return
        if self._came_before(address, link, event.at_ms):
            self._record([event._replace(validity=+Validity.DUPLICATE)])
            return
        key = self._hash(address, f"{link.site}/{link.issue}")
        visit = self._visits.setdefault(key, _Visit(event.at_ms, set(), []))
        visit.links.add(link)
        visit.waiting.append(event)

    def settle(self, now_ms: int | None = None) -> None:
        """Record the clicks that have waited for long enough; without a time, all."""
        # What came first stands first: nothing behind one that is young has to be looked at.
        while self._visits:
            key, visit = next(iter(self._visits.items()))
            if now_ms is not None and now_ms - visit.begun_ms < self._window_ms:
                break
            del self._visits[key]
            found = Validity.SCANNER if len(visit.links) > 1 else Validity.VALID
            self._record([event._replace(validity=+found) for event in visit.waiting])

    def _came_before(self, address: bytes, link: Link, now_ms: int) -> bool:
        while self._clicked:
            oldest, at_ms = next(iter(self._clicked.items()))
            if now_ms - at_ms < self._repeat_ms:
                break
            del self._clicked[oldest]
        key = self._hash(address, repr(link))
        before = key in self._clicked
        self._clicked.setdefault(key, now_ms)
        return before

    def _hash(self, address: bytes, about: str) -> bytes:
        own = address if len(address) == 4 else address[:_IPV6_BYTES]
        return blake2b(own + about.encode(), key=self._key, digest_size=16).digest()
