"""What each worker wants of limited line items ⇄ what it holds of them, in the file that all workers share.

One transaction looks at what the log has counted and what the others hold, and gives; so what is counted and
what is held are never more than was bought. A worker that has not been heard of for as long as a fill may
wait for its impression has nothing out any more: what it held is free again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from adserver.decision.lease import Round, Settled, Sums, Want, granted
from adserver.decision.ledger import GOAL_UNITS
from adserver.engines.sqlite_upkeep import Upkeep

_FORGET = tuple(
    f"DELETE FROM {table} WHERE node IN (SELECT node FROM lease_worker WHERE seen_ms < ?)"  # noqa: S608
    for table in ("lease", "lease_settled", "lease_worker")
)
_SEEN = """
INSERT INTO lease_worker VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET seen_ms = excluded.seen_ms, page_pace = excluded.page_pace
"""
_WORKERS = "SELECT count(*), sum(page_pace) FROM lease_worker WHERE seen_ms >= ?"
#: Who was not heard of for so long has its fills out yet, but no part in what is free.
_LIVE_MS = 30_000
_SUMS = """
SELECT coalesce(d.impression_count, 0), coalesce(d.viewable_count, 0), coalesce(d.click_count, 0),
  coalesce(d.revenue_micros, 0), coalesce(p.revenue_micros, 0),
  coalesce((SELECT sum(held) FROM lease WHERE item = wanted.item AND node <> :node), 0)
FROM (SELECT key, value ->> 0 AS item, value ->> 1 AS day FROM json_each(:wants)) AS wanted
LEFT JOIN delivered d ON d.item = wanted.item
LEFT JOIN progress p ON p.item = wanted.item AND p.day = wanted.day
ORDER BY wanted.key
"""
_HOLD = "INSERT INTO lease VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET held = excluded.held"
_TAKE_SETTLED = "DELETE FROM lease_settled WHERE node = ? RETURNING item, minute, fill_count"
_NOTE_SETTLED = """
INSERT INTO lease_settled
SELECT c.node, c.item, c.minute, c.event_count FROM lease_worker w CROSS JOIN counted c ON c.node = w.node
WHERE c.kind = 1 AND c.node <> ?
ON CONFLICT DO UPDATE SET fill_count = fill_count + excluded.fill_count
"""


class SqliteLeases(Upkeep):
    """The leases of one worker, by its node number. Calls come one after the other, from any thread."""

    def __init__(self, path: Path, node: int, *, expiry_ms: int) -> None:
        """`expiry_ms`: how long a worker that is not heard of is believed to hold what it held."""
        super().__init__(path, any_thread=True)
        self._node = node
        self._expiry_ms = expiry_ms
        # Leases need not outlive a power failure: no worker does.
        self._db.execute("PRAGMA synchronous=NORMAL")

    def settle(self) -> list[Settled]:
        """What of this worker's fills others counted since it last asked. Raises StorageFailed."""
        with self._transaction():
            return [Settled(*row) for row in self._db.execute(_TAKE_SETTLED, (self._node,))]

    def lease(self, wants: Sequence[Want], now_ms: int, page_pace: float) -> Round:
        """Tell that this worker lives, and give it what it may hold of its wants. Raises StorageFailed.

        `page_pace`: how many pages asked it lately, in the measure of all workers.
        """
        with self._transaction():
            for statement in _FORGET:
                self._db.execute(statement, (now_ms - self._expiry_ms,))
            self._db.execute(_SEEN, (self._node, now_ms, page_pace))
            worker_count, pages = self._db.execute(_WORKERS, (now_ms - _LIVE_MS,)).fetchone()
            grants = [
                granted(want, sums, worker_count) for want, sums in zip(wants, self._sums(wants), strict=True)
            ]
            self._hold([(one.item_id, one.held) for one in grants])
        # Who was asked by nobody yet is as likely to be asked as the others.
        return Round(grants, (page_pace + 1) / (pages + worker_count))

    def release(self, outstanding: Sequence[tuple[int, int]]) -> None:
        """Hand back all but (line item, fills that are served and not counted). Raises StorageFailed."""
        with self._transaction():
            self._db.execute("DELETE FROM lease WHERE node = ?", (self._node,))
            self._hold(outstanding)

    def _hold(self, held: Sequence[tuple[int, int]]) -> None:
        self._db.executemany(_HOLD, [(item, self._node, count) for item, count in held if count])
        nothing = [(item, self._node) for item, count in held if not count]
        self._db.executemany("DELETE FROM lease WHERE item = ? AND node = ?", nothing)

    def _sums(self, wants: Sequence[Want]) -> list[Sums]:
        asked = json.dumps([(want.item_id, want.account.day) for want in wants])
        rows = self._db.execute(_SUMS, {"wants": asked, "node": self._node})
        return [
            Sums(dict(zip(GOAL_UNITS, row[:3], strict=True)).get(want.account.unit, 0), *row[3:])
            for want, row in zip(wants, rows, strict=True)
        ]


def note_settled(db: sqlite3.Connection, node: int) -> None:
    """Tell other workers which of their fills a batch counts, in its transaction; it is in `counted`."""
    db.execute(_NOTE_SETTLED, (node,))
