"""The rollups → and how often each UTC day of them was changed, whoever wrote: what was read stays known."""

from __future__ import annotations

from alembic import op

revision = "event_0013"
down_revision = "event_0012"

#: Day -1 is that of the networks' own reports, which have local days.
_TABLE = "CREATE TABLE rollup_change (day INTEGER PRIMARY KEY, change_count INTEGER NOT NULL)"
_CHANGED = """
CREATE TRIGGER {table}_{event}_changes AFTER {event} ON {table} BEGIN
  INSERT INTO rollup_change VALUES ({day}, 1)
  ON CONFLICT (day) DO UPDATE SET change_count = change_count + 1;
END
"""
_ROLLUPS = ("rollup", "request_rollup", "marked_rollup")
_ROWS = {"insert": "NEW", "update": "NEW", "delete": "OLD"}


def upgrade() -> None:
    """Begin to count changes."""
    op.execute(_TABLE)
    for event, row in _ROWS.items():
        for table in _ROLLUPS:
            op.execute(_CHANGED.format(table=table, event=event, day=f"{row}.bucket / 96"))
        op.execute(_CHANGED.format(table="earning", event=event, day="-1"))
