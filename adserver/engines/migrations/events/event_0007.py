"""The log → what each event was found to be when it came, its price model, and sums by that.

An event of before is given the price model that its line item has or had last, where the catalog is in the
same file (0, none, where it is not). What was marked before has lost what it would have earned.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "event_0007"
down_revision = "event_0006"

_COLUMNS = (
    "ALTER TABLE event ADD COLUMN model INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE event ADD COLUMN found INTEGER NOT NULL DEFAULT 0",
    """
    UPDATE event SET found = validity
    WHERE validity = 3 OR (validity = 2 AND kind <> 5) OR validity BETWEEN 16 AND 21
    """,
    # -1: imported from another ad server. Such a click is alone with its fill, which is of that very moment.
    """
    UPDATE event SET found = -1 WHERE kind = 4 AND validity = 0 AND at_ms = fill >> 22
      AND EXISTS (SELECT 1 FROM imported)
      AND NOT EXISTS (SELECT 1 FROM event AS other WHERE other.fill = event.fill AND other.kind <> 4)
    """,
    "CREATE TEMP TABLE model_of (item INTEGER PRIMARY KEY, model INTEGER NOT NULL)",
)
#: SQLite takes what stands beside `max` from the row that has it: the last version.
_KNOWN = """
INSERT INTO model_of SELECT item, CASE price.key
  WHEN 'cpm' THEN 1 WHEN 'vcpm' THEN 2 WHEN 'cpc' THEN 3 WHEN 'cpa' THEN 4 WHEN 'flat' THEN 5 END
FROM (
  SELECT o.id AS item, o.body, max(o.from_version)
  FROM catalog_object o JOIN catalog_identity i ON i.id = o.id WHERE i.kind = 'line_item' GROUP BY o.id),
  json_each(body, '$.price') AS price
"""
_SUMS = (
    "UPDATE event SET model = model_of.model FROM model_of WHERE model_of.item = event.item",
    # Each dimension cuts the same events, so any of them has the totals.
    """
    INSERT INTO breakdown
    SELECT 9, day, slot, item, coalesce(model, 0), sum(impression_count), sum(measurable_count),
      sum(viewable_count), sum(click_count), sum(conversion_count), sum(revenue_micros),
      sum(marked_impression_count), sum(marked_click_count), sum(marked_conversion_count)
    FROM breakdown LEFT JOIN model_of USING (item) WHERE dimension = 1 GROUP BY 1, 2, 3, 4, 5
    """,
    "DROP TABLE model_of",
)


def upgrade() -> None:
    """Add the columns and the sums."""
    has_catalog = sa.inspect(op.get_bind()).has_table("catalog_object")
    for statement in (*_COLUMNS, *((_KNOWN,) if has_catalog else ()), *_SUMS):
        op.execute(statement)
