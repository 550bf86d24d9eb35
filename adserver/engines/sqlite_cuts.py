"""The sums by dimension in SQLite, and the events not in them yet → the breakdown of a period, and reach.

Each answer comes from one statement, so that all of its numbers are of one instant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from adserver.decision.facts import Dimension
from adserver.engines.sqlite_breakdown import BY_FILL, FOLDED_FILL, FREQUENCIES, REACHING, ROWS, SUMS, VALUE
from adserver.engines.sqlite_reader import SqliteReader

#: States in which names of sections are kept: this, and the code.
SECTION_STATE = "section."
_HERE = "slot IN (SELECT value FROM json_each(:slots))"
_SINCE = f"coalesce((SELECT value FROM counter WHERE name = '{FOLDED_FILL}'), 0)"  # noqa: S608  (our own name)
#: Events that are not summed yet.
_NEW = f"({ROWS.format(table=f'event WHERE fill >= {_SINCE} AND {_HERE} {{item}}')})"
_TOTALS = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
#: Grouped twice, first in the order of the primary key, which needs no sorting.
_BREAKDOWN = f"""
SELECT value, {_TOTALS} FROM (
  SELECT value, {_TOTALS} FROM breakdown
  WHERE dimension = :dimension AND day BETWEEN :first AND :last AND {_HERE} {{item}} GROUP BY day, value
  UNION ALL
  SELECT {{value}}, {", ".join(SUMS)} FROM ({BY_FILL.format(source=_NEW)})
  WHERE day BETWEEN :first AND :last)
GROUP BY 1
"""  # noqa: S608  (our own names)
_ITEM, _CAMPAIGN = (int(one) for one in FREQUENCIES)
#: A dimension with few values, of which each has all impressions.
_ANY = int(Dimension.PRICE_MODEL)
_LATELY = f"""
SELECT item, sum(impressions), sum(new), sum(new_to_campaign) FROM (
  SELECT item, sum(impression_count) AS impressions, 0 AS new, 0 AS new_to_campaign FROM breakdown
  WHERE dimension = {_ANY} AND day BETWEEN :first AND :last AND {_HERE} GROUP BY item
  UNION ALL
  SELECT item, 0, impression_count * (dimension = {_ITEM}), impression_count * (dimension = {_CAMPAIGN})
  FROM json_each(:days) AS d CROSS JOIN breakdown b ON b.day = d.value AND b.value = 1
  WHERE dimension IN ({_ITEM}, {_CAMPAIGN}) AND {_HERE}
  UNION ALL
  SELECT item, dimension = {_ITEM}, (dimension, ordinal) = ({_ITEM}, 1),
    (dimension, ordinal) = ({_CAMPAIGN}, 1)
  FROM ({REACHING.format(source=_NEW.format(item=""))}) WHERE day BETWEEN :first AND :last)
GROUP BY 1 HAVING sum(impressions)
"""  # noqa: S608  (our own names)
_REACH = f"""
SELECT dimension, item, ordinal, sum(impression_count) FROM (
  SELECT r.dimension, r.item, r.ordinal, r.impression_count
  FROM json_each(:items) AS i CROSS JOIN (VALUES ({_ITEM}), ({_CAMPAIGN})) AS d
    CROSS JOIN reach r ON r.item = i.value AND r.dimension = d.column1
  WHERE {_HERE}
  UNION ALL
  SELECT dimension, item, ordinal, 1 FROM ({REACHING.format(source=_NEW.format(item=""))})
  WHERE item IN (SELECT value FROM json_each(:items)))
GROUP BY 1, 2, 3
"""  # noqa: S608  (our own names)
#: By day, slot and line item; the breakdown by one dimension has them all.
_DELIVERIES = f"""
SELECT day, slot, item, {_TOTALS} FROM (
  SELECT day, slot, item, {", ".join(SUMS)} FROM breakdown
  WHERE dimension = :dimension AND day BETWEEN :first AND :last AND {_HERE} {{item}}
    AND (:section IS NULL OR value = :section)
  UNION ALL
  SELECT day, slot, item, {", ".join(SUMS)} FROM ({BY_FILL.format(source=_NEW)})
  WHERE day BETWEEN :first AND :last AND (:section IS NULL OR ({VALUE[Dimension.SECTION]}) = :section))
GROUP BY 1, 2, 3
"""  # noqa: S608  (our own names)
_ONLY_ITEMS = "AND item IN (SELECT value FROM json_each(:items))"
_SECTIONS = "SELECT CAST(substr(name, :from) AS INTEGER), value FROM saved_state WHERE name GLOB :named"


class Cut(NamedTuple):
    """What was counted under one value of a dimension; `value` is its code (`decision.facts`)."""

    value: int
    impression_count: int
    measurable_count: int
    viewable_count: int
    click_count: int
    conversion_count: int
    revenue_micros: int
    marked_impression_count: int
    marked_click_count: int
    marked_conversion_count: int


class ItemSums(NamedTuple):
    """What was counted of a line item in one slot on one day."""

    day: int
    slot: int
    item: int
    impression_count: int
    measurable_count: int
    viewable_count: int
    click_count: int
    conversion_count: int
    revenue_micros: int
    marked_impression_count: int
    marked_click_count: int
    marked_conversion_count: int


class Lately(NamedTuple):
    """Impressions of a line item in some days, and those that were the first in their browser."""

    item: int
    impression_count: int
    new_count: int
    """The first of the line item."""
    campaign_new_count: int
    """The first of its campaign."""


class Reached(NamedTuple):
    """Impressions ever that were the `ordinal`-th of a line item, or of its campaign, to their browser.

    `dimension` says of which.
    """

    dimension: int
    item: int
    ordinal: int
    impression_count: int


class SqliteCuts(SqliteReader):
    """Reads the sums by dimension of one database file; raises StorageFailed.

    Days are local dates of the slots' site, in days since 1970-01-01, both included. `items` None: of all.
    """

    async def breakdown(
        self, dimension: Dimension, first: int, last: int, slots: Sequence[int], items: Sequence[int] | None
    ) -> list[Cut]:
        """What was counted in the days, by each value of a dimension."""
        only = "" if items is None else _ONLY_ITEMS
        statement = _BREAKDOWN.format(value=VALUE[dimension], item=only)
        asked: dict[str, str | int | None]
        asked = {"dimension": int(dimension), "first": first, "last": last, "items": json.dumps(items)}
        return [Cut(*row) for row in await self._rows(statement, {**asked, "slots": json.dumps(slots)})]

    async def deliveries(
        self,
        first: int,
        last: int,
        slots: Sequence[int],
        items: Sequence[int] | None,
        section: int | None = None,
    ) -> list[ItemSums]:
        """What was counted in the days, by day, slot and line item. `section`: its code; None: of all."""
        asked: dict[str, str | int | None]
        asked = {"first": first, "last": last, "slots": json.dumps(slots), "items": json.dumps(items)}
        asked |= {"section": section, "dimension": _ANY if section is None else int(Dimension.SECTION)}
        only = "" if items is None else _ONLY_ITEMS
        return [ItemSums(*row) for row in await self._rows(_DELIVERIES.format(item=only), asked)]

    async def lately(self, first: int, last: int, slots: Sequence[int]) -> list[Lately]:
        """The line items that had impressions in the days."""
        days = json.dumps(list(range(first, last + 1)))
        asked: dict[str, str | int | None] = {"first": first, "last": last, "days": days}
        return [Lately(*row) for row in await self._rows(_LATELY, {**asked, "slots": json.dumps(slots)})]

    async def reach(self, items: Sequence[int], slots: Sequence[int]) -> list[Reached]:
        """All impressions of some line items by ordinal."""
        asked = {"items": json.dumps(items), "slots": json.dumps(slots)}
        return [Reached(*row) for row in await self._rows(_REACH, asked)]

    async def sections(self) -> dict[int, str]:
        """Code → name of every section that is told apart."""
        asked: dict[str, str | int | None] = {"from": len(SECTION_STATE) + 1, "named": f"{SECTION_STATE}*"}
        return {code: bytes(name).decode() for code, name in await self._rows(_SECTIONS, asked)}
