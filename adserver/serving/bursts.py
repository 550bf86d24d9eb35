"""Addresses and times → whether one address asks more often than readers do, with no address kept.

Counts are kept in memory, for one window at a time, under a keyed hash of the address. The key is drawn anew
each day (UTC) and at each start, and never leaves memory: nothing that is left behind leads back to anybody.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

_DAY_MS = 86_400_000
_HASH_BYTES = 8
#: A household or a device has one /64 of IPv6 and picks addresses of it at will (RFC 8981).
_IPV6_BYTES = 8


class Bursts:
    """Counts of one kind of request, by address. Each worker has its own."""

    def __init__(self, *, window_ms: int, most: int, max_addresses: int) -> None:
        """Up to `most` of one address within a window are no burst.

        Addresses beyond the first `max_addresses` of a window are not judged.
        """
        self._window_ms = window_ms
        self._most = most
        self._max_addresses = max_addresses
        self._window = self._day = -1
        self._counts: dict[bytes, int] = {}
        self.unjudged_count = 0

    def count(self, address: bytes, now_ms: int, count: int = 1) -> bool:
        """Whether an address has sent more than `most` within this window, with `count` that come now."""
        window = now_ms // self._window_ms
        if window != self._window:
            self._window, self._counts = window, {}
            if now_ms // _DAY_MS != self._day:
                self._day = now_ms // _DAY_MS
                self._keyed = blake2b(key=secrets.token_bytes(32), digest_size=_HASH_BYTES)
        keyed = self._keyed.copy()
        keyed.update(address if len(address) == 4 else address[:_IPV6_BYTES])
        name = keyed.digest()
        counted = self._counts.get(name, 0)
        if not counted and len(self._counts) >= self._max_addresses:
            self.unjudged_count += 1
            return False
        self._counts[name] = counted = counted + count
        return counted > self._most
