"""The log → and the days of flat prices that are counted, each once for its line item."""

from __future__ import annotations

from alembic import op

revision = "event_0006"
down_revision = "event_0005"

_FLAT_DAY = """
CREATE TABLE flat_day (item INTEGER NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (item, day)) WITHOUT ROWID
"""


def upgrade() -> None:
    """Create the table; no day fell due yet."""
    op.execute(_FLAT_DAY)
