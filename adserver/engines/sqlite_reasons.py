"""On how many sampled pages a rule kept a line item away ⇄ sums of these by local hour and by local day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from adserver.engines.sqlite_reader import SqliteReader
from adserver.engines.sqlite_upkeep import Upkeep

#: How long the times are that are told apart, in hours.
HOUR, DAY = 1, 24
_ADD = """
INSERT INTO reason VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET page_count = page_count + excluded.page_count
"""
_FORGET = "DELETE FROM reason WHERE hours = ? AND at < ?"
_ITEMS = """
SELECT item, rule, sum(page_count) FROM reason
WHERE site = :site AND hours = :hours AND at BETWEEN :first AND :last GROUP BY 1, 2
"""
_TIMES = """
SELECT at, rule, page_count FROM reason
WHERE site = :site AND hours = :hours AND at BETWEEN :first AND :last AND item = :item
"""


class Kept(NamedTuple):
    """Pages of one local hour of a site, counted in hours since 1970-01-01 as its clocks show them."""

    site: int
    hour: int
    item: int
    rule: str
    page_count: int


class ItemReason(NamedTuple):
    """What kept a line item away, or that it served, over a while."""

    item: int
    rule: str
    page_count: int


class TimeReason(NamedTuple):
    """The same of one line item, in one hour or day."""

    at: int
    rule: str
    page_count: int


class ReasonLog(Upkeep):
    """Adds to what is kept; raises StorageFailed."""

    def add(self, found: Sequence[Kept], hours_before: int, days_before: int) -> None:
        """Add pages to their hour and day, and forget hours and days before these, of all sites."""
        with self._transaction():
            for hours in (HOUR, DAY):
                rows = [(one.site, hours, one.hour // hours, *one[2:]) for one in found]
                self._db.executemany(_ADD, rows)
            self._db.execute(_FORGET, (HOUR, hours_before))
            self._db.execute(_FORGET, (DAY, days_before))


class SqliteReasons(SqliteReader):
    """Reads what is kept; raises StorageFailed. Times are `hours` long; both ends are included."""

    async def by_item(self, site: int, hours: int, first: int, last: int) -> list[ItemReason]:
        """Of every line item, over the whole time."""
        asked = {"site": site, "hours": hours, "first": first, "last": last}
        return [ItemReason(*row) for row in await self._rows(_ITEMS, asked)]

    async def by_time(self, site: int, hours: int, first: int, last: int, item: int) -> list[TimeReason]:
        """Of one line item, hour by hour or day by day."""
        asked = {"site": site, "hours": hours, "first": first, "last": last, "item": item}
        return [TimeReason(*row) for row in await self._rows(_TIMES, asked)]
