"""Rollups → what a publisher earned: totals by day, by slot and overall, all summed from one query's rows.

Whatever shows a number (page, chart, CSV, JSON) takes it from a `Report`, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Protocol

from adserver.catalog.model import Site, Tier
from adserver.catalog.nearest import nearest
from adserver.clock import BUCKETS_PER_HOUR, Clock, bucket_of, day_start, from_ms, to_day, to_ms
from adserver.engines.catalog_store import Stored, Touched
from adserver.engines.day_sums import Day
from adserver.engines.sqlite_report import Sums
from adserver.errors import Fault, InvalidInput
from adserver.measurement.counted import Counting, summed
from adserver.measurement.lines import (
    CampaignLine,
    CreativeLine,
    DayLine,
    MarkedLine,
    SlotLine,
    campaign_lines,
    creative_lines,
    day_lines,
    marked_lines,
    slot_lines,
    unfilled_lines,
)
from adserver.measurement.owners import Owners
from adserver.measurement.period import (
    COMPARED,
    DEFAULT_COMPARED,
    DEFAULT_PRESET,
    PRESETS,
    Period,
    parse_span,
)
from adserver.measurement.totals import Totals

__all__ = [
    "COMPARED",
    "DEFAULT_COMPARED",
    "PRESETS",
    "CampaignLine",
    "CatalogChange",
    "Choice",
    "Comparison",
    "CreativeLine",
    "DayLine",
    "MarkedLine",
    "Period",
    "Report",
    "Reports",
    "Site",
    "SlotLine",
    "Source",
    "Totals",
]


class Source(Protocol):
    """Where the sums come from; each engine that keeps rollups has one."""

    async def sums(
        self,
        cuts: Sequence[tuple[int, int, int]],
        slots: Sequence[int],
        networks: Sequence[int],
        settled: int,
        /,
    ) -> list[list[Day[Sums]]]:
        """Days (a half-open range of buckets, and the number of the local day) × slots → each day's sums.

        `networks`: creatives of line items of tier network. `settled`: the bucket before which little
        changes any more; the day in which it lies may come in two parts.
        """
        ...

    async def last_event_ms(self, slots: Sequence[int]) -> int | None:
        """When the newest event of the slots came, in milliseconds since 1970; None before the first."""
        ...


class Changes(Protocol):
    """Where the catalog's past is known."""

    async def touched(self, ids: Sequence[int], since_ms: int, until_ms: int, /) -> Sequence[Touched]:
        """Which of some objects were changed in a time, half-open, the earliest first."""
        ...


@dataclass(frozen=True, slots=True)
class CatalogChange:
    """One version of the catalog that changed what a report is about; `names` are of the objects changed."""

    version: int
    at: datetime
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reader asked for: a site and a period; `preset` names a period that moves with the calendar.

    `slot`: of this one alone; None: of all. `compared`: with which days, one of `COMPARED`. `last_event_at`:
    of the whole site, whatever the period; None: there is none, or it is not known (`Reports.dated`).
    """

    site: Site
    period: Period
    preset: str | None
    asked_at: datetime
    slot: str | None = None
    compared: str = DEFAULT_COMPARED
    last_event_at: datetime | None = None

    @property
    def today(self) -> date:
        """The site's day in which was asked; it is not over yet."""
        return self.asked_at.astimezone(self.period.zone).date()


@dataclass(frozen=True, slots=True)
class Comparison:
    """The complete days of a period beside as many earlier ones on the same weekdays.

    `days` are the earlier ones, each at the place of the day that it is compared with.
    """

    period: Period
    earlier: Period
    totals: Totals
    earlier_totals: Totals
    days: tuple[DayLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """One site and period: `total` is the sum of `days` and, as well, of `slots`.

    `unfilled` is (reason, request count), the most frequent first. `marked` adds up to gross less net.
    `comparison` is None while no day is complete, or when none was asked for; `campaigns`, then empty, add up
    to the change of its revenue. Revenue and events of `creatives` add up to the total's.
    """

    choice: Choice
    total: Totals
    days: tuple[DayLine, ...]
    slots: tuple[SlotLine, ...]
    unfilled: tuple[tuple[str, int], ...]
    marked: tuple[MarkedLine, ...]
    comparison: Comparison | None
    campaigns: tuple[CampaignLine, ...] = ()
    creatives: tuple[CreativeLine, ...] = ()
    changes: tuple[CatalogChange, ...] = ()
    """Of the site, its slots and what had events there, in the period."""


class Reports:
    """Answers what readers ask, from the rollups and the current catalog."""

    def __init__(
        self,
        source: Source,
        catalog: Callable[[], Stored],
        clock: Clock,
        max_report_days: int,
        only: frozenset[str] | None = None,
        owners: Owners | None = None,
        changes: Changes | None = None,
        counting: Counting | None = None,
    ) -> None:
        """`only`: names of the sites that are reported on; None: all. `changes` None: not known."""
        self._source = source
        self._catalog = catalog
        self._clock = clock
        self._max_report_days = max_report_days
        self._only = only
        self._owners = owners or Owners(catalog)
        self._changes = changes
        self._counting = counting or Counting()

    @property
    def only(self) -> frozenset[str] | None:
        """Names of the sites that are reported on; None: all."""
        return self._only

    def within(self, sites: frozenset[str] | None) -> Reports:
        """The same reports for somebody who may read those of some sites only."""
        return Reports(
            self._source,
            self._catalog,
            self._clock,
            self._max_report_days,
            sites,
            self._owners,
            self._changes,
            self._counting,
        )

    def sites(self) -> tuple[Site, ...]:
        """Every site of the catalog, or of those that are reported on."""
        only = self._only
        return tuple(site for site in self._catalog().catalog.site if only is None or site.name in only)

    def choose(
        self,
        site: str = "",
        period: str = "",
        first: str = "",
        last: str = "",
        slot: str = "",
        compared: str = "",
    ) -> Choice | None:
        """Words of a query (empty: not given) → a choice; None while the catalog has no site.

        Without a site it is the first one; without a period the last 7 days. Raises InvalidInput.
        """
        sites = {known.name: known for known in self.sites()}
        if not sites:
            return None
        chosen = sites.get(site) if site else next(iter(sites.values()))
        if chosen is None:
            known = ", ".join(sites)
            raise InvalidInput([Fault("", "site", f"{site[:63]!r} is not a site of the catalog ({known})")])
        asked_at = self._clock()
        today = asked_at.astimezone(chosen.zone).date()
        preset = period or ("" if first or last else DEFAULT_PRESET)
        span = self._span(preset, first, last, today)
        slots = self._slots(chosen).values()
        if slot and slot not in slots:
            hint = nearest(slot[:200], slots)
            raise InvalidInput.one("", "slot", f"{slot[:200]!r} is not a slot of {chosen.name}{hint}")
        if compared and compared not in COMPARED:
            raise InvalidInput.one("", "compare", f"{compared[:40]!r} is none of {', '.join(COMPARED)}")
        of_slot, beside = slot or None, compared or DEFAULT_COMPARED
        return Choice(chosen, Period(chosen.zone, *span), preset or None, asked_at, of_slot, beside)

    def _span(self, preset: str, first: str, last: str, today: date) -> tuple[date, date]:
        if preset and (first or last):
            raise InvalidInput([Fault("", "period", "give either a period or from and to, not both")])
        if not preset:
            span = parse_span(first, last, today, self._max_report_days)
            if isinstance(span, list):
                raise InvalidInput([Fault("", key, problem) for key, problem in span])
            return span
        if preset not in PRESETS:
            raise InvalidInput([Fault("", "period", f"{preset[:40]!r} is none of {', '.join(PRESETS)}")])
        return PRESETS[preset].span(today)

    async def dated(self, choice: Choice) -> Choice:
        """A choice that tells how fresh its numbers are."""
        last_event_ms = await self._source.last_event_ms(list(self._slots(choice.site)))
        return replace(choice, last_event_at=None if last_event_ms is None else from_ms(last_event_ms))

    async def read(self, choice: Choice) -> Report:
        """The report of a choice, from one snapshot of the rollups."""
        named = self._slots(choice.site).items()
        slots = {number: name for number, name in named if choice.slot in (None, name)}
        complete = choice.period.before(choice.today)
        earlier = complete and COMPARED[choice.compared].of(complete)
        count = len(choice.period)
        cuts = [*numbered(choice.period), *(numbered(earlier) if earlier else ())]
        read = await self._source.sums(cuts, list(slots), self._networks(), _settled(choice.asked_at))
        over = len(complete) if complete else 0
        found = [self._counting.of_parts(parts) for parts in read]
        whole = self._counting.of_days(chain(*read[:over]))
        now = summed([whole, *found[over:count]])
        owners = self._owners.of_creatives()
        days = day_lines(zip(choice.period.days, found, strict=False), choice.today, owners)
        comparison, compared = None, None
        if complete and earlier:
            before = day_lines(zip(earlier.days, found[count:], strict=True), choice.today, owners)
            compared = whole, self._counting.of_days(chain(*read[count:]))
            comparison = Comparison(complete, earlier, compared[0].total, compared[1].total, before)
        return Report(
            choice=choice,
            total=now.total,
            days=days,
            slots=slot_lines(slots, {slot.name for slot in choice.site.slot}, now, found[:over], compared),
            unfilled=unfilled_lines(now.unfilled),
            marked=marked_lines(now.marked),
            comparison=comparison,
            campaigns=campaign_lines(*compared, owners) if compared else (),
            creatives=creative_lines(now, owners),
            changes=await self._changed(
                choice, list(slots), sorted({*now.creatives, *(compared[1].creatives if compared else ())})
            ),
        )

    async def _changed(
        self, choice: Choice, slots: Sequence[int], creatives: Sequence[int]
    ) -> tuple[CatalogChange, ...]:
        """What was changed of the site, some slots and creatives, and what these are in."""
        if self._changes is None:
            return ()
        stored, owners = self._catalog(), self._owners.of_creatives()
        ids = {*slots, stored.ids["site", choice.site.name], *creatives}
        for owner in (owners[one] for one in creatives if one in owners):
            ids.add(stored.ids["line_item", owner.line_item])
            ids.add(stored.ids["campaign", owner.advertiser, owner.campaign])
        days = choice.period
        since, until = (
            to_ms(day_start(day, days.zone)) for day in (days.first, days.last + timedelta(days=1))
        )
        versions: dict[tuple[int, int], list[str]] = {}
        for version, at_ms, path in await self._changes.touched(sorted(ids), since, until):
            versions.setdefault((version, at_ms), []).append(path.rpartition("/")[2])
        return tuple(
            CatalogChange(version, from_ms(at_ms), tuple(dict.fromkeys(names)))
            for (version, at_ms), names in versions.items()
        )

    def _slots(self, site: Site) -> dict[int, str]:
        """Id → name of every slot that the site has or had."""
        ids = self._catalog().ids
        return {number: key[2] for key, number in ids.items() if key[:2] == ("slot", site.name)}

    def _networks(self) -> list[int]:
        """Ids of the creatives of networks."""
        stored = self._catalog()
        items = (item for _, _, item in stored.catalog.line_items() if item.tier is Tier.NETWORK)
        return [stored.ids["creative", creative.name] for item in items for creative in item.creative]


def _settled(at: datetime) -> int:
    """The first bucket of the hour before this one: what happened until then was told, but for stragglers."""
    return bucket_of(at - timedelta(hours=1)) // BUCKETS_PER_HOUR * BUCKETS_PER_HOUR


def numbered(period: Period) -> list[tuple[int, int, int]]:
    """For each day its buckets, half-open, and its number."""
    return [(*cut, to_day(day)) for cut, day in zip(period.cuts(), period.days, strict=True)]
