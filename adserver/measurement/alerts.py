"""Yesterday beside the same weekdays before, and goals beside projections → what somebody should look at.

A day is compared with the median of up to four days that were like it: one holiday or one good day among them
changes nothing. What has little traffic varies by itself and raises no alert.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

from adserver.measurement.pace import PaceLine, Paces
from adserver.measurement.period import DAY
from adserver.measurement.report import Choice, Report, Reports
from adserver.measurement.totals import Totals

#: What counts as unusual: revenue of less than this part of the usual, a fill rate that is so much lower, and
#: a slot that is asked for less than this part as often.
REVENUE_PART, FILL_DROP, SILENT_PART = 0.6, 0.15, 0.05
_WEEKS, _FEWEST = 4, 2


class Why(StrEnum):
    """What is unusual."""

    REVENUE = "revenue"
    FILL = "fill"
    SILENT = "silent"
    """A slot is no longer asked for."""
    LATE = "late"
    """A line item will miss its goal."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to look at. `subject`: the slot or line item; empty: all of the site.

    `found` and `usual` are micros of revenue, fill rates or requests; of a line item, what is projected and
    its goal.
    """

    why: Why
    subject: str
    found: float
    usual: float


@dataclass(frozen=True, slots=True)
class Alerts:
    """Those of one site; `choice` is the day that they are about."""

    choice: Choice
    found: tuple[Alert, ...]


class AlertSource:
    """Answers what is unusual on a site."""

    def __init__(self, reports: Reports, paces: Paces, min_requests: int) -> None:
        """`min_requests`: on fewer requests a day, nothing is said of it."""
        self._reports = reports
        self._paces = paces
        self._min_requests = min_requests

    async def read(self, site: str) -> Alerts:
        """Of the last day that is over there, and of line items in flight. Raises StorageFailed."""
        choice = self._reports.choose(site=site, period="yesterday")
        assert choice, "a site that is asked about is in the catalog"
        day = choice.period.first
        first = day - 7 * _WEEKS * DAY
        weeks = self._reports.choose(
            site=site, first=first.isoformat(), last=day.isoformat(), compared="none"
        )
        assert weeks, "a site that is asked about is in the catalog"
        report = await self._reports.read(weeks)
        pace = await self._paces.read(choice, self._reports.only)
        late = (line for line in pace.lines if line.will_miss and line.start <= choice.asked_at - DAY)
        found = (*unusual(report, self._min_requests), *map(_late, late))
        # By its date: whoever follows a link tomorrow is to see the same day.
        return Alerts(replace(choice, preset=None), found)


def unusual(report: Report, min_requests: int) -> Iterator[Alert]:
    """What is unusual on the last day of a report of complete days."""
    days = [line.totals for line in report.days]
    last, before = days[-1], _alike(days, min_requests)
    if before:
        usual = median(one.revenue_micros for one in before)
        if last.revenue_micros < REVENUE_PART * usual:
            yield Alert(Why.REVENUE, "", last.revenue_micros, usual)
        rate = median(one.fill_rate or 0.0 for one in before)
        if last.request_count >= min_requests and (last.fill_rate or 0.0) < rate - FILL_DROP:
            yield Alert(Why.FILL, "", last.fill_rate or 0.0, rate)
    for slot in report.slots:
        of_slot = _alike(slot.days, min_requests)
        if of_slot and not slot.archived:
            requests = median(one.request_count for one in of_slot)
            asked = slot.days[-1].request_count
            if asked < SILENT_PART * requests:
                yield Alert(Why.SILENT, slot.name, asked, requests)


def _alike(days: Sequence[Totals], min_requests: int) -> list[Totals]:
    """The days before the last one that fall on its weekday; none unless enough have enough traffic."""
    found = [day for day in days[-8::-7] if day.request_count >= min_requests]
    return found if len(found) >= _FEWEST else []


def _late(line: PaceLine) -> Alert:
    return Alert(Why.LATE, line.line_item, line.projected_count, line.goal)
