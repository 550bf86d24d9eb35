"""A name and a number → whether nobody had it before: of several workers, one does what is done once."""

from __future__ import annotations

from adserver.engines.sqlite_upkeep import Upkeep

_CLAIM = """
INSERT INTO saved_state VALUES (:name, :at_ms, CAST(CAST(:number AS TEXT) AS BLOB))
ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, value = excluded.value
WHERE CAST(saved_state.value AS INTEGER) < CAST(excluded.value AS INTEGER)
"""


class Claims(Upkeep):
    """What was done up to a number, in one database file; raises StorageFailed."""

    def claim(self, name: str, number: int, at_ms: int) -> bool:
        """Whether this number, above all before it, is now the caller's."""
        with self._transaction():
            done = self._db.execute(_CLAIM, {"name": name, "number": number, "at_ms": at_ms})
            return done.rowcount > 0
