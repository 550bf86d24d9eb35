"""Batches of events → rows of the log and their sums, in one SQLite transaction each.

Statements take hundreds of rows at once: the work is done inside SQLite, off the interpreter's lock, so that
pages are answered while events are written. Functions here are synchronous and belong to one
thread; `measurement.log` gives them theirs.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec

from adserver.engines.sqlite_audit import AuditEntry, keep_entry
from adserver.engines.sqlite_breakdown import FOLD_AT_ONCE, add_late, add_repeats, fold_all, fold_some
from adserver.engines.sqlite_closing import correct_months
from adserver.engines.sqlite_conversions import Conversion, keep_orders, mark_conversions
from adserver.engines.sqlite_flat import keep_days, take_due
from adserver.engines.sqlite_fold import Rebuilt, Row, add_incoming, rebuild
from adserver.engines.sqlite_leases import note_settled
from adserver.engines.sqlite_limits import Counted, Limit, keep_limits, prepare_limits, replace_limits
from adserver.engines.sqlite_marks import mark_excluded, replace_marks
from adserver.engines.sqlite_refilter import Moved, Rules, judge, prepare_refilter, settle, take_judged
from adserver.engines.sqlite_traffic import mark_clicks, prepare_traffic, withdraw_invalid
from adserver.errors import StorageFailed

#: (bucket, slot, outcome) → how many times a slot was asked for.
Requests = Mapping[tuple[int, int, str], int]


_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)"
_INCOMING = """
CREATE TEMP TABLE incoming (
  fill INTEGER NOT NULL, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL, bucket INTEGER NOT NULL,
  day INTEGER NOT NULL, slot INTEGER NOT NULL, item INTEGER NOT NULL, creative INTEGER NOT NULL,
  revenue_micros INTEGER NOT NULL, validity INTEGER NOT NULL, size INTEGER NOT NULL, facts INTEGER NOT NULL,
  model INTEGER NOT NULL, repeat_count INTEGER NOT NULL, found INTEGER NOT NULL,
  PRIMARY KEY (fill, kind)) WITHOUT ROWID
"""
_KIND, _VALIDITY = 1, 9
#: What was known of an event when it came stays, whatever it is judged to be: by this it can be judged again.
_NOTE_FOUND = "UPDATE incoming SET found = validity WHERE validity <> 0"
#: `found` of another ad server's events: it judged them, and what came of their fills is not known.
_NOTE_IMPORTED = "UPDATE incoming SET found = -1"
#: Rows that one statement takes. Many at once spend a quarter of what JSON costs, and a statement of each
#: size is compiled once; 512 rows stay within SQLite's 32,766 variables.
_TAKEN_AT_ONCE = (512, 256, 64, 8, 1)
#: Within a batch, too, a valid event takes the place of invalid traffic (16 and above) that came before it.
_BETTER = ", ".join(
    f"{name} = iif(validity >= 16 AND excluded.validity = 0, excluded.{name}, {name})"
    for name in ("at_ms", "revenue_micros", "validity")
)
_TAKE = {
    count: f"INSERT INTO incoming VALUES {', '.join([_ROW] * count)}"  # noqa: S608  (question marks)
    f" ON CONFLICT DO UPDATE SET repeat_count = repeat_count + 1, {_BETTER}"
    for count in _TAKEN_AT_ONCE
}
#: What is in the log already, with the row that was there first.
_AGAIN = """
CREATE TEMP TABLE again (
  fill INTEGER NOT NULL, kind INTEGER NOT NULL, bucket INTEGER NOT NULL, slot INTEGER NOT NULL,
  creative INTEGER NOT NULL, repeat_count INTEGER NOT NULL, PRIMARY KEY (fill, kind)) WITHOUT ROWID
"""
_FIND_REPEATS = """
INSERT INTO again SELECT e.fill, e.kind, e.bucket, e.slot, e.creative, i.repeat_count + 1
FROM incoming i CROSS JOIN event e USING (fill, kind)
"""
#: A repeat counts as a duplicate of the row that was there first, in that row's bucket, slot and creative.
_COUNT_REPEATS = (
    """
    INSERT INTO marked_rollup SELECT bucket, slot, creative, kind, 1, sum(repeat_count)
    FROM again WHERE true GROUP BY 1, 2, 3, 4
    ON CONFLICT DO UPDATE SET event_count = event_count + excluded.event_count
    """,
    """
    UPDATE event SET repeat_count = event.repeat_count + again.repeat_count FROM again
    WHERE event.fill = again.fill AND event.kind = again.kind
    """,
    "DELETE FROM incoming WHERE (fill, kind) IN (SELECT fill, kind FROM again)",
)
_ADD_REQUESTS = """
INSERT INTO request_rollup SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
FROM json_each(?) WHERE true
ON CONFLICT DO UPDATE SET request_count = request_count + excluded.request_count
"""
_VALID, _DUPLICATE, _IMPRESSION = 0, 1, 1
#: A batch is what came while the one before was written. Larger ones, also with small ones between them, mean
#: that much is coming: whoever waits for them does not wait for the sums by dimension as well, unless too
#: many events are missing there. So many are summed at once then: fewer would touch nearly as many pages.
_SMALL, _CALM, _MOST_NOT_FOLDED, _FOLD_IN_FLOOD = 100, 8, 200_000, 20_000
#: Numbers of nodes as fill ids have them (`measurement.token`), and what is none.
_NODE_COUNT, _NO_NODE = 1024, -1
#: What of a batch does not count, its repeats, and what has no column in the rollup (`sqlite_fold.MARKED`),
#: by reason; most batches have nothing of these.
_MARKED = """
SELECT validity, count(*), sum(repeat_count) FROM incoming
WHERE validity <> 0 OR repeat_count <> 0 OR kind >= 7 GROUP BY 1
"""
_COLUMNS = (
    "fill, kind, at_ms, bucket, day, slot, item, creative, revenue_micros, validity, size, facts, model, "
    "repeat_count, found"
)
_KEEP = f"INSERT INTO event ({_COLUMNS}) SELECT {_COLUMNS} FROM incoming"  # noqa: S608  (our own names)
_SAVE = """
INSERT INTO saved_state VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, value = excluded.value
"""


class State(NamedTuple):
    """Something that outlives a restart under a name, and when it was true."""

    name: str
    at_ms: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Committed:
    """How many events of a batch were new, which of them count, and how many do not, by their validity."""

    count: int
    counted: Sequence[Counted]
    marked: Mapping[int, int]


class SqliteLog:
    """The event log in one SQLite file. Write-ahead log, synced on every commit: what is committed stays."""

    def __init__(
        self, path: Path, *, busy_seconds: float = 10.0, min_click_delay_ms: int | None = None
    ) -> None:
        """A click without an impression, or before `min_click_delay_ms` after it, is marked; None: no."""
        self._path = path
        self._min_click_delay_ms = min_click_delay_ms
        self._node = _NO_NODE
        self._not_folded = 0
        self._small_batches = _CALM
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=busy_seconds)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(_INCOMING)
        self._db.execute(_AGAIN)
        prepare_limits(self._db)
        prepare_traffic(self._db)
        prepare_refilter(self._db)

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
        self._node = row[0] % _NODE_COUNT
        return row[0]

    def last_event_ms(self) -> int | None:
        """Start of the newest bucket with an event, in milliseconds since 1970; None in an empty log."""
        row: tuple[int | None] = self._db.execute("SELECT max(bucket) * 900000 FROM rollup").fetchone()
        return row[0]

    def limit(self, limits: Sequence[Limit]) -> None:
        """Make these the limits of all that is written from now on by this log. Raises StorageFailed."""
        with self._transaction():
            replace_limits(self._db, limits)

    def commit(
        self,
        rows: Sequence[Row],
        requests: Requests,
        states: Sequence[State] = (),
        conversions: Sequence[Conversion] = (),
        days: Sequence[Sequence[Row]] = (),
    ) -> Committed:
        """Write events, counts of requests, states, orders and flat days durably, in one transaction.

        All sums go with it. The first of several events of one kind and fill stays; the others raise its
        `repeat_count`. What is beyond a limit is marked, and a conversion that nothing led to. A flat day,
        given as its parts, is written once. Raises StorageFailed with nothing written.
        """
        with self._transaction():
            self._db.executemany(_SAVE, states)
            due = take_due(self._db, days) if days else []
            committed = self.add(
                [*rows, *due] if due else rows, requests, self._min_click_delay_ms, conversions
            )
            if due:
                keep_days(self._db)
            return committed

    def add(
        self,
        rows: Sequence[Row],
        requests: Requests,
        min_click_delay_ms: int | None = None,
        conversions: Sequence[Conversion] = (),
        *,
        imported: bool = False,
    ) -> Committed:
        """`commit`'s work inside a transaction of the caller's.

        A history's clicks have no impressions, and its conversions neither clicks nor orders.
        """
        if requests:
            counts = [(*key, count) for key, count in requests.items()]
            self._db.execute(_ADD_REQUESTS, (msgspec.json.encode(counts).decode(),))
        if not (rows or conversions):
            return Committed(0, (), {})
        self._take([*rows, *(one.row for one in conversions)] if conversions else rows)
        if imported or any(row[_VALIDITY] for row in rows):
            self._db.execute(_NOTE_IMPORTED if imported else _NOTE_FOUND)
        marked = self._find_repeats()
        mark_excluded(self._db)
        follows = any(row[_KIND] != _IMPRESSION for row in rows) or bool(conversions)
        if min_click_delay_ms is not None and follows:
            mark_clicks(self._db, min_click_delay_ms)
        orders = mark_conversions(self._db, conversions) if conversions else ()
        counted = keep_limits(self._db, follows=follows)
        if any(one.node != self._node for one in counted):
            note_settled(self._db, self._node)
        found = self._db.execute(_MARKED).fetchall()
        for validity, count, repeat_count in found:
            marked[validity] += count
            marked[_DUPLICATE] += repeat_count
        del marked[_VALID]
        new_count = self._keep(any_marked=bool(found))
        keep_orders(self._db, orders)
        self._fold(new_count)
        return Committed(new_count, counted, marked)

    def _keep(self, *, any_marked: bool) -> int:
        """Write what is judged into the log and its sums; how many rows."""
        add_incoming(self._db, any_marked=any_marked)
        add_late(self._db)
        return self._db.execute(_KEEP).rowcount

    def _fold(self, new_count: int) -> None:
        """Let the sums by dimension follow; while much is coming, only once they are far behind."""
        self._not_folded += new_count
        self._small_batches = self._small_batches + 1 if new_count <= _SMALL else 0
        if self._small_batches >= _CALM:
            at_once = new_count + FOLD_AT_ONCE
        elif self._not_folded > _MOST_NOT_FOLDED:
            at_once = _FOLD_IN_FLOOD
        else:
            return
        self._not_folded = self._not_folded - at_once if fold_some(self._db, at_once) else 0

    def _find_repeats(self) -> Counter[int]:
        """Take what is in the log already out of the batch, and count it there, as duplicates."""
        if not self._db.execute(_FIND_REPEATS).rowcount:
            return Counter()
        withdraw_invalid(self._db)
        add_repeats(self._db)
        (count,) = self._db.execute("SELECT coalesce(sum(repeat_count), 0) FROM again").fetchone()
        for statement in _COUNT_REPEATS:
            self._db.execute(statement)
        self._db.execute("DELETE FROM again")
        return Counter({_DUPLICATE: count})

    def _take(self, rows: Sequence[Row]) -> None:
        """Put a batch into `incoming`, the first of each kind and fill as it is, the others as repeats."""
        self._db.execute("DELETE FROM incoming")
        start = 0
        for count in _TAKEN_AT_ONCE:
            while len(rows) - start >= count:
                self._db.execute(_TAKE[count], [*chain.from_iterable(rows[start : start + count])])
                start += count

    def load_state(self, name: str) -> bytes | None:
        """What was last saved under a name; None when nothing was."""
        row = self._db.execute("SELECT value FROM saved_state WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def load_states(self, pattern: str) -> dict[str, bytes]:
        """Name → what was last saved under it, of the names that a GLOB pattern matches."""
        states = self._db.execute("SELECT name, value FROM saved_state WHERE name GLOB ?", (pattern,))
        return {name: bytes(value) for name, value in states}

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
                fresh = self.add(rows, {}, imported=True).count
                assert fresh == len(rows), "an import gives its events new ids; some were in the log before"
                total += fresh
            fold_all(self._db)
            self._db.execute("INSERT INTO imported VALUES (?, ?, ?, ?)", (digest, file, at_ms, total))
        return total

    def rebuild(self) -> Rebuilt:
        """Compare all sums with the fold of the log and put right what differs, in one transaction."""
        with self._transaction():
            return rebuild(self._db)

    def refilter(self, rules: Rules, entry_of: Callable[[Sequence[Moved]], AuditEntry] | None) -> list[Moved]:
        """Judge history anew, within the limits of this log, in one transaction; all that changed.

        With the entry of the audit log that tells of it, or, without `entry_of`, only to see: nothing stays.
        Other writers wait meanwhile. Raises StorageFailed.
        """
        with self._transaction(keep=entry_of is not None):
            if rules.marks is not None:
                replace_marks(self._db, rules.marks)
            judge(self._db, rules)
            take_judged(self._db, _COLUMNS)
            keep_limits(self._db)
            self._keep(any_marked=True)
            moved = settle(self._db)
            if entry_of:
                entry = entry_of(moved)
                keep_entry(self._db, entry)
                correct_months(self._db, entry.at_ms, entry.author, f"{entry.action}: {entry.summary}")
        return moved

    @contextmanager
    def _transaction(self, *, keep: bool = True) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            if keep:
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageFailed(f"{self._path}: {error}") from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def new_node(path: Path) -> int:
    """A number as `SqliteLog.node_number` gives it, over a connection of its own. Raises StorageFailed."""
    try:
        with closing(SqliteLog(path)) as log:
            return log.node_number()
    except sqlite3.Error as error:
        raise StorageFailed(f"{path}: {error}") from error
