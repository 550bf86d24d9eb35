"""Changes counted by day → changes counted by hour, so that hours of today stay known."""

from __future__ import annotations

from alembic import op

revision = "event_0014"
down_revision = "event_0013"

#: Hour -1 is that of the networks' own reports, which have local days.
_TABLE = "CREATE TABLE rollup_change (hour INTEGER PRIMARY KEY, change_count INTEGER NOT NULL)"
_CHANGED = """
CREATE TRIGGER {table}_{event}_changes AFTER {event} ON {table} BEGIN
  INSERT INTO rollup_change VALUES ({hour}, 1)
  ON CONFLICT (hour) DO UPDATE SET change_count = change_count + 1;
END
"""
_HOURS = {
    "rollup": "{row}.bucket / 4",
    "request_rollup": "{row}.bucket / 4",
    "marked_rollup": "{row}.bucket / 4",
    "earning": "-1",
}
_ROWS = {"insert": "NEW", "update": "NEW", "delete": "OLD"}


def upgrade() -> None:
    """Count anew: whoever compares counts has read them from this table since it is there."""
    op.execute("DROP TABLE rollup_change")
    op.execute(_TABLE)
    for table, hour in _HOURS.items():
        for event, row in _ROWS.items():
            op.execute(f"DROP TRIGGER {table}_{event}_changes")
            op.execute(_CHANGED.format(table=table, event=event, hour=hour.format(row=row)))
