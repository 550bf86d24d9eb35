"""The sums by price model → and what months of sites were closed with, and every correction since."""

from __future__ import annotations

from alembic import op

revision = "event_0011"
down_revision = "event_0010"

_TABLES = (
    # The local days of a site's month, both included (since 1970), and the ids of its slots, as JSON.
    """
    CREATE TABLE closed_month (
      site TEXT NOT NULL, month TEXT NOT NULL, first_day INTEGER NOT NULL, last_day INTEGER NOT NULL,
      slots TEXT NOT NULL, PRIMARY KEY (site, month)) WITHOUT ROWID
    """,
    # Number 0 is the closing, the others are corrections; `booked_sum` has what each adds.
    """
    CREATE TABLE booking (
      site TEXT NOT NULL, month TEXT NOT NULL, number INTEGER NOT NULL, at_ms INTEGER NOT NULL,
      author TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (site, month, number)) WITHOUT ROWID
    """,
    """
    CREATE TABLE booked_sum (
      site TEXT NOT NULL, month TEXT NOT NULL, number INTEGER NOT NULL, item INTEGER NOT NULL,
      model INTEGER NOT NULL, impression_count INTEGER NOT NULL, viewable_count INTEGER NOT NULL,
      click_count INTEGER NOT NULL, conversion_count INTEGER NOT NULL, revenue_micros INTEGER NOT NULL,
      PRIMARY KEY (site, month, number, item, model)) WITHOUT ROWID
    """,
)


def upgrade() -> None:
    """Create the tables; no month is closed yet."""
    for statement in _TABLES:
        op.execute(statement)
