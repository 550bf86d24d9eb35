"""`adserver items …`: the line items of a database ⇄ a CSV file, on the command line."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from adserver.accounts.model import THIS_MACHINE
from adserver.clock import system_clock
from adserver.commands.catalog import Db, asking, replace_file, show_changes, summary_of
from adserver.editing.editor import Edited, Editor
from adserver.editing.objects import Objects, Seen, Wanted, line_items_of
from adserver.editing.sheet import edits_of, read_csv, rows_of, to_csv
from adserver.engines.catalog_store import CatalogStore
from adserver.engines.files import in_use
from adserver.engines.sql import catalog_url
from adserver.errors import Fault, InvalidInput
from adserver.settings import Settings, load_settings
from adserver.stored import need_catalog

File = Annotated[Path, typer.Argument(help="CSV file as exported, or with some of its columns and rows.")]
Inside = Annotated[str, typer.Option(help="Only those of an advertiser, or of a campaign: bank/autumn.")]
State = Annotated[str, typer.Option(help="Only those that are live, scheduled, paused or ended.")]

commands = typer.Typer(no_args_is_help=True, help="Many line items at once, as a CSV file.")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(commands, name="items")


@commands.command()
def export(
    db: Db = None,
    inside: Inside = "",
    state: State = "",
    out: Annotated[Path | None, typer.Option(help="File to write, instead of standard output.")] = None,
) -> None:
    """Write line items as a CSV file."""
    settings = settings_of(db)
    seen = asyncio.run(seen_of(settings))
    text = to_csv(rows_of(seen, line_items_of(seen, Wanted(inside, state), system_clock())))
    if out is None:
        sys.stdout.write(text)
    else:
        replace_file(out, text)


@commands.command()
def plan(file: File, db: Db = None) -> None:
    """Show what a CSV file would change, and change nothing."""
    edited = _change(file, settings_of(db), "", "", dry_run=True)
    show_changes(edited.changes)
    tell_edited(edited, dry_run=True)


@commands.command()
def apply(
    file: File,
    db: Db = None,
    author: Annotated[str, typer.Option(help="Who is named in the history.")] = "",
    note: Annotated[str, typer.Option(help="Why, for the history.")] = "",
) -> None:
    """Change line items, and add new ones, as a CSV file says: all of it or, with a fault, nothing."""
    edited = _change(file, settings_of(db), author, note, dry_run=False)
    tell_edited(edited, dry_run=False)


def tell_edited(edited: Edited, *, dry_run: bool) -> None:
    """Print how much an edit changed, or would change."""
    if dry_run:
        words = ("to add", "to change", "to move", "to remove")
        typer.echo(summary_of(edited.changes, words) or "Nothing to change.")
    else:
        summary = summary_of(edited.changes, ("added", "changed", "moved", "removed"))
        typer.echo(f"Version {edited.version}: {summary or 'nothing to change.'}")


def settings_of(db: Path | None) -> Settings:
    """The settings of a database that is there. Raises InvalidInput."""
    settings = load_settings(db=db)
    need_catalog(settings)
    return settings


def _change(file: Path, settings: Settings, author: str, note: str, *, dry_run: bool) -> Edited:
    try:
        rows = read_csv(_read(file), settings.max_sheet_rows)
        with in_use(settings.db):
            edits = edits_of(asyncio.run(seen_of(settings)), rows)
            editor = Editor(catalog_url(settings), system_clock)
            return asyncio.run(editor.edit(asking(author), edits, note=note, dry_run=dry_run))
    except InvalidInput as error:
        named = [Fault(fault.file or str(file), fault.key, fault.problem) for fault in error.faults]
        raise InvalidInput(named) from None


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput.one(str(file), "", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput.one(str(file), "", "is not UTF-8 text") from None


async def seen_of(settings: Settings) -> Seen:
    """All objects of the catalog."""
    url = catalog_url(settings)
    store = await CatalogStore.open(url)
    try:
        return await Objects(store, url).seen_by(THIS_MACHINE)
    finally:
        await store.close()
