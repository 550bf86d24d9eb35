"""The log → and the orders that its conversions stand for, each counted once for an advertiser."""

from __future__ import annotations

from alembic import op

revision = "event_0004"
down_revision = "event_0003"

_TABLES = (
    """
    CREATE TABLE conversion (
      fill INTEGER PRIMARY KEY, advertiser INTEGER NOT NULL, order_id TEXT NOT NULL, value_micros INTEGER,
      counted INTEGER NOT NULL)
    """,
    "CREATE UNIQUE INDEX conversion_counted ON conversion (advertiser, order_id) WHERE counted = 1",
)


def upgrade() -> None:
    """Create the table; no order was reported yet."""
    for statement in _TABLES:
        op.execute(statement)
