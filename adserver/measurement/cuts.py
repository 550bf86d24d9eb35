"""Sums by dimension → the breakdown of a site's period, and the reach of what ran in it.

Whatever shows one of these takes it from here. A breakdown cuts the very events that the other reports sum,
so its total is theirs; what networks reported that they paid has a line of its own (`reported`).
"""

from __future__ import annotations

from asyncio import gather
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, chain
from operator import attrgetter
from typing import Protocol, TypeVar

from adserver.catalog.nearest import nearest
from adserver.clock import EPOCH
from adserver.decision import facts
from adserver.decision.facts import Dimension
from adserver.engines.catalog_store import Stored
from adserver.engines.day_sums import Day
from adserver.engines.sqlite_breakdown import SUMS
from adserver.engines.sqlite_cuts import Cut, ItemSums, Lately, Reached
from adserver.errors import InvalidInput
from adserver.measurement import reported
from adserver.measurement.report import Choice
from adserver.measurement.totals import Totals, added

K = TypeVar("K")
R = TypeVar("R", bound=Cut | ItemSums)

#: What a breakdown may be by, under the names of queries.
BY = {
    dimension.name.lower(): dimension
    for dimension in (
        Dimension.COUNTRY,
        Dimension.DEVICE,
        Dimension.BROWSER,
        Dimension.SECTION,
        Dimension.SIZE,
        Dimension.THEME,
        Dimension.FREQUENCY,
    )
}
DEFAULT_BY = "country"
_EPOCH_DAY = EPOCH.toordinal()


class Source(reported.Source, Protocol):
    """Where the sums come from; days are local dates of the slots' site, in days since 1970-01-01."""

    async def breakdown(
        self,
        dimension: Dimension,
        first: int,
        last: int,
        slots: Sequence[int],
        items: Sequence[int] | None,
        /,
    ) -> list[Day[Cut]]:
        """What was counted in each of the days, by each value of a dimension."""
        ...

    async def lately(self, first: int, last: int, slots: Sequence[int], /) -> list[Day[Lately]]:
        """The line items that had impressions in each of the days."""
        ...

    async def reach(self, items: Sequence[int], slots: Sequence[int], /) -> list[Reached]:
        """All impressions of some line items by ordinal."""
        ...

    async def sections(self) -> dict[int, str]:
        """Code → name of every section that is told apart."""
        ...


class Named(StrEnum):
    """What kind of a line of a breakdown it is."""

    VALUE = "value"
    NONE = "none"
    """The page said that there is none."""
    UNKNOWN = "unknown"
    OTHER = "other"
    """All that is not told apart, or not among the first."""
    REPORTED = "reported"
    """Revenue that networks reported, less what was estimated: they do not say of which value it was."""


@dataclass(frozen=True, slots=True)
class CutLine:
    """One value of a dimension; `value` is empty where `named` says why there is none."""

    named: Named
    value: str
    totals: Totals


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A period's events by one dimension, those with the most impressions first, unknown and other last,
    and then what networks reported.

    `line_item`: of this one alone; None: of all. `total` is the sum of the lines. Requests are not
    cut: all of theirs is 0.
    """

    choice: Choice
    by: str
    line_item: str | None
    lines: tuple[CutLine, ...]
    total: Totals


@dataclass(frozen=True, slots=True)
class Frequency:
    """How many browsers saw something how often, as far as they keep it.

    `at_least[k - 1]`: browsers that saw it k times or more, up to `MOST_ORDINAL`. An impression that was not
    drawn or does not count is missing where its turn was, so this is what is certain: at no time fewer than
    for any larger k. Browsers that keep nothing are in `unknown_count` only.
    """

    at_least: tuple[int, ...]
    impression_count: int
    """In browsers that keep how many there were."""
    unknown_count: int
    """Impressions of which it is not known which ones they were."""
    lately_count: int
    """Impressions in the period."""
    new_count: int
    """First impressions in the period: browsers that were reached for the first time."""

    @property
    def reach(self) -> int:
        """Browsers that saw it at all."""
        return self.at_least[0]

    @property
    def average(self) -> float | None:
        """Impressions per browser."""
        return self.impression_count / self.reach if self.reach else None

    def exactly(self, first: int, last: int | None = None) -> int:
        """Browsers that saw it so often: at least `first` times, at most `last`; None: or more often."""
        beyond = 0 if last is None else self.at_least[last]
        return self.at_least[first - 1] - beyond


@dataclass(frozen=True, slots=True)
class ReachLine:
    """A campaign with its line items, or a line item with none. `archived`: no longer in the catalog."""

    name: str
    advertiser: str
    frequency: Frequency
    archived: bool
    line_items: tuple[ReachLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """The campaigns that had impressions in a period, the widest reach first; counted from their start."""

    choice: Choice
    campaigns: tuple[ReachLine, ...]


class Cuts:
    """Answers what is asked about a choice (`Reports.choose`), which says whose numbers may be seen."""

    def __init__(self, source: Source, catalog: Callable[[], Stored], max_values: int) -> None:
        """`max_values`: so many values have a line of their own."""
        self._source = source
        self._catalog = catalog
        self._max_values = max_values

    async def breakdown(
        self, choice: Choice, by: str = "", line_item: str = "", items: Sequence[int] | None = None
    ) -> Breakdown:
        """Words of a query (empty: not given) → the breakdown of the slots chosen. Raises InvalidInput.

        `items`: ids of line items, of which alone it shall be, whoever they are of.
        """
        by = by or DEFAULT_BY
        slots = self._slots(choice)
        if by not in BY:
            raise InvalidInput.one("", "by", f"{by[:40]!r} is none of {', '.join(BY)}{nearest(by[:40], BY)}")
        dimension = BY[by]
        # A name that is not known has no events: whose line items there are elsewhere is not told.
        if line_item:
            items = [self._catalog().ids.get(("line_item", line_item), -1)]
        of_slots = list(slots.values()) if choice.slot is None else [slots[choice.slot]]
        days, beside = await gather(
            self._source.breakdown(dimension, *days_of(choice), of_slots, items),
            reported.beside_estimates(self._source, self._catalog(), choice, of_slots, items),
        )
        names = await self._source.sections() if dimension is Dimension.SECTION else {}
        values = grouped((cut for day in days for cut in day.rows), attrgetter("value"))
        lines = self._lines(dimension, values, names)
        if beside:
            lines += (
                CutLine(Named.REPORTED, "", Totals(revenue_micros=sum(one.revenue_micros for one in beside))),
            )
        return Breakdown(choice, by, line_item or None, lines, added(line.totals for line in lines))

    def _lines(
        self, dimension: Dimension, found: Mapping[int, Totals], sections: Mapping[int, str]
    ) -> tuple[CutLine, ...]:
        lines = [CutLine(*_name(dimension, value, sections), totals) for value, totals in found.items()]
        values = [line for line in lines if line.named is Named.VALUE]
        if dimension is Dimension.FREQUENCY:
            values.sort(key=lambda line: int(line.value.rstrip("+")))
        else:
            values.sort(key=lambda line: (-line.totals.impression_count, line.value))
            beyond = values[self._max_values :]
            lines += [CutLine(Named.OTHER, "", line.totals) for line in beyond]
            values = values[: self._max_values]
        rest = []
        for named in (Named.NONE, Named.OTHER, Named.UNKNOWN):
            alike = [line.totals for line in lines if line.named is named]
            if alike:
                rest.append(CutLine(named, "", added(alike)))
        return (*values, *rest)

    async def reach(self, choice: Choice) -> Reach:
        """The reach of what had impressions in the period."""
        slots, stored = list(self._slots(choice).values()), self._catalog()
        lately = _lately(await self._source.lately(*days_of(choice), slots))
        # A campaign's reach is that of all of its line items, those too that rest.
        items_in: dict[tuple[str, ...], list[int]] = {
            stored.campaigns[item]: [] for item in lately if item in stored.campaigns
        }
        for item, path in stored.campaigns.items():
            if path in items_in:
                items_in[path].append(item)
        counts = _by_item(await self._source.reach([*chain(*items_in.values())], slots))
        names = {number: path[1] for path, number in stored.ids.items() if path[0] == "line_item"}

        def line(name: str, path: tuple[str, ...], frequency: Frequency, *inside: ReachLine) -> ReachLine:
            archived = (path if inside else ("line_item", name)) in stored.archived
            return ReachLine(name, path[1], frequency, archived, _by_reach(inside))

        campaigns = []
        for path, items in items_in.items():
            of_items = (
                line(names[item], path, _frequency(Dimension.FREQUENCY, [item], counts, lately))
                for item in items
                if item in lately
            )
            frequency = _frequency(Dimension.CAMPAIGN_FREQUENCY, items, counts, lately)
            campaigns.append(line(path[2], path, frequency, *of_items))
        return Reach(choice, _by_reach(campaigns))

    def _slots(self, choice: Choice) -> dict[str, int]:
        """Name → id of every slot that the site has or had."""
        ids = self._catalog().ids
        return {path[2]: number for path, number in ids.items() if path[:2] == ("slot", choice.site.name)}


def days_of(choice: Choice) -> tuple[int, int]:
    """First and last day of a choice, in days since 1970-01-01."""
    period = choice.period
    return period.first.toordinal() - _EPOCH_DAY, period.last.toordinal() - _EPOCH_DAY


def _name(dimension: Dimension, code: int, sections: Mapping[int, str]) -> tuple[Named, str]:
    """What a line is called."""
    value: str | None = None
    match dimension:
        case Dimension.SECTION:
            if code == facts.NO_SECTION:
                return Named.NONE, ""
            return (Named.VALUE, sections[code]) if code in sections else (Named.OTHER, "")
        case Dimension.COUNTRY:
            value = facts.country_of(code)
        case Dimension.SIZE:
            value = facts.size_of(code)
        case Dimension.FREQUENCY:
            value = f"{code}+" if code == facts.MORE else str(code or "")
        case Dimension.DEVICE | Dimension.BROWSER | Dimension.THEME:
            value = {
                Dimension.DEVICE: facts.DEVICES,
                Dimension.BROWSER: facts.BROWSERS,
                Dimension.THEME: facts.THEMES,
            }[dimension][code]
            if value == "other":
                return Named.OTHER, ""
    return (Named.VALUE, value) if value else (Named.UNKNOWN, "")


def grouped(rows: Iterable[R], key: Callable[[R], K]) -> dict[K, Totals]:
    """Rows with a key in common, added up. They count events; requests are not cut."""
    groups: defaultdict[K, list[tuple[int, ...]]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row[-len(SUMS) :])
    return {one: _totals(found) for one, found in groups.items()}


def _totals(counts: Iterable[tuple[int, ...]]) -> Totals:
    return Totals(**dict(zip(SUMS, map(sum, zip(*counts, strict=True)), strict=True)))


def _lately(days: Iterable[Day[Lately]]) -> dict[int, Lately]:
    """Line item → its impressions in all of some days."""
    groups: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
    for day in days:
        for item, *counts in day.rows:
            groups[item].append(tuple(counts))
    return {item: Lately(item, *map(sum, zip(*found, strict=True))) for item, found in groups.items()}


_Counts = dict[tuple[int, int], list[int]]


def _by_item(rows: Iterable[Reached]) -> _Counts:
    """(dimension, line item) → impressions by ordinal."""
    counts: _Counts = {}
    for dimension, item, ordinal, count in rows:
        counts.setdefault((dimension, item), [0] * (facts.MORE + 1))[ordinal] = count
    return counts


def _frequency(
    dimension: Dimension, items: Sequence[int], counts: _Counts, lately: Mapping[int, Lately]
) -> Frequency:
    """How often browsers saw a line item, or any of a campaign's."""
    found = [counts[dimension, item] for item in items if (dimension, item) in counts]
    unknown, *known = (sum(column) for column in zip([0] * (facts.MORE + 1), *found, strict=True))
    at_least = list(accumulate(reversed(known[: facts.MOST_ORDINAL]), max))
    recent = [lately[item] for item in items if item in lately]
    of_item = dimension is Dimension.FREQUENCY
    return Frequency(
        at_least=tuple(reversed(at_least)),
        impression_count=sum(known),
        unknown_count=unknown,
        lately_count=sum(one.impression_count for one in recent),
        new_count=sum(one.new_count if of_item else one.campaign_new_count for one in recent),
    )


def _by_reach(lines: Iterable[ReachLine]) -> tuple[ReachLine, ...]:
    return tuple(sorted(lines, key=lambda line: (-line.frequency.reach, line.advertiser, line.name)))
