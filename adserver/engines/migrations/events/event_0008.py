"""The log and its sums → the same, and what networks say that they paid."""

from __future__ import annotations

from alembic import op

revision = "event_0008"
down_revision = "event_0007"

#: One day (the site's own, in days since 1970), slot and creative of a network's earnings report.
_EARNING = """
CREATE TABLE earning (
  day INTEGER NOT NULL, slot INTEGER NOT NULL, creative INTEGER NOT NULL,
  impression_count INTEGER NOT NULL, click_count INTEGER NOT NULL, earned_micros INTEGER NOT NULL,
  PRIMARY KEY (day, slot, creative)) WITHOUT ROWID
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(_EARNING)
