"""The log → and what operators mark of it by hand, and an audit log of what was restated."""

from __future__ import annotations

from alembic import op

revision = "event_0010"
down_revision = "event_0009"

_TABLES = (
    # Fills from one until before another, by time. NULL: any slot, line item or kind of event.
    """
    CREATE TABLE mark (
      from_fill INTEGER NOT NULL, until_fill INTEGER NOT NULL, slot INTEGER, item INTEGER, kind INTEGER,
      reason TEXT NOT NULL)
    """,
    "CREATE INDEX mark_until ON mark (until_fill)",
    """
    CREATE TABLE audit (
      id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, author TEXT NOT NULL,
      action TEXT NOT NULL, summary TEXT NOT NULL, body TEXT NOT NULL)
    """,
)


def upgrade() -> None:
    """Create the tables; nothing is marked yet."""
    for statement in _TABLES:
        op.execute(statement)
