"""Reasons kept by hour and day → what keeps each line item of a site from its pages, and since when.

The counts are of sampled page requests, as they were decided at the time: which rule kept a line item away in
the slot where it came closest. A line item is counted on pages of sites where it may run, while in flight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from adserver.clock import hour_shown, to_day
from adserver.decision.verdicts import WON, distance
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_reasons import DAY, HOUR, ItemReason, TimeReason
from adserver.measurement.report import Choice

#: So many days, of which today is the last, are shown by hour; more are shown by day.
_DAYS_BY_HOUR = 2


class Source(Protocol):
    """Where reasons are kept; times are local hours or days of the site since 1970-01-01, both included."""

    async def by_item(self, site: int, hours: int, first: int, last: int, /) -> Sequence[ItemReason]:
        """What kept every line item away, over the whole time."""
        ...

    async def by_time(
        self, site: int, hours: int, first: int, last: int, item: int, /
    ) -> Sequence[TimeReason]:
        """The same of one, hour by hour or day by day."""
        ...


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """One line item: rule → sampled pages, of which there are some, the most frequent first.

    "won" is where it serves.
    """

    line_item: str
    archived: bool
    rules: Mapping[str, int]

    @property
    def page_count(self) -> int:
        """Sampled pages that it was looked for on."""
        return sum(self.rules.values())

    @property
    def served_rate(self) -> float:
        """Of these, the part on which it serves."""
        return self.rules.get(WON, 0) / self.page_count

    @property
    def main_rule(self) -> str | None:
        """What kept it away most often; None where nothing did."""
        return next((rule for rule in self.rules if rule != WON), None)


@dataclass(frozen=True, slots=True)
class ReasonTime:
    """One line item in an hour or day with sampled pages, as the site's clocks show its beginning."""

    start: datetime
    rules: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ReasonReport:
    """Line items of a site in a period, those that serve on the smallest part of pages first.

    `chosen`: the one that `times` are of, hour by hour (`by_hour`) or day by day; None where there is none.
    """

    choice: Choice
    lines: tuple[ReasonLine, ...]
    chosen: ReasonLine | None
    by_hour: bool
    times: tuple[ReasonTime, ...]


class ReasonReports:
    """Answers why line items do not serve."""

    def __init__(self, source: Source, catalog: Callable[[], Stored]) -> None:
        self._source = source
        self._catalog = catalog

    async def read(self, choice: Choice, line_item: str) -> ReasonReport:
        """`line_item`: a word of a query; empty or unknown: the first in the list."""
        stored, period = self._catalog(), choice.period
        by_hour = (choice.today - period.first).days < _DAYS_BY_HOUR
        hours = HOUR if by_hour else DAY
        scale = DAY // hours
        first, last = to_day(period.first) * scale, (to_day(period.last) + 1) * scale - 1
        site = stored.ids["site", choice.site.name]
        lines = _lines(await self._source.by_item(site, hours, first, last), stored)
        chosen = next((line for line in lines if line.line_item == line_item), lines[0] if lines else None)
        times: tuple[ReasonTime, ...] = ()
        if chosen:
            item = stored.ids["line_item", chosen.line_item]
            times = _times(await self._source.by_time(site, hours, first, last, item), hours)
        return ReasonReport(choice, lines, chosen, by_hour, times)


def _lines(rows: Sequence[ItemReason], stored: Stored) -> tuple[ReasonLine, ...]:
    names = {number: path for path, number in stored.ids.items() if path[0] == "line_item"}
    found: dict[int, Counter[str]] = {}
    for item, rule, count in rows:
        if item in names:
            found.setdefault(item, Counter())[rule] += count
    lines = [
        ReasonLine(names[item][1], names[item] in stored.archived, _ranked(rules))
        for item, rules in found.items()
    ]
    return tuple(sorted(lines, key=lambda line: (line.archived, line.served_rate, line.line_item)))


def _times(rows: Sequence[TimeReason], hours: int) -> tuple[ReasonTime, ...]:
    found: dict[int, Counter[str]] = {}
    for at, rule, count in rows:
        found.setdefault(at, Counter())[rule] += count
    return tuple(ReasonTime(hour_shown(at * hours), _ranked(found[at])) for at in sorted(found))


def _ranked(rules: Mapping[str, int]) -> dict[str, int]:
    return {
        rule: rules[rule] for rule in sorted(rules, key=lambda rule: (-rules[rule], distance(rule), rule))
    }
