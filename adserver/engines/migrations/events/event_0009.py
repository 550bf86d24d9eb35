"""The log and its sums → the same, and which creative stands where in newsletters and feeds."""

from __future__ import annotations

from alembic import op

revision = "event_0009"
down_revision = "event_0008"

#: One place in one issue of a slot, and the creative that stands there for good, as it was then.
_LOCK = """
CREATE TABLE issue_lock (
  slot INTEGER NOT NULL, issue TEXT NOT NULL, position INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  item INTEGER NOT NULL, creative INTEGER NOT NULL, model INTEGER NOT NULL, price_micros INTEGER NOT NULL,
  catalog_version INTEGER NOT NULL, size TEXT NOT NULL, image TEXT NOT NULL, image_dark TEXT,
  alt TEXT NOT NULL,
  PRIMARY KEY (slot, issue, position)) WITHOUT ROWID
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(_LOCK)
