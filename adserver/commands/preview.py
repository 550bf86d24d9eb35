"""`adserver preview CREATIVE`: a creative's name → an address that shows it for some time."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from adserver.catalog.nearest import nearest
from adserver.clock import system_clock
from adserver.engines.files import in_use
from adserver.engines.sqlite_log import SqliteLog
from adserver.errors import InvalidInput
from adserver.serving.preview_token import Preview, PreviewKey
from adserver.settings import load_settings
from adserver.stored import existing, stored_of


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(preview)


def preview(
    creative: Annotated[str, typer.Argument(help="Name of a creative of the catalog, approved or not.")],
    hours: Annotated[int, typer.Option(min=1, max=8760, help="How long the address opens it.")] = 168,
    db: Annotated[
        Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).", show_default=False)
    ] = None,
) -> None:
    """Make an address that shows one creative, light and dark, to whoever has it."""
    settings = load_settings(db=db)
    with in_use(existing(settings.db)):
        stored = asyncio.run(stored_of(settings))
        names = [one.name for _, _, item in stored.catalog.line_items() for one in item.creative]
        if creative not in names:
            raise InvalidInput.one("", creative, f"there is no such creative{nearest(creative, names)}")
        with closing(SqliteLog(settings.db)) as log:
            key = PreviewKey(log.secret())
    until = system_clock() + timedelta(hours=hours)
    token = key.sign(Preview(stored.ids["creative", creative], int(until.timestamp())))
    typer.echo(f"{settings.base_url}/v1/preview/{token}")
    typer.echo(f"opens until {until:%Y-%m-%d %H:%M} UTC", err=True)
