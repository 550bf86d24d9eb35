"""Batches of events → rows of the log and their rollups, in one SQLite transaction each.

Statements take a whole batch as one JSON parameter: the work is done inside SQLite, off the interpreter's
lock, so that pages are answered while events are written. Functions here are synchronous and belong to one
thread; `measurement.log` gives them theirs.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from adserver.errors import StorageFailed

#: One row of the log: fill, kind, at_ms, bucket, slot, creative, revenue_micros, validity.
Row = tuple[int, int, int, int, int, int, int, int]
#: (bucket, slot, outcome) → how many times a slot was asked for.
Requests = Mapping[tuple[int, int, str], int]


_INCOMING = """
CREATE TEMP TABLE incoming (
  fill INTEGER NOT NULL, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL, bucket INTEGER NOT NULL,
  slot INTEGER NOT NULL, creative INTEGER NOT NULL, revenue_micros INTEGER NOT NULL,
  validity INTEGER NOT NULL, repeat_count INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (fill, kind)) WITHOUT ROWID
"""
_TAKE = """
INSERT INTO incoming SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
  value ->> 6, value ->> 7, 0 FROM json_each(?) WHERE true
ON CONFLICT DO UPDATE SET repeat_count = repeat_count + 1
"""
_REPEATS = """
WITH again AS MATERIALIZED (
  SELECT i.fill, i.kind, i.repeat_count + 1 AS count FROM incoming i CROSS JOIN event e USING (fill, kind))
UPDATE event SET repeat_count = repeat_count + again.count FROM again
WHERE event.fill = again.fill AND event.kind = again.kind
"""
#: A repeat counts as a duplicate of the row that was there first, in that row's bucket, slot and creative.
_MARK_REPEATS = """
INSERT INTO marked_rollup
SELECT e.bucket, e.slot, e.creative, e.kind, 1, sum(i.repeat_count + 1)
FROM incoming i CROSS JOIN event e USING (fill, kind) GROUP BY 1, 2, 3, 4
ON CONFLICT DO UPDATE SET event_count = event_count + excluded.event_count
"""
_DROP_REPEATS = """
DELETE FROM incoming WHERE EXISTS (
  SELECT 1 FROM event e WHERE e.fill = incoming.fill AND e.kind = incoming.kind)
"""
_FOLD = """
SELECT bucket, slot, creative, sum(kind = 1) AS impression_count, sum(kind = 2) AS measurable_count,
  sum(kind = 3) AS viewable_count, sum(kind = 4) AS click_count, sum(kind = 5) AS conversion_count,
  sum(revenue_micros) AS revenue_micros
FROM {source} WHERE validity = 0 GROUP BY 1, 2, 3
"""
_FOLD_MARKED = """
SELECT bucket, slot, creative, kind, validity, sum(event_count) AS event_count FROM (
  SELECT bucket, slot, creative, kind, validity, 1 AS event_count FROM {source} WHERE validity <> 0
  UNION ALL
  SELECT bucket, slot, creative, kind, 1, repeat_count FROM {source} WHERE repeat_count > 0)
GROUP BY 1, 2, 3, 4, 5
"""
_ADD_FOLD = (
    "INSERT INTO rollup "
    + _FOLD.format(source="incoming")
    + """
ON CONFLICT DO UPDATE SET
  impression_count = impression_count + excluded.impression_count,
  measurable_count = measurable_count + excluded.measurable_count,
  viewable_count = viewable_count + excluded.viewable_count,
  click_count = click_count + excluded.click_count,
  conversion_count = conversion_count + excluded.conversion_count,
  revenue_micros = revenue_micros + excluded.revenue_micros
"""
)
_ADD_MARKED = (
    "INSERT INTO marked_rollup "
    + _FOLD_MARKED.format(source="incoming")
    + "ON CONFLICT DO UPDATE SET event_count = event_count + excluded.event_count"
)
_ADD_REQUESTS = """
INSERT INTO request_rollup SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
FROM json_each(?) WHERE true
ON CONFLICT DO UPDATE SET request_count = request_count + excluded.request_count
"""
_DIFFERENT = """
SELECT count(*) FROM (SELECT {key} FROM (
  SELECT * FROM (SELECT * FROM fold EXCEPT SELECT * FROM {table})
  UNION ALL
  SELECT * FROM (SELECT * FROM {table} EXCEPT SELECT * FROM fold)) GROUP BY {key})
"""
_KEEP = "INSERT INTO event SELECT * FROM incoming"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What `rebuild` found: rows of each rollup that were missing or different, and events in the log."""

    event_count: int
    wrong_rollup_count: int
    wrong_marked_count: int

    @property
    def equal(self) -> bool:
        """Whether the rollups were the fold of the log already."""
        return not self.wrong_rollup_count and not self.wrong_marked_count


class SqliteLog:
    """The event log in one SQLite file. Write-ahead log, synced on every commit: what is committed stays."""

    def __init__(self, path: Path, *, busy_seconds: float = 10.0) -> None:
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=busy_seconds)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(_INCOMING)

    def close(self) -> None:
        """Close the file; what was committed is in it."""
        self._db.close()

    def secret(self) -> bytes:
        """The key that signs fill tokens, made when first asked for and the same ever after."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO secret VALUES ('fill', ?)", (secrets.token_bytes(32),))
            row: tuple[bytes] = self._db.execute("SELECT value FROM secret WHERE name = 'fill'").fetchone()
        return row[0]

    def node_number(self) -> int:
        """A number that no other start of a server or import on this file has had."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO counter VALUES ('node', 1) ON CONFLICT DO UPDATE SET value = value + 1"
            )
            row: tuple[int] = self._db.execute("SELECT value FROM counter WHERE name = 'node'").fetchone()
        return row[0]

    def last_event_ms(self) -> int | None:
        """Start of the newest bucket with an event, in milliseconds since 1970; None in an empty log."""
        row: tuple[int | None] = self._db.execute("SELECT max(bucket) * 900000 FROM rollup").fetchone()
        return row[0]

    def commit(self, rows: Sequence[Row], requests: Requests) -> int:
        """Write events and counts of requests durably, with their rollups; how many events were new.

        The first of several events of one kind and fill stays; the others raise its `repeat_count`. Raises
        StorageFailed with nothing written.
        """
        with self._transaction():
            return self.add(rows, requests)

    def add(self, rows: Sequence[Row], requests: Requests) -> int:
        """`commit`'s work inside a transaction of the caller's; how many events were new."""
        fresh = 0
        if rows:
            self._db.execute("DELETE FROM incoming")
            self._db.execute(_TAKE, (msgspec.json.encode(rows).decode(),))
            self._db.execute(_MARK_REPEATS)
            self._db.execute(_REPEATS)
            self._db.execute(_DROP_REPEATS)
            self._db.execute(_ADD_FOLD)
            self._db.execute(_ADD_MARKED)
            fresh = self._db.execute(_KEEP).rowcount
        if requests:
            counts = [(*key, count) for key, count in requests.items()]
            self._db.execute(_ADD_REQUESTS, (msgspec.json.encode(counts).decode(),))
        return fresh

    def was_imported(self, digest: str) -> bool:
        """Whether a file with this digest is in the log already."""
        return self._db.execute("SELECT 1 FROM imported WHERE digest = ?", (digest,)).fetchone() is not None

    def import_history(
        self, digest: str, file: str, at_ms: int, batches: Iterable[Sequence[Row]]
    ) -> int | None:
        """Write all batches of a file, or nothing; how many events, or None if this very file is in the log.

        `batches` may raise: nothing is written then. Ids must be new; one that is not is an assertion.
        """
        with self._transaction():
            if self.was_imported(digest):
                return None
            total = 0
            for rows in batches:
                fresh = self.add(rows, {})
                assert fresh == len(rows), "an import gives its events new ids; some were in the log before"
                total += fresh
            self._db.execute("INSERT INTO imported VALUES (?, ?, ?, ?)", (digest, file, at_ms, total))
        return total

    def rebuild(self) -> Rebuilt:
        """Compare the rollups with the fold of the log and put right what differs, in one transaction."""
        with self._transaction():
            wrong = self._restate("rollup", _FOLD.format(source="event"), key_columns=3)
            marked = self._restate("marked_rollup", _FOLD_MARKED.format(source="event"), key_columns=5)
            row: tuple[int] = self._db.execute("SELECT count(*) FROM event").fetchone()
        return Rebuilt(row[0], wrong, marked)

    def _restate(self, table: str, fold: str, *, key_columns: int) -> int:
        """Make a rollup equal to its fold; how many rows were missing, surplus or different."""
        key = ", ".join(("bucket", "slot", "creative", "kind", "validity")[:key_columns])
        self._db.execute(f"CREATE TEMP TABLE fold AS {fold}")
        different = _DIFFERENT.format(table=table, key=key)
        wrong: tuple[int] = self._db.execute(different).fetchone()
        if wrong[0]:
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608  (a constant of ours)
            self._db.execute(f"INSERT INTO {table} SELECT * FROM fold")  # noqa: S608
        self._db.execute("DROP TABLE fold")
        return wrong[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageFailed(f"{self._path}: {error}") from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
