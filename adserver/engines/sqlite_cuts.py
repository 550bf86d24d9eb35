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
_HERE = "slot IN (SELECT value FROM json_each(:slots)) AND item = coalesce(:item, item)"
_SINCE = f"coalesce((SELECT value FROM counter WHERE name = '{FOLDED_FILL}'), 0)"  # noqa: S608  (our own name)
_NEW = f"({ROWS.format(table=f'event WHERE fill >= {_SINCE} AND {_HERE}')})"
_BREAKDOWN = f"""
SELECT value, {", ".join(f"sum({name})" for name in SUMS)} FROM (
  SELECT value, {", ".join(SUMS)} FROM breakdown
  WHERE dimension = :dimension AND day BETWEEN :first AND :last AND {_HERE}
  UNION ALL
  SELECT {{value}}, {", ".join(SUMS)} FROM ({BY_FILL.format(source=_NEW)})
  WHERE day BETWEEN :first AND :last)
GROUP BY 1
"""  # noqa: S608  (our own names)
_REACH = f"""
SELECT dimension, item, ordinal, sum(ever), sum(lately) FROM (
  SELECT dimension, item, ordinal, impression_count AS ever, 0 AS lately FROM reach WHERE {_HERE}
  UNION ALL
  SELECT dimension, item, value, 0, impression_count FROM breakdown
  WHERE dimension IN ({", ".join(str(int(one)) for one in FREQUENCIES)})
    AND day BETWEEN :first AND :last AND {_HERE}
  UNION ALL
  SELECT dimension, item, ordinal, 1, day BETWEEN :first AND :last FROM ({REACHING.format(source=_NEW)}))
GROUP BY 1, 2, 3 HAVING sum(ever)
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


class Reached(NamedTuple):
    """Impressions that were the `ordinal`-th of a line item, or of its campaign, to their browser.

    `dimension` says of which. `ever` are all that were counted, `lately` those of the period.
    """

    dimension: int
    item: int
    ordinal: int
    ever: int
    lately: int


class SqliteCuts(SqliteReader):
    """Reads the sums by dimension of one database file; raises StorageFailed.

    Days are local dates of the slots' site, in days since 1970-01-01, both included. `item` None: of all.
    """

    async def breakdown(
        self, dimension: Dimension, first: int, last: int, slots: Sequence[int], item: int | None
    ) -> list[Cut]:
        """What was counted in the days, by each value of a dimension."""
        statement = _BREAKDOWN.format(value=VALUE[dimension])
        asked = {**_asked(first, last, slots, item), "dimension": int(dimension)}
        return [Cut(*row) for row in await self._rows(statement, asked)]

    async def reach(self, first: int, last: int, slots: Sequence[int]) -> list[Reached]:
        """Impressions of each line item by ordinal: all of them, and those of the days."""
        return [Reached(*row) for row in await self._rows(_REACH, _asked(first, last, slots, None))]

    async def sections(self) -> dict[int, str]:
        """Code → name of every section that is told apart."""
        asked: dict[str, str | int | None] = {"from": len(SECTION_STATE) + 1, "named": f"{SECTION_STATE}*"}
        return {code: bytes(name).decode() for code, name in await self._rows(_SECTIONS, asked)}


def _asked(first: int, last: int, slots: Sequence[int], item: int | None) -> dict[str, str | int | None]:
    return {"first": first, "last": last, "slots": json.dumps(slots), "item": item}
