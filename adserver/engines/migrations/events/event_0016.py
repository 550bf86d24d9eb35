"""A closed month → with which part of it is its publisher's; of those that were closed before, the whole."""

from __future__ import annotations

from alembic import op

revision = "event_0016"
down_revision = "event_0015"


def upgrade() -> None:
    """Add the column, in millionths."""
    op.execute("ALTER TABLE closed_month ADD COLUMN share_ppm INTEGER NOT NULL DEFAULT 1000000")
