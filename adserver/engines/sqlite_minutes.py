"""The end of the log, and what workers keep of themselves → the last minutes, as they are just now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from adserver.engines.sqlite_reader import SqliteReader

#: A fill's id begins with its time in ms, before 22 other bits (`measurement.token`).
_AT_SHIFT = 22
_MINUTES = """
SELECT (fill >> 22) / 60000, sum(kind = 1), sum(kind = 3), sum(kind = 4)
FROM event WHERE fill >= :since AND validity = 0 AND slot IN (SELECT value FROM json_each(:slots))
GROUP BY 1
"""
_STATES = "SELECT value FROM saved_state WHERE name GLOB :named AND at_ms >= :since_ms"


class MinuteCounts(NamedTuple):
    """What counts of the fills of one minute, in minutes since 1970."""

    minute: int
    impression_count: int
    viewable_count: int
    click_count: int


class SqliteMinutes(SqliteReader):
    """Reads the newest of one database file; raises StorageFailed."""

    async def minutes(self, since_ms: int, slots: Sequence[int]) -> list[MinuteCounts]:
        """Events of fills from a moment on, by the minute of the fill."""
        asked: dict[str, str | int | None]
        asked = {"since": since_ms << _AT_SHIFT, "slots": json.dumps(slots)}
        return [MinuteCounts(*row) for row in await self._rows(_MINUTES, asked)]

    async def states(self, prefix: str, since_ms: int) -> list[bytes]:
        """What is kept under names with a prefix and was renewed since a moment."""
        asked: dict[str, str | int | None] = {"named": f"{prefix}*", "since_ms": since_ms}
        return [bytes(value) for (value,) in await self._rows(_STATES, asked)]
