"""The log → and on how many sampled pages each line item served, or by which rule it did not, over time."""

from __future__ import annotations

from alembic import op

revision = "event_0015"
down_revision = "event_0014"

# `hours`: 1 or 24, how long what `at` numbers is: local hours or days of the site, since 1970-01-01.
_TABLE = """
CREATE TABLE reason (
  site INTEGER NOT NULL, hours INTEGER NOT NULL, at INTEGER NOT NULL, item INTEGER NOT NULL,
  rule TEXT NOT NULL, page_count INTEGER NOT NULL, PRIMARY KEY (site, hours, at, item, rule)) WITHOUT ROWID
"""


def upgrade() -> None:
    """Create the table; nothing is known of the time before."""
    op.execute(_TABLE)
