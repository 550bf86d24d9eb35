"""`adserver retain`: old raw events → Parquet files by day; old quarter hours → hours and days."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from adserver.clock import system_clock
from adserver.engines.files import in_use
from adserver.measurement.retention import retire
from adserver.measurement.thinning import thin, zones_of
from adserver.settings import Settings, load_settings
from adserver.stored import existing, stored_of


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(retain)


def retain(
    db: Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).")] = None,
    keep_events_days: Annotated[
        int | None,
        typer.Option(help="Days that events are kept; 0 for ever (ADSERVER_KEEP_EVENTS_DAYS)."),
    ] = None,
    archive_dir: Annotated[
        Path | None, typer.Option(help="Folder of the Parquet files (ADSERVER_ARCHIVE_DIR).")
    ] = None,
) -> None:
    """Move raw events that are older than the setting to Parquet files, and thin rollups that are.

    A running server does the same once a day.
    """
    settings = load_settings(db=db, keep_events_days=keep_events_days, archive_dir=archive_dir)
    with in_use(existing(settings.db)):
        _retain(settings)


def _retain(settings: Settings) -> None:
    zones = zones_of(asyncio.run(stored_of(settings)))
    retired = retire(settings, system_clock())
    for day in retired.days:
        typer.echo(f"{day.file}: {day.event_count} events")
    if not retired.days:
        kept = f"{settings.keep_events_days} days" if settings.keep_events_days else "for ever"
        typer.echo(f"nothing to do: raw events are kept {kept}")
    thinned = thin(settings, zones, system_clock())
    if thinned.hour_count or thinned.day_count:
        spans = f"{thinned.hour_count} days of slots to hours, {thinned.day_count} to one row"
        typer.echo(f"{settings.db}: rollups thinned: {spans}; {thinned.saved_count} rows fewer")
