"""An advertiser's line items on a site → what they got: delivery, viewability and cost, by day and slot.

These are the very events that the site's own reports sum; those of other advertisers are never read.
"""

from __future__ import annotations

from asyncio import gather
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from operator import attrgetter
from typing import Protocol

from adserver.catalog.model import Catalog
from adserver.clock import to_day
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_cuts import ItemSums
from adserver.measurement import reported
from adserver.measurement.cuts import Breakdown, Cuts, ReachLine, days_of, grouped
from adserver.measurement.report import Choice
from adserver.measurement.totals import Totals, added

#: What an advertiser's results are cut by, beside day, slot and line item.
CUT_BY = ("device", "country")


class Source(reported.Source, Protocol):
    """Where the sums come from; days are local dates of the site, in days since 1970-01-01."""

    async def deliveries(
        self, first: int, last: int, slots: Sequence[int], items: Sequence[int], /
    ) -> list[ItemSums]:
        """What was counted of some line items in the days, by day and slot."""
        ...


@dataclass(frozen=True, slots=True)
class ItemLine:
    """One line item in the period."""

    campaign: str
    name: str
    totals: Totals


@dataclass(frozen=True, slots=True)
class DayItem:
    """One line item on one day."""

    day: date
    campaign: str
    line_item: str
    totals: Totals


@dataclass(frozen=True, slots=True)
class Results:
    """What one advertiser, or one of its campaigns (None: all), got on a site in a period.

    `total` is the sum of `days`, of `items`, of `slots` and of each breakdown. `rows` are days × line items
    that had anything. `reach` counts from the start of each campaign.
    """

    choice: Choice
    advertiser: str
    campaign: str | None
    total: Totals
    days: tuple[tuple[date, Totals], ...]
    items: tuple[ItemLine, ...]
    slots: tuple[tuple[str, Totals], ...]
    breakdowns: tuple[Breakdown, ...]
    reach: tuple[ReachLine, ...]
    rows: tuple[DayItem, ...]


class AllResults:
    """Answers what an advertiser got. Whose results somebody may see is asked before, in `accounts`."""

    def __init__(self, source: Source, cuts: Cuts, catalog: Callable[[], Stored]) -> None:
        self._source = source
        self._cuts = cuts
        self._catalog = catalog

    def advertisers(self) -> tuple[str, ...]:
        """Every advertiser of the catalog, by name."""
        return tuple(sorted(one.name for one in self._catalog().catalog.advertiser))

    def campaigns(self, advertiser: str) -> tuple[str, ...]:
        """Every campaign that an advertiser has or had."""
        paths = {path for path in self._catalog().campaigns.values() if path[1] == advertiser}
        return tuple(sorted(path[2] for path in paths))

    def sites(self, advertiser: str) -> frozenset[str]:
        """The sites on which an advertiser may run."""
        return _sites(self._catalog().catalog, advertiser)

    async def read(self, choice: Choice, advertiser: str, campaign: str | None) -> Results:
        """All of it."""
        stored = self._catalog()
        items = {
            number: path[2]
            for number, path in stored.campaigns.items()
            if path[1] == advertiser and campaign in (None, path[2])
        }
        slots = {
            number: path[2] for path, number in stored.ids.items() if path[:2] == ("slot", choice.site.name)
        }
        names = {number: path[1] for path, number in stored.ids.items() if path[0] == "line_item"}
        rows, beside, reach, breakdowns = await gather(
            self._source.deliveries(*days_of(choice), list(slots), list(items)),
            reported.beside_estimates(self._source, stored, choice, list(slots), list(items)),
            self._cuts.reach(choice),
            gather(*(self._cuts.breakdown(choice, by, items=list(items)) for by in CUT_BY)),
        )
        rows += beside
        by_day, by_item, by_slot = (grouped(rows, attrgetter(key)) for key in ("day", "item", "slot"))
        day_items = grouped(rows, attrgetter("day", "item"))
        return Results(
            choice,
            advertiser,
            campaign,
            added(by_day.values()),
            tuple((day, by_day.get(to_day(day), Totals())) for day in choice.period.days),
            _by_impressions(ItemLine(items[item], names[item], found) for item, found in by_item.items()),
            tuple(
                sorted(
                    ((slots[slot], found) for slot, found in by_slot.items()),
                    key=lambda pair: (-pair[1].impression_count, pair[0]),
                )
            ),
            tuple(breakdowns),
            tuple(
                line
                for line in reach.campaigns
                if line.advertiser == advertiser and campaign in (None, line.name)
            ),
            tuple(
                DayItem(date(1970, 1, 1) + timedelta(days=day), items[item], names[item], found)
                for (day, item), found in sorted(day_items.items())
            ),
        )


def _by_impressions(lines: Iterable[ItemLine]) -> tuple[ItemLine, ...]:
    return tuple(sorted(lines, key=lambda line: (-line.totals.impression_count, line.campaign, line.name)))


def _sites(catalog: Catalog, advertiser: str) -> frozenset[str]:
    every = frozenset(site.name for site in catalog.site)
    for one in catalog.advertiser:
        if one.name == advertiser:
            found: set[str] = set()
            for campaign in one.campaign:
                for item in campaign.line_item:
                    found |= set(item.target.site or one.sites or every)
            return every & found if found else every & (frozenset(one.sites) or every)
    return every
