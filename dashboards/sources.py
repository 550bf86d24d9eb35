"""Engines, catalog and clock → all that reports are read from, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adserver.clock import Clock
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_progress import SqliteProgress
from adserver.engines.sqlite_report import SqliteReport
from adserver.measurement.alerts import AlertSource
from adserver.measurement.cuts import Cuts
from adserver.measurement.hours import Hours
from adserver.measurement.pace import Paces
from adserver.measurement.reasons import ReasonReports
from adserver.measurement.report import Changes, Reports
from adserver.measurement.results import AllResults
from adserver.measurement.section_report import SectionReports
from adserver.measurement.statements import Statements
from adserver.measurement.vitals import AllVitals
from adserver.settings import Settings

#: What is read ahead, as `Reports.choose` takes it.
_AHEAD = "28d"


@dataclass(frozen=True, slots=True)
class Sources:
    """One for each kind of question."""

    reports: Reports
    cuts: Cuts
    hours: Hours
    paces: Paces
    results: AllResults
    vitals: AllVitals
    statements: Statements
    sections: SectionReports
    alerts: AlertSource
    reasons: ReasonReports

    async def read_ahead(self) -> None:
        """Read what most reports begin with: four weeks and those before, of every site.

        Raises StorageFailed.
        """
        for site in self.reports.sites():
            if choice := self.reports.choose(site=site.name, period=_AHEAD):
                await self.reports.read(choice)
                await self.sections.read(choice, "")
                await self.cuts.breakdown(choice)
                await self.hours.read(choice)


def sources_of(
    settings: Settings,
    rollups: SqliteReport,
    progress: SqliteProgress,
    catalog: Callable[[], Stored],
    clock: Clock,
    changes: Changes | None = None,
) -> Sources:
    """`catalog`: the one in service; `changes`: where its past is known."""
    cuts = Cuts(rollups, catalog, settings.max_breakdown_values)
    reports = Reports(rollups, catalog, clock, settings.max_report_days, changes=changes)
    paces = Paces(progress, catalog)
    return Sources(
        reports,
        cuts,
        Hours(rollups, catalog),
        paces,
        AllResults(rollups, cuts, catalog),
        AllVitals(rollups, catalog),
        Statements(settings.db, catalog),
        SectionReports(rollups, cuts, catalog),
        AlertSource(reports, paces, settings.alert_min_requests),
        ReasonReports(rollups, catalog),
    )
