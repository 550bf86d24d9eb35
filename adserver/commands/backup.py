"""`adserver backup FILE` and `adserver restore FILE`: the database → one file, and back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from adserver.clock import EPOCH, system_clock
from adserver.engines.sqlite_backup import back_up, restore
from adserver.engines.sqlite_contents import Contents
from adserver.settings import load_settings

Db = Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("backup")(backup_)
    app.command("restore")(restore_)


def backup_(
    file: Annotated[Path, typer.Argument(help="The file to make.")],
    db: Db = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE when it is there.")] = False,
) -> None:
    """Copy the database, while servers write to it, to one file of one instant, and check the copy."""
    contents = back_up(load_settings(db=db).db, file, force=force)
    typer.echo(f"{file}: {described(contents)}")


def restore_(
    file: Annotated[Path, typer.Argument(help="What `adserver backup` made.")],
    db: Db = None,
) -> None:
    """Put a backup in the place of the database, which is kept aside. Servers must be stopped."""
    path = load_settings(db=db).db
    contents, old = restore(file, path, system_clock())
    typer.echo(f"{path}: restored {described(contents)}")
    if old is not None:
        typer.echo(f"{old}: the database of before")


def described(contents: Contents) -> str:
    """What is in a database, on one line."""
    events = f"{contents.event_count} events"
    if contents.first_day is not None:
        events += f" of {contents.first_day} to {contents.last_day}"
    sums = "rollups of an earlier version, not checked"
    if contents.rebuilt is not None:
        sums = "rollups equal to them"
        if contents.rebuilt.kept_from_day is not None:
            # Late repeats of removed events may be of days before.
            sums += f" from {EPOCH.date() + timedelta(days=contents.rebuilt.kept_from_day)} on"
    return f"catalog {contents.catalog_version}, {events}, {sums}, {contents.byte_count} bytes"
