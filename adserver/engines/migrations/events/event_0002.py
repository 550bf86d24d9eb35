"""The log → each event's line item and day, what line items delivered by day and in all, and saved states.

An event of before is given the line item that its creative belongs to, where the catalog is in the same file
(0 where it is not), and the day of its bucket in UTC.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "event_0002"
down_revision = "event_0001"

_BEFORE = (
    "ALTER TABLE event RENAME TO event_before",
    """
    CREATE TABLE event (
      fill INTEGER NOT NULL, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL, bucket INTEGER NOT NULL,
      day INTEGER NOT NULL, slot INTEGER NOT NULL, item INTEGER NOT NULL, creative INTEGER NOT NULL,
      revenue_micros INTEGER NOT NULL, validity INTEGER NOT NULL, repeat_count INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (fill, kind)) WITHOUT ROWID
    """,
    "CREATE TEMP TABLE item_of (creative INTEGER PRIMARY KEY, item INTEGER NOT NULL)",
)
#: A creative that was moved counts for the line item that it is in now: SQLite takes `parent` from the row
#: with the highest version.
_KNOWN = """
INSERT INTO item_of SELECT creative, parent FROM (
  SELECT o.id AS creative, o.parent, max(o.from_version)
  FROM catalog_object o JOIN catalog_identity i ON i.id = o.id WHERE i.kind = 'creative' GROUP BY o.id)
WHERE parent IS NOT NULL
"""
_AFTER = (
    """
    INSERT INTO event
    SELECT fill, kind, at_ms, bucket, bucket / 96, slot, coalesce(item_of.item, 0), event_before.creative,
      revenue_micros, validity, repeat_count
    FROM event_before LEFT JOIN item_of ON item_of.creative = event_before.creative
    ORDER BY fill, kind
    """,
    "DROP TABLE event_before",
    "DROP TABLE item_of",
    """
    CREATE TABLE progress (
      day INTEGER NOT NULL, item INTEGER NOT NULL,
      impression_count INTEGER NOT NULL DEFAULT 0, viewable_count INTEGER NOT NULL DEFAULT 0,
      click_count INTEGER NOT NULL DEFAULT 0, conversion_count INTEGER NOT NULL DEFAULT 0,
      revenue_micros INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (day, item)) WITHOUT ROWID
    """,
    """
    INSERT INTO progress
    SELECT day, item, sum(kind = 1), sum(kind = 3), sum(kind = 4), sum(kind = 5), sum(revenue_micros)
    FROM event WHERE validity = 0 GROUP BY day, item
    """,
    """
    CREATE TABLE delivered (
      item INTEGER PRIMARY KEY,
      impression_count INTEGER NOT NULL DEFAULT 0, viewable_count INTEGER NOT NULL DEFAULT 0,
      click_count INTEGER NOT NULL DEFAULT 0, conversion_count INTEGER NOT NULL DEFAULT 0,
      revenue_micros INTEGER NOT NULL DEFAULT 0)
    """,
    """
    INSERT INTO delivered
    SELECT item, sum(impression_count), sum(viewable_count), sum(click_count), sum(conversion_count),
      sum(revenue_micros)
    FROM progress GROUP BY item
    """,
    "CREATE TABLE saved_state (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, value BLOB NOT NULL)",
)


def upgrade() -> None:
    """Write the log anew with two more columns, and sum it up."""
    has_catalog = sa.inspect(op.get_bind()).has_table("catalog_object")
    for statement in (*_BEFORE, *((_KNOWN,) if has_catalog else ()), *_AFTER):
        op.execute(statement)
