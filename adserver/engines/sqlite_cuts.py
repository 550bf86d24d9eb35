"""The sums by dimension in SQLite, and the events not in them yet → the breakdown of a period, and reach.

Each answer comes from one statement, so that all of its numbers are of one instant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from adserver.decision.facts import Dimension
from adserver.engines.day_sums import Day
from adserver.engines.sqlite_breakdown import BY_FILL, FOLDED_FILL, FREQUENCIES, REACHING, ROWS, SUMS, VALUE
from adserver.engines.sqlite_days import Asked, Asking, by_day
from adserver.engines.sqlite_reported import SqliteReported

#: States in which names of sections are kept: this, and the code.
SECTION_STATE = "section."
_HERE = "slot IN (SELECT value FROM json_each(:slots))"
_SINCE = f"coalesce((SELECT value FROM counter WHERE name = '{FOLDED_FILL}'), 0)"  # noqa: S608  (our own name)
_ONLY_ITEMS = "AND item IN (SELECT value FROM json_each(:items))"
#: Events that are not summed yet.
_NEW, _NEW_OF_ITEMS = (
    f"({ROWS.format(table=f'event WHERE fill >= {_SINCE} AND {_HERE} {only}')})" for only in ("", _ONLY_ITEMS)
)
_TOTALS = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
#: The days, and their number in what was asked.
_CUT = "cut(n, day) AS (SELECT key, value FROM json_each(:cuts))"
#: Days × the values they have × slots × line items are each one place in the primary key, or a run there.
_BREAKDOWN = f"""
WITH RECURSIVE {_CUT},
has(n, day, value) AS (
  SELECT n, day, (SELECT min(value) FROM breakdown b WHERE b.dimension = :dimension AND b.day = cut.day)
  FROM cut
  UNION ALL
  SELECT n, day, (
    SELECT min(b.value) FROM breakdown b
    WHERE b.dimension = :dimension AND b.day = has.day AND b.value > has.value)
  FROM has WHERE value IS NOT NULL)
SELECT n, value, {_TOTALS} FROM (
  SELECT n, has.value, {_TOTALS}
  FROM has CROSS JOIN json_each(:slots) AS s {{of_items}} CROSS JOIN breakdown AS b
    ON b.dimension = :dimension AND b.day = has.day AND b.value = has.value AND b.slot = s.value
      {{item}}
  GROUP BY n, has.value
  UNION ALL
  SELECT n, {{value}}, {", ".join(SUMS)} FROM ({{new}}) JOIN cut USING (day))
GROUP BY n, value
"""  # noqa: S608  (our own names)
_ITEM, _CAMPAIGN = (int(one) for one in FREQUENCIES)
#: A dimension with few values, of which each has all impressions.
_ANY = int(Dimension.PRICE_MODEL)
_LATELY = by_day(
    f"""
WITH {_CUT}
SELECT n, item, sum(impressions), sum(new), sum(new_to_campaign) FROM (
  SELECT n, item, sum(impression_count) AS impressions, 0 AS new, 0 AS new_to_campaign
  FROM cut CROSS JOIN breakdown USING (day) WHERE dimension = {_ANY} AND {_HERE} GROUP BY n, item
  UNION ALL
  SELECT n, item, 0, sum(impression_count * (dimension = {_ITEM})),
    sum(impression_count * (dimension = {_CAMPAIGN}))
  FROM cut CROSS JOIN breakdown USING (day)
  WHERE value = 1 AND dimension IN ({_ITEM}, {_CAMPAIGN}) AND {_HERE} GROUP BY n, item
  UNION ALL
  SELECT n, item, dimension = {_ITEM}, (dimension, ordinal) = ({_ITEM}, 1),
    (dimension, ordinal) = ({_CAMPAIGN}, 1)
  FROM ({REACHING.format(source=_NEW)}) JOIN cut USING (day))
GROUP BY n, item HAVING sum(impressions)
""",  # noqa: S608  (our own names)
    width=5,
)
_REACH = f"""
SELECT dimension, item, ordinal, sum(impression_count) FROM (
  SELECT r.dimension, r.item, r.ordinal, r.impression_count
  FROM json_each(:items) AS i CROSS JOIN (VALUES ({_ITEM}), ({_CAMPAIGN})) AS d
    CROSS JOIN reach r ON r.item = i.value AND r.dimension = d.column1
  WHERE {_HERE}
  UNION ALL
  SELECT dimension, item, ordinal, 1 FROM ({REACHING.format(source=_NEW)})
  WHERE item IN (SELECT value FROM json_each(:items)))
GROUP BY 1, 2, 3
"""  # noqa: S608  (our own names)
#: By day, slot and line item; the breakdown by one dimension has them all.
_DELIVERIES = f"""
SELECT day, slot, item, {_TOTALS} FROM (
  SELECT day, slot, item, {", ".join(SUMS)} FROM breakdown
  WHERE dimension = {_ANY} AND day BETWEEN :first AND :last AND {_HERE} {_ONLY_ITEMS}
  UNION ALL
  SELECT day, slot, item, {", ".join(SUMS)} FROM ({BY_FILL.format(source=_NEW_OF_ITEMS)})
  WHERE day BETWEEN :first AND :last)
GROUP BY 1, 2, 3
"""  # noqa: S608  (our own names)
#: What happened is summed once, by slot and line item, and told twice.
_SECTION = f"""
WITH {_CUT},
happened AS MATERIALIZED (
  SELECT n, day, slot, item, {", ".join(SUMS)} FROM cut CROSS JOIN breakdown b USING (day)
  WHERE dimension = :dimension AND {_HERE} {{only}}
  UNION ALL
  SELECT n, day, slot, item, {", ".join(SUMS)}
  FROM ({BY_FILL.format(source=_NEW)}) JOIN cut USING (day)
  WHERE :section IS NULL OR ({VALUE[Dimension.SECTION]}) = :section)
SELECT n, day, slot, 0, {_TOTALS} FROM happened GROUP BY n, slot
UNION ALL
SELECT n, day, 0, item, {_TOTALS} FROM happened GROUP BY n, item
"""  # noqa: S608  (our own names)
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
    """What was counted of a line item in one slot on one day; 0: of all of them, in all of them."""

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
    """Impressions of a line item on a day, and those that were the first in their browser."""

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


class SqliteCuts(SqliteReported):
    """Reads the sums by dimension of one database file; raises StorageFailed.

    Days are local dates of the slots' site, in days since 1970-01-01, both included. `items` None: of all.
    """

    async def breakdown(
        self, dimension: Dimension, first: int, last: int, slots: Sequence[int], items: Sequence[int] | None
    ) -> list[Day[Cut]]:
        """What was counted in each of the days, by each value of a dimension."""
        asked: Asked = {"dimension": int(dimension), "slots": json.dumps(slots), "items": json.dumps(items)}
        return await self._by_day(_breakdown(dimension, items is None), Cut._make, _days(first, last), asked)

    async def deliveries(
        self, first: int, last: int, slots: Sequence[int], items: Sequence[int]
    ) -> list[ItemSums]:
        """What was counted of some line items in the days, by day and slot."""
        asked: dict[str, str | int | None]
        asked = {"first": first, "last": last, "slots": json.dumps(slots), "items": json.dumps(items)}
        return [ItemSums(*row) for row in await self._rows(_DELIVERIES, asked)]

    async def section(
        self, first: int, last: int, slots: Sequence[int], section: int | None
    ) -> list[Day[ItemSums]]:
        """What was counted in each of the days, by slot and by line item. `section`: its code; None: all."""
        dimension = _ANY if section is None else int(Dimension.SECTION)
        asked: Asked = {"dimension": dimension, "slots": json.dumps(slots), "section": section}
        return await self._by_day(_section(section is None), ItemSums._make, _days(first, last), asked)

    async def lately(self, first: int, last: int, slots: Sequence[int]) -> list[Day[Lately]]:
        """The line items that had impressions in each of the days."""
        asked = {"slots": json.dumps(slots)}
        return await self._by_day(_LATELY, Lately._make, _days(first, last), asked)

    async def reach(self, items: Sequence[int], slots: Sequence[int]) -> list[Reached]:
        """All impressions of some line items by ordinal."""
        asked = {"items": json.dumps(items), "slots": json.dumps(slots)}
        return [Reached(*row) for row in await self._rows(_REACH, asked)]

    async def sections(self) -> dict[int, str]:
        """Code → name of every section that is told apart."""
        asked: dict[str, str | int | None] = {"from": len(SECTION_STATE) + 1, "named": f"{SECTION_STATE}*"}
        return {code: bytes(name).decode() for code, name in await self._rows(_SECTIONS, asked)}


def _days(first: int, last: int) -> list[Asking]:
    """Local days, each with the UTC hours of it and of its neighbours, wherever its site is or was."""
    return [Asking(day, range(24 * (day - 1), 24 * (day + 2))) for day in range(first, last + 1)]


@cache
def _breakdown(dimension: Dimension, of_all: bool) -> str:
    """The statement of a breakdown, of all line items or of some."""
    select = _BREAKDOWN.format(
        value=VALUE[dimension],
        new=BY_FILL.format(source=_NEW if of_all else _NEW_OF_ITEMS),
        of_items="" if of_all else "CROSS JOIN json_each(:items) AS i",
        item="" if of_all else "AND b.item = i.value",
    )
    return by_day(select, len(Cut._fields) + 1)


@cache
def _section(of_all: bool) -> str:
    """The statement of a section, or of all of them."""
    return by_day(_SECTION.format(only="" if of_all else "AND value = :section"), len(ItemSums._fields) + 1)
