"""`adserver earnings FILE`: a network's earnings report → facts in place of estimates, by day and slot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adserver.catalog.model import Catalog, Site
from adserver.clock import to_day
from adserver.engines.catalog_store import Stored
from adserver.engines.files import in_use
from adserver.engines.sqlite_earnings import Delivered, Earning, SqliteEarnings
from adserver.errors import Fault, InvalidInput
from adserver.measurement.earnings import EarningsReport, Outlet, outlets_of, read_report, share_out
from adserver.measurement.period import Period
from adserver.money import format_micros
from adserver.settings import load_settings
from adserver.stored import existing, stored_of


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(earnings)


def earnings(
    file: Annotated[
        Path, typer.Argument(help="AdSense's CSV: date, ad unit, impressions, clicks, estimated earnings.")
    ],
    db: Annotated[
        Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).", show_default=False)
    ] = None,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out ad units that the catalog does not have.")
    ] = False,
) -> None:
    """Take what a network says that it paid into the reports, in place of what was estimated.

    The same file again changes nothing, and a corrected one replaces the days and ad units that it names.
    """
    report = read_report(file)
    settings = load_settings(db=db)
    path = existing(settings.db)
    with in_use(path):
        stored = asyncio.run(stored_of(settings))
        outlets = outlets_of(stored.catalog, stored.ids)
        report = _known(report, outlets, skip_unknown=skip_unknown)
        with SqliteEarnings(path) as engine:
            delivered = _delivered(engine, stored, report, outlets)
            found, reported = share_out(report, outlets, delivered)
            _refuse_other_currency(report, stored, found)
            engine.replace(found, reported)
    _tell(report, stored, found, delivered)


def _known(report: EarningsReport, outlets: dict[str, list[Outlet]], *, skip_unknown: bool) -> EarningsReport:
    """The report without ad units that the catalog lacks, or InvalidInput that names each of them."""
    unknown = sorted({line.unit for line in report.lines} - outlets.keys())
    if unknown and not skip_unknown:
        advice = (
            "is neither the unit nor the name of a creative of kind network; name the creative so, report by "
            "“Ad unit ID”, or give --skip-unknown"
        )
        raise InvalidInput([Fault(report.file, f"ad unit {unit[:80]!r}", advice) for unit in unknown])
    lines = [line for line in report.lines if line.unit in outlets]
    if not lines:
        raise InvalidInput.one(report.file, "", "has no day of an ad unit of the catalog")
    return EarningsReport(report.file, report.currency, lines)


def _slots(stored: Stored, site: Site) -> list[int]:
    return [stored.ids["slot", site.name, slot.name] for slot in site.slot]


def _delivered(
    engine: SqliteEarnings, stored: Stored, report: EarningsReport, outlets: dict[str, list[Outlet]]
) -> list[Delivered]:
    """What was counted on the report's days, each cut in the time zone of the slot's own site."""
    days = sorted({line.day for line in report.lines})
    creatives = sorted({outlet.creative for line in report.lines for outlet in outlets[line.unit]})
    found = []
    for site in stored.catalog.site:
        cuts = [(to_day(day), *Period(site.zone, day, day).cuts()[0]) for day in days]
        found += engine.delivered(cuts, _slots(stored, site), creatives)
    return found


def _refuse_other_currency(report: EarningsReport, stored: Stored, found: Sequence[Earning]) -> None:
    slots = {earning.slot for earning in found}
    faults = [
        Fault(
            report.file, "line 1", f"the amounts are in {report.currency}; {site.name} is in {site.currency}"
        )
        for site in stored.catalog.site
        if report.currency not in (None, site.currency) and slots.intersection(_slots(stored, site))
    ]
    if faults:
        raise InvalidInput(faults)


def _tell(
    report: EarningsReport, stored: Stored, found: Sequence[Earning], delivered: Sequence[Delivered]
) -> None:
    """What each creative earned beside its estimate, which may want to be set anew."""
    prices = _prices(stored.catalog)
    table = Table(
        *("Creative", "Days", "Impressions", "counted", "Earned", "estimated", "eCPM", "estimated"), box=None
    )
    for column in table.columns[1:]:
        column.justify = "right"
    names = {stored.ids["creative", name]: name for name in prices}
    for creative in sorted({earning.creative for earning in found}, key=names.__getitem__):
        told = [earning for earning in found if earning.creative == creative]
        ours = [one for one in delivered if one.creative == creative]
        earned, counted = sum(one.earned_micros for one in told), sum(one.impression_count for one in ours)
        table.add_row(
            names[creative],
            str(len({one.day for one in told})),
            f"{sum(one.impression_count for one in told):,}",
            f"{counted:,}",
            format_micros(earned),
            format_micros(sum(one.estimated_micros for one in ours)),
            f"{earned / counted / 1000:.2f}" if counted else "–",
            prices[names[creative]],
        )
    Console(width=120).print(table)
    typer.echo(f"{report.file}: {len(found)} days of slots have their earnings")


def _prices(catalog: Catalog) -> dict[str, str]:
    """Creative of a network → the CPM that its line item is estimated at."""
    return {
        creative.name: format_micros(item.price.micros) if item.price else "–"
        for _, _, item in catalog.line_items()
        for creative in item.creative
        if creative.kind == "network"
    }
