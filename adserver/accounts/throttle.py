"""Failed attempts by key → whether another may be made now; kept in memory, for one worker.

A key is an address or an account. After `most` failures within the window no attempt is made for it until the
oldest of them is that old.
"""

from __future__ import annotations

from collections import OrderedDict, deque


class Throttle:
    """Failures of the last while. Bounded: where too many keys are known, the one longest unused goes."""

    def __init__(self, *, most: int, window_ms: int, max_keys: int) -> None:
        self._most = most
        self._window_ms = window_ms
        self._max_keys = max_keys
        self._failed: OrderedDict[str, deque[int]] = OrderedDict()

    def wait_ms(self, key: str, now_ms: int) -> int:
        """How long until an attempt may be made; 0: now."""
        failed = self._failed.get(key)
        if failed is None:
            return 0
        while failed and failed[0] <= now_ms - self._window_ms:
            failed.popleft()
        return failed[0] + self._window_ms - now_ms if len(failed) >= self._most else 0

    def fail(self, key: str, now_ms: int) -> None:
        """Take note of a failure."""
        failed = self._failed.setdefault(key, deque(maxlen=self._most))
        failed.append(now_ms)
        self._failed.move_to_end(key)
        while len(self._failed) > self._max_keys:
            self._failed.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Forget the failures of a key."""
        self._failed.pop(key, None)
