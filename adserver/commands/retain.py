"""`adserver retain`: old raw events → Parquet files by day, and out of the database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from adserver.clock import system_clock
from adserver.engines.migrate import migrate
from adserver.engines.sql import sqlite_url
from adserver.errors import InvalidInput
from adserver.measurement.retention import retire
from adserver.settings import load_settings


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
    """Write raw events that are older than the setting to Parquet files by UTC day, and remove them.

    A running server does the same once a day.
    """
    settings = load_settings(db=db, keep_events_days=keep_events_days, archive_dir=archive_dir)
    if not settings.db.is_file():
        raise InvalidInput.one(str(settings.db), "--db", "there is no such file")
    asyncio.run(migrate(sqlite_url(settings.db), "events"))
    retired = retire(settings, system_clock())
    for day in retired.days:
        typer.echo(f"{day.file}: {day.event_count} events")
    if not retired.days:
        kept = f"{settings.keep_events_days} days" if settings.keep_events_days else "for ever"
        typer.echo(f"nothing to do: raw events are kept {kept}")
