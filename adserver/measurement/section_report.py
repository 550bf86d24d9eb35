"""A section of a site's pages → what was shown and earned there, by day, slot and campaign.

Requests are not cut by section, so there is no fill rate here. The lines are of the very events that the
other reports sum; those of all sections add up to them, with what networks reported, which is of no section.
"""

from __future__ import annotations

from asyncio import gather
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Protocol

from adserver.clock import to_day
from adserver.engines.catalog_store import Stored
from adserver.engines.day_sums import Day
from adserver.engines.sqlite_cuts import ItemSums
from adserver.measurement import reported
from adserver.measurement.cuts import Breakdown, Cuts, days_of, grouped
from adserver.measurement.report import Choice
from adserver.measurement.totals import Totals, added


class Source(reported.Source, Protocol):
    """Where the sums come from; days are local dates of the site, in days since 1970-01-01."""

    async def section(
        self, first: int, last: int, slots: Sequence[int], section: int | None, /
    ) -> list[Day[ItemSums]]:
        """What was counted in each of the days, by slot and by line item."""
        ...

    async def sections(self) -> dict[int, str]:
        """Code → name of every section that is told apart."""
        ...


@dataclass(frozen=True, slots=True)
class SectionReport:
    """One section (None: all of them) of a site in a period; `every`: the period by section.

    `total` is the sum of `days`, of `slots` and of `campaigns` (advertiser, campaign, totals).
    """

    choice: Choice
    section: str | None
    every: Breakdown
    total: Totals
    days: tuple[tuple[date, Totals], ...]
    slots: tuple[tuple[str, Totals], ...]
    campaigns: tuple[tuple[str, str, Totals], ...]


class SectionReports:
    """Answers what a section is worth."""

    def __init__(self, source: Source, cuts: Cuts, catalog: Callable[[], Stored]) -> None:
        self._source = source
        self._cuts = cuts
        self._catalog = catalog

    async def read(self, choice: Choice, section: str) -> SectionReport:
        """`section`: a word of a query, empty for all. Of one that had no ad, whyever, all is 0."""
        codes = {name: code for code, name in (await self._source.sections()).items()}
        stored = self._catalog()
        slots = {
            number: path[2]
            for path, number in stored.ids.items()
            if path[:2] == ("slot", choice.site.name) and choice.slot in (None, path[2])
        }
        code = codes.get(section, -1) if section else None
        every, days = await gather(
            self._cuts.breakdown(choice, "section"),
            self._source.section(*days_of(choice), list(slots), code),
        )
        rows = [row for day in days for row in day.rows]
        if code is None:
            rows += await reported.beside_estimates(self._source, stored, choice, list(slots))
        of_slots, of_items = ([row for row in rows if getattr(row, name)] for name in ("slot", "item"))
        by_day, by_slot = (grouped(of_slots, attrgetter(key)) for key in ("day", "slot"))

        def campaign_of(row: ItemSums) -> tuple[str, str]:
            _, advertiser, name = stored.campaigns.get(row.item, ("campaign", "", ""))
            return advertiser, name

        campaigns = grouped(of_items, campaign_of)
        return SectionReport(
            choice,
            section or None,
            every,
            added(by_day.values()),
            tuple((day, by_day.get(to_day(day), Totals())) for day in choice.period.days),
            tuple(sorted(((slots[key], one) for key, one in by_slot.items()), key=_most_first)),
            tuple(sorted(((*names, one) for names, one in campaigns.items()), key=_most_first)),
        )


def _most_first(line: tuple[str, Totals] | tuple[str, str, Totals]) -> tuple[int, tuple[str, ...]]:
    *names, totals = line
    assert isinstance(totals, Totals), "a line ends with its totals"
    return -totals.revenue_micros, tuple(map(str, names))
