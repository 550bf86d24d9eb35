"""A database file at rest → what is in it, and whether that is whole: what backups are judged by."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote

from adserver.engines.migrate import VERSION_TABLES, script_of
from adserver.engines.sqlite_fold import Rebuilt, compare
from adserver.errors import Fault, InvalidInput

#: A fill's id begins with its time in ms, before 22 other bits (`measurement.token`).
_DAYS = """
SELECT count(*), min(fill) >> 22, max(fill) >> 22 FROM event
"""
_MOST_FAULTS = 10


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds. Days are those of the fills, in UTC; None without events.

    `rebuilt` is None where the log was written by an earlier version, whose sums this one cannot check.
    """

    catalog_version: int
    event_count: int
    first_day: date | None
    last_day: date | None
    byte_count: int
    rebuilt: Rebuilt | None


def contents_of(path: Path) -> Contents:
    """Check a file and look what is in it. Nobody may write to it meanwhile; nothing is changed.

    Raises InvalidInput when it is no database of ours, newer than this code, damaged, or when its sums are
    not those of its log.
    """
    try:
        with closing(sqlite3.connect(_read_only(path), uri=True, isolation_level=None)) as db:
            _refuse_unknown(path, _revisions(db))
            _refuse_damaged(path, db)
            contents = _contents(db, path.stat().st_size)
    except sqlite3.Error as error:
        raise InvalidInput.one(str(path), "", f"cannot be read as a database: {error}") from error
    if contents.rebuilt is not None and not contents.rebuilt.equal:
        problem = f"{contents.rebuilt.wrong_count} rows of its rollups are not what its events add up to"
        raise InvalidInput.one(str(path), "", f"{problem}; `adserver rebuild` puts them right")
    return contents


def _read_only(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}?mode=ro"


def _tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def _revisions(db: sqlite3.Connection) -> dict[str, str | None]:
    """Stream of migrations → its revision in the file; streams that are not in it are left out."""
    found: dict[str, str | None] = {}
    for stream, table in VERSION_TABLES.items():
        if table in _tables(db):
            row = db.execute(f"SELECT version_num FROM {table}").fetchone()  # noqa: S608  (our own names)
            found[stream] = row[0] if row else None
    return found


def _refuse_unknown(path: Path, revisions: Mapping[str, str | None]) -> None:
    if not revisions:
        raise InvalidInput.one(str(path), "", "is a database, but not one of adserver")
    faults = []
    for stream, revision in revisions.items():
        known = [one.revision for one in script_of(stream).walk_revisions()]
        if revision is not None and revision not in known:
            problem = f"{stream} revision {revision}, this one ends at {known[0]}"
            faults.append(
                Fault(
                    str(path), "", f"was written by a newer version of adserver ({problem}); update adserver"
                )
            )
    if faults:
        raise InvalidInput(faults)


def _refuse_damaged(path: Path, db: sqlite3.Connection) -> None:
    found = [row[0] for row in db.execute(f"PRAGMA integrity_check({_MOST_FAULTS})")]
    if found != ["ok"]:
        raise InvalidInput([Fault(str(path), "", f"is damaged: {line}") for line in found])


def _contents(db: sqlite3.Connection, byte_count: int) -> Contents:
    tables = _tables(db)
    version = 0
    if "catalog_version" in tables:
        version = db.execute("SELECT max(version) FROM catalog_version").fetchone()[0] or 0
    if "event" not in tables:
        return Contents(version, 0, None, None, byte_count, None)
    count, first_ms, last_ms = db.execute(_DAYS).fetchone()
    newest = _revisions(db).get("events") == script_of("events").get_current_head()
    rebuilt = compare(db) if newest else None
    return Contents(version, count, _day(first_ms), _day(last_ms), byte_count, rebuilt)


def _day(ms: int | None) -> date | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).date()
