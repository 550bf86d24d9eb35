"""The rollups → the same, and which spans of them are no longer in quarter hours."""

from __future__ import annotations

from alembic import op

revision = "event_0003"
down_revision = "event_0002"

#: Buckets from `lo` to `hi` (half-open) of a slot are summed in steps of `width`, each in its first bucket.
_THINNED = """
CREATE TABLE thinned (
  slot INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL, width INTEGER NOT NULL,
  PRIMARY KEY (slot, lo)) WITHOUT ROWID
"""


def upgrade() -> None:
    """Create the table; nothing is thinned yet."""
    op.execute(_THINNED)
