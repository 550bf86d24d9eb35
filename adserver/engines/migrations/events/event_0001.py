"""Nothing → the event log, its rollups, the counts of requests, secrets, counters and imported files."""

from __future__ import annotations

from alembic import op

revision = "event_0001"
down_revision = None

_TABLES = (
    "CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    """
    CREATE TABLE event (
      fill INTEGER NOT NULL, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL, bucket INTEGER NOT NULL,
      slot INTEGER NOT NULL, creative INTEGER NOT NULL, revenue_micros INTEGER NOT NULL,
      validity INTEGER NOT NULL, repeat_count INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (fill, kind)) WITHOUT ROWID
    """,
    """
    CREATE TABLE rollup (
      bucket INTEGER NOT NULL, slot INTEGER NOT NULL, creative INTEGER NOT NULL,
      impression_count INTEGER NOT NULL DEFAULT 0, measurable_count INTEGER NOT NULL DEFAULT 0,
      viewable_count INTEGER NOT NULL DEFAULT 0, click_count INTEGER NOT NULL DEFAULT 0,
      conversion_count INTEGER NOT NULL DEFAULT 0, revenue_micros INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (bucket, slot, creative)) WITHOUT ROWID
    """,
    """
    CREATE TABLE marked_rollup (
      bucket INTEGER NOT NULL, slot INTEGER NOT NULL, creative INTEGER NOT NULL, kind INTEGER NOT NULL,
      validity INTEGER NOT NULL, event_count INTEGER NOT NULL,
      PRIMARY KEY (bucket, slot, creative, kind, validity)) WITHOUT ROWID
    """,
    """
    CREATE TABLE request_rollup (
      bucket INTEGER NOT NULL, slot INTEGER NOT NULL, outcome TEXT NOT NULL, request_count INTEGER NOT NULL,
      PRIMARY KEY (bucket, slot, outcome)) WITHOUT ROWID
    """,
    """
    CREATE TABLE imported (
      digest TEXT PRIMARY KEY, file TEXT NOT NULL, at_ms INTEGER NOT NULL, event_count INTEGER NOT NULL)
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in _TABLES:
        op.execute(statement)
