"""`adserver close`, `statement`: a month → frozen; frozen → what each advertiser owes, and corrections."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adserver.clock import system_clock
from adserver.commands.catalog import user_name
from adserver.engines.catalog_store import Stored
from adserver.engines.files import in_use
from adserver.engines.sqlite_closing import SqliteClosing
from adserver.errors import InvalidInput
from adserver.measurement.statement import WHOLE_PPM, Booking, Statement, close_month
from adserver.measurement.statement import statement as statement_of
from adserver.money import format_micros
from adserver.settings import load_settings
from adserver.stored import existing, stored_of
from dashboards.exports import STATEMENT_COLUMNS, as_csv, statement_rows

Month = Annotated[str, typer.Argument(help="Such as 2026-10.")]
SiteName = Annotated[str | None, typer.Option(help="Not needed when there is one.")]
Db = Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(close)
    app.command()(statement)


def close(
    month: Month,
    site: SiteName = None,
    db: Db = None,
    force: Annotated[
        bool, typer.Option("--force", help="Although something of the month can still come to count.")
    ] = False,
    author: Annotated[str, typer.Option(help="Who is named in the audit log.")] = "",
) -> None:
    """Freeze what a month earned, by line item; of a closed month, book what changed as a correction."""
    settings = load_settings(db=db)
    path = existing(settings.db)
    with in_use(path):
        stored = asyncio.run(stored_of(settings))
        name = _site(site, stored)
        by, now = author or user_name(), system_clock()
        with SqliteClosing(path) as engine:
            booked = close_month(engine, stored, settings, name, month, now, author=by, force=force)
            found = statement_of(engine, stored, name, month)
    assert found, "a month that was just closed has a statement"
    if booked is None:
        typer.echo(f"{name} {month} is closed, and nothing changed since.")
    elif found.corrections:
        change = found.corrections[-1].revenue_micros
        typer.echo(f"{name} {month}: corrected by {format_micros(change)} {found.currency}.")
    else:
        closed = found.closed
        total = f"{format_micros(closed.revenue_micros)} {found.currency}"
        typer.echo(f"{name} {month} is closed: {total} for {len(closed.lines)} prices of line items.")


def statement(
    month: Month,
    site: SiteName = None,
    db: Db = None,
    as_file: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
) -> None:
    """Print what each advertiser owes for a closed month: what was closed, then every correction by date."""
    settings = load_settings(db=db)
    path = existing(settings.db)
    with in_use(path):
        stored = asyncio.run(stored_of(settings))
        name = _site(site, stored)
        with SqliteClosing(path) as engine:
            found = statement_of(engine, stored, name, month)
    if found is None:
        advice = f"is not closed; `adserver close {month} --site {name}` does that"
        raise InvalidInput.one("", "MONTH", f"{month} of {name} {advice}")
    if as_file:
        sys.stdout.write(as_csv(statement_rows(found), STATEMENT_COLUMNS, found.currency))
    else:
        _print(found)


def _print(found: Statement) -> None:
    console = Console(width=120, highlight=False, markup=False)
    console.print(f"{found.site}, {found.month}, in {found.currency}")
    _print_booking(console, "Closed", found.closed)
    for one in found.corrections:
        _print_booking(console, "Correction", one)
    _print_owed(console, found)
    if found.pending:
        change = format_micros(sum(line.revenue_micros for line in found.pending))
        console.print(
            f"Pending {change} {found.currency}: counted since; `adserver close {found.month} "
            f"--site {found.site}` books it as a correction"
        )


def _print_owed(console: Console, found: Statement) -> None:
    """What each advertiser owes now."""
    console.print("\nOwed")
    table = Table("Advertiser", "Closed", "Corrections", found.currency, box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for advertiser, (closed, corrected) in found.owed().items():
        table.add_row(
            advertiser, *(format_micros(micros) for micros in (closed, corrected, closed + corrected))
        )
    total = (found.closed.revenue_micros, found.revenue_micros - found.closed.revenue_micros)
    table.add_row("", *(format_micros(micros) for micros in (*total, found.revenue_micros)), style="bold")
    console.print(table)
    if found.share_ppm != WHOLE_PPM:
        publisher, rest = found.publisher_micros, found.revenue_micros - found.publisher_micros
        console.print(
            f"\nPublisher's share, {found.share_ppm / WHOLE_PPM:.2%}: {format_micros(publisher)} "
            f"{found.currency}; the operator's: {format_micros(rest)} {found.currency}"
        )


def _print_booking(console: Console, title: str, booking: Booking) -> None:
    """An advertiser's line items below its name, with the sum of all."""
    at = booking.at.strftime("%Y-%m-%d %H:%M")
    console.print(f"\n{title} {at} by {booking.author}: {booking.reason}")
    counted = ("Impressions", "Viewable", "Clicks", "Orders")
    table = Table("Advertiser", "Line item", "Price", *counted, "Revenue", box=None)
    for column in table.columns[3:]:
        column.justify = "right"
    before = ""
    for line in booking.lines:
        counts = (line.impression_count, line.viewable_count, line.click_count, line.conversion_count)
        advertiser = "" if line.advertiser == before else line.advertiser
        revenue = format_micros(line.revenue_micros)
        table.add_row(advertiser, line.line_item, line.price_model, *(f"{n:,}" for n in counts), revenue)
        before = line.advertiser
    table.add_row("", "", "", "", "", "", "", format_micros(booking.revenue_micros), style="bold")
    console.print(table)


def _site(name: str | None, stored: Stored) -> str:
    sites = [site.name for site in stored.catalog.site]
    if name is None and len(sites) == 1:
        return sites[0]
    if name is None:
        raise InvalidInput.one("", "--site", f"is needed ({', '.join(sites) or 'the catalog has none'})")
    return name
