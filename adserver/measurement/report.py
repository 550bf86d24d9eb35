"""Rollups → what a publisher earned: totals by day, by slot and overall, all summed from one query's rows.

Whatever shows a number (page, chart, CSV, JSON) takes it from a `Report`, so that they cannot disagree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from adserver.catalog.model import Site, Tier
from adserver.clock import Clock, from_ms, to_day
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_report import Sums
from adserver.errors import Fault, InvalidInput
from adserver.measurement.invalid import BY_VALIDITY
from adserver.measurement.log import FILLED, HEADER_BID
from adserver.measurement.period import DEFAULT_PRESET, PRESETS, Period, parse_span
from adserver.measurement.totals import Totals, fold, of_auction, rule_of

__all__ = [
    "PRESETS",
    "Choice",
    "Comparison",
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
        self, cuts: Sequence[tuple[int, int, int]], slots: Sequence[int], networks: Sequence[int]
    ) -> list[Sums]:
        """Days (a half-open range of buckets, and the number of the local day) × slots → their sums.

        `networks`: creatives of line items of tier network.
        """
        ...

    async def last_event_ms(self, slots: Sequence[int]) -> int | None:
        """When the newest event of the slots came, in milliseconds since 1970; None before the first."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reader asked for: a site and a period; `preset` names a period that moves with the calendar."""

    site: Site
    period: Period
    preset: str | None
    asked_at: datetime

    @property
    def today(self) -> date:
        """The site's day in which was asked; it is not over yet."""
        return self.asked_at.astimezone(self.period.zone).date()


@dataclass(frozen=True, slots=True)
class DayLine:
    """One local day. `partial`: it is not over."""

    day: date
    totals: Totals
    partial: bool


@dataclass(frozen=True, slots=True)
class SlotLine:
    """One slot. `archived`: it was removed from the catalog, its history was not."""

    name: str
    totals: Totals
    archived: bool


@dataclass(frozen=True, slots=True)
class MarkedLine:
    """What was recorded and does not count, for one reason, with the sentence and the source of its rule."""

    rule: str
    sentence: str
    source: str
    request_count: int
    impression_count: int
    viewable_count: int
    click_count: int
    conversion_count: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The complete days of a period beside as many earlier ones on the same weekdays."""

    period: Period
    earlier: Period
    totals: Totals
    earlier_totals: Totals


@dataclass(frozen=True, slots=True)
class Report:
    """One site and period: `total` is the sum of `days` and, as well, of `slots`.

    `unfilled` is (reason, request count), the most frequent first. `marked` adds up to gross less net.
    `comparison` is None while no day is complete. `last_event_at` is of the whole site, whatever the period.
    """

    choice: Choice
    total: Totals
    days: tuple[DayLine, ...]
    slots: tuple[SlotLine, ...]
    unfilled: tuple[tuple[str, int], ...]
    marked: tuple[MarkedLine, ...]
    comparison: Comparison | None
    last_event_at: datetime | None


class Reports:
    """Answers what readers ask, from the rollups and the current catalog."""

    def __init__(
        self,
        source: Source,
        catalog: Callable[[], Stored],
        clock: Clock,
        max_report_days: int,
        only: frozenset[str] | None = None,
    ) -> None:
        """`only`: names of the sites that are reported on; None: all."""
        self._source = source
        self._catalog = catalog
        self._clock = clock
        self._max_report_days = max_report_days
        self._only = only

    def within(self, sites: frozenset[str] | None) -> Reports:
        """The same reports for somebody who may read those of some sites only."""
        return Reports(self._source, self._catalog, self._clock, self._max_report_days, sites)

    def sites(self) -> tuple[Site, ...]:
        """Every site of the catalog, or of those that are reported on."""
        only = self._only
        return tuple(site for site in self._catalog().catalog.site if only is None or site.name in only)

    def choose(self, site: str = "", period: str = "", first: str = "", last: str = "") -> Choice | None:
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
        return Choice(chosen, Period(chosen.zone, *span), preset or None, asked_at)

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

    async def read(self, choice: Choice) -> Report:
        """The report of a choice, from one snapshot of the rollups."""
        slots = self._slots(choice.site)
        complete = choice.period.before(choice.today)
        earlier = complete.compared_with() if complete else None
        cuts = [*_numbered(choice.period), *(_numbered(earlier) if earlier else ())]
        rows = await self._source.sums(cuts, list(slots), self._networks())
        last_event_ms = await self._source.last_event_ms(list(slots))
        now = [row for row in rows if row.cut < len(choice.period)]
        before = [row for row in rows if row.cut >= len(choice.period)]
        days = _by_day(now, choice)
        comparison = None
        if complete and earlier:
            over = sum((line.totals for line in days if not line.partial), Totals())
            comparison = Comparison(complete, earlier, over, fold(before))
        return Report(
            choice=choice,
            total=fold(now),
            days=days,
            slots=_by_slot(now, slots, {slot.name for slot in choice.site.slot}),
            unfilled=_unfilled(now),
            marked=_marked(now),
            comparison=comparison,
            last_event_at=None if last_event_ms is None else from_ms(last_event_ms),
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


def _numbered(period: Period) -> list[tuple[int, int, int]]:
    """For each day its buckets, half-open, and its number."""
    return [(*cut, to_day(day)) for cut, day in zip(period.cuts(), period.days, strict=True)]


def _marked(rows: Sequence[Sums]) -> tuple[MarkedLine, ...]:
    """One line for each rule that anything met, in the order of the rules."""
    groups: dict[str, list[Sums]] = {}
    for row in rows:
        if name := rule_of(row):
            groups.setdefault(name, []).append(row)
    return tuple(
        MarkedLine(
            rule.name,
            rule.sentence,
            rule.source,
            request_count=sum(row.request_count for row in found),
            impression_count=sum(row.impression_count for row in found),
            viewable_count=sum(row.viewable_count for row in found),
            click_count=sum(row.click_count for row in found),
            conversion_count=sum(row.conversion_count for row in found),
        )
        for rule in BY_VALIDITY.values()
        if (found := groups.get(rule.name))
    )


def _by_day(rows: Sequence[Sums], choice: Choice) -> tuple[DayLine, ...]:
    groups: dict[int, list[Sums]] = {}
    for row in rows:
        groups.setdefault(row.cut, []).append(row)
    days = enumerate(choice.period.days)
    return tuple(DayLine(day, fold(groups.get(n, ())), partial=day >= choice.today) for n, day in days)


def _by_slot(rows: Sequence[Sums], slots: dict[int, str], current: set[str]) -> tuple[SlotLine, ...]:
    """Every slot of the catalog, and removed ones that had traffic; the one that earned most comes first."""
    groups: dict[int, list[Sums]] = {}
    for row in rows:
        groups.setdefault(row.slot, []).append(row)
    lines = [
        SlotLine(name, fold(groups.get(number, ())), archived=name not in current)
        for number, name in slots.items()
        if number in groups or name in current
    ]
    return tuple(sorted(lines, key=lambda line: (-line.totals.revenue_micros, line.name)))


def _unfilled(rows: Iterable[Sums]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for row in rows:
        if row.outcome not in (None, FILLED, HEADER_BID) and not (rule_of(row) or of_auction(row)):
            counts[str(row.outcome)] += row.request_count
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
