"""The log → size and facts of each event's fill, the sums by them, and reach.

Of an event of before no fact is known but the local date of its fill where its site is, which needs the time
zones of the catalog, where that is in the same file. Its site's days are those that it has or had last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "event_0005"
down_revision = "event_0004"

_TABLES = (
    "ALTER TABLE event ADD COLUMN size INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE event ADD COLUMN facts INTEGER NOT NULL DEFAULT 0",
    """
    CREATE TABLE breakdown (
      dimension INTEGER NOT NULL, day INTEGER NOT NULL, slot INTEGER NOT NULL, item INTEGER NOT NULL,
      value INTEGER NOT NULL, impression_count INTEGER NOT NULL, measurable_count INTEGER NOT NULL,
      viewable_count INTEGER NOT NULL, click_count INTEGER NOT NULL, conversion_count INTEGER NOT NULL,
      revenue_micros INTEGER NOT NULL, marked_impression_count INTEGER NOT NULL,
      marked_click_count INTEGER NOT NULL, marked_conversion_count INTEGER NOT NULL,
      PRIMARY KEY (dimension, day, value, slot, item)) WITHOUT ROWID
    """,
    """
    CREATE TABLE reach (
      dimension INTEGER NOT NULL, slot INTEGER NOT NULL, item INTEGER NOT NULL, ordinal INTEGER NOT NULL,
      impression_count INTEGER NOT NULL, PRIMARY KEY (dimension, item, ordinal, slot)) WITHOUT ROWID
    """,
    "CREATE TEMP TABLE zone_of (slot INTEGER PRIMARY KEY, zone TEXT NOT NULL)",
    "CREATE TEMP TABLE item_of (creative INTEGER PRIMARY KEY, item INTEGER NOT NULL)",
    "CREATE TEMP TABLE shift (zone TEXT NOT NULL, bucket INTEGER NOT NULL, days INTEGER NOT NULL, "
    "PRIMARY KEY (zone, bucket))",
    # The first bucket of which the log holds all events.
    "CREATE TEMP TABLE kept AS SELECT coalesce(max(value), 0) * 96 AS bucket FROM counter "
    "WHERE name = 'kept_from_day'",
)
#: SQLite takes what stands beside `max` from the row that has it: the last version.
_LAST = """
SELECT o.id, o.parent, o.body, max(o.from_version)
FROM catalog_object o JOIN catalog_identity i ON i.id = o.id WHERE i.kind = '{kind}' GROUP BY o.id
"""
_KNOWN = (
    f"""
    INSERT INTO zone_of SELECT slot.id, site.body ->> '$.timezone'
    FROM ({_LAST.format(kind="slot")}) AS slot
      JOIN ({_LAST.format(kind="site")}) AS site ON site.id = slot.parent
    """,  # noqa: S608  (our own names)
    f"""
    INSERT INTO item_of SELECT id, parent FROM ({_LAST.format(kind="creative")}) WHERE parent IS NOT NULL
    """,  # noqa: S608  (our own names)
)
_CELLS = """
SELECT DISTINCT zone, bucket FROM zone_of JOIN (
  SELECT slot, bucket FROM event
  UNION SELECT slot, bucket FROM rollup
  UNION SELECT slot, bucket FROM marked_rollup) USING (slot)
"""
_SUMS = (
    """
    UPDATE event SET facts = (shift.days + 3) % 3 << 61 FROM zone_of JOIN shift USING (zone)
    WHERE zone_of.slot = event.slot AND shift.bucket = event.bucket AND shift.days <> 0
    """,
    """
    CREATE TEMP TABLE cell AS
    SELECT bucket, slot, item, kind = 1 AND validity = 0 AS impressions,
      kind = 2 AND validity = 0 AS measurables, kind = 3 AND validity = 0 AS viewables,
      kind = 4 AND validity = 0 AS clicks,
      kind = 5 AND validity = 0 AS conversions, iif(validity = 0, revenue_micros, 0) AS micros,
      iif(kind = 1, (validity <> 0) + repeat_count, 0) AS marked_impressions,
      iif(kind = 4, (validity <> 0) + repeat_count, 0) AS marked_clicks,
      iif(kind = 5, (validity <> 0) + repeat_count, 0) AS marked_conversions
    FROM event WHERE bucket >= (SELECT bucket FROM kept) AND (validity = 0 OR kind IN (1, 4, 5))
    UNION ALL
    SELECT bucket, slot, coalesce(item, 0), impression_count, measurable_count, viewable_count, click_count,
      conversion_count, revenue_micros, 0, 0, 0
    FROM rollup LEFT JOIN item_of USING (creative) WHERE bucket < (SELECT bucket FROM kept)
    UNION ALL
    SELECT bucket, slot, coalesce(item, 0), 0, 0, 0, 0, 0, 0, iif(kind = 1, event_count, 0),
      iif(kind = 4, event_count, 0), iif(kind = 5, event_count, 0)
    FROM marked_rollup LEFT JOIN item_of USING (creative)
    WHERE bucket < (SELECT bucket FROM kept) AND kind IN (1, 4, 5)
    """,
    """
    INSERT INTO breakdown
    SELECT dimension, bucket / 96 + coalesce(days, 0) AS day, slot, item, 0, sum(impressions),
      sum(measurables), sum(viewables), sum(clicks), sum(conversions), sum(micros), sum(marked_impressions),
      sum(marked_clicks), sum(marked_conversions)
    FROM (SELECT column1 AS dimension FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8))), cell
      LEFT JOIN zone_of USING (slot) LEFT JOIN shift USING (zone, bucket)
    GROUP BY 1, 2, 3, 4
    """,
    """
    INSERT INTO reach SELECT dimension, slot, item, 0, sum(impression_count)
    FROM breakdown WHERE dimension IN (7, 8) GROUP BY 1, 2, 3 HAVING sum(impression_count)
    """,
    "INSERT INTO counter SELECT 'folded_fill', max(fill) + 1 FROM event HAVING max(fill) IS NOT NULL",
    *(f"DROP TABLE {name}" for name in ("zone_of", "item_of", "shift", "kept", "cell")),
)


def upgrade() -> None:
    """Add the columns, and sum up what there is."""
    database = op.get_bind()
    has_catalog = sa.inspect(database).has_table("catalog_object")
    for statement in (*_TABLES, *(_KNOWN if has_catalog else ())):
        op.execute(statement)
    shifts = list(_shifts((row[0], row[1]) for row in database.exec_driver_sql(_CELLS)))
    if shifts:
        database.exec_driver_sql("INSERT INTO shift VALUES (?, ?, ?)", shifts)
    for statement in _SUMS:
        op.execute(statement)


def _shifts(cells: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int, int]]:
    """(zone, bucket) → how many days the local date lies after that in UTC."""
    for zone, bucket in cells:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * bucket)
        yield zone, bucket, at.astimezone(ZoneInfo(zone)).toordinal() - at.toordinal()
