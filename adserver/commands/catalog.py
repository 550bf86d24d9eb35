"""Catalog file ⇄ stored catalog, on the command line: check, plan, apply and export."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer
from rich.console import Console
from rich.text import Text

from adserver.accounts.model import THIS_MACHINE, Principal
from adserver.catalog.check import warn
from adserver.catalog.creatives import look_at_files, unlikely_creatives
from adserver.catalog.file import dump, load
from adserver.catalog.model import Catalog
from adserver.catalog.plan import Change, diff, render
from adserver.clock import system_clock
from adserver.editing.editor import Editor
from adserver.engines.catalog_store import load_catalog
from adserver.engines.files import in_use
from adserver.engines.sql import catalog_url
from adserver.errors import Fault, InvalidInput, StorageFailed
from adserver.settings import load_settings
from adserver.stored import need_catalog

#: Of a picture no more is looked at.
_MOST_BYTES = 20_000_000
_ACTIONS = ("add", "change", "move", "remove")
_STYLES = {"+": "green", "~": "yellow", "-": "red"}

File = Annotated[Path, typer.Argument(help="Catalog file (TOML).")]
Files = Annotated[
    Path | None,
    typer.Option("--files", help="Folder with the pictures of creatives, to look at.", show_default=False),
]
Db = Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (check, plan, apply, export):
        app.command()(command)


def check(file: File, files: Files = None) -> None:
    """Say what is wrong with a catalog file, and change nothing."""
    catalog = _read(file, files)
    item_count = sum(1 for _ in catalog.line_items())
    typer.echo(f"{file}: no faults (sites: {len(catalog.site)}, line items: {item_count})")


def plan(file: File, db: Db = None) -> None:
    """Show what applying a catalog file would change, and change nothing."""
    settings = load_settings(db=db)
    catalog = _read(file)
    # Looking must not create a database.
    known = settings.catalog_url is not None or settings.db.exists()
    stored = asyncio.run(load_catalog(catalog_url(settings))).catalog if known else Catalog()
    changes = diff(stored, catalog)
    show_changes(changes)
    typer.echo(summary_of(changes, ("to add", "to change", "to move", "to remove")) or "Nothing to change.")


def apply(
    file: File,
    db: Db = None,
    author: Annotated[str, typer.Option(help="Who is named in the history.")] = "",
    note: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    files: Files = None,
    if_version: Annotated[
        int | None, typer.Option(help="Only where the stored catalog is still this version.")
    ] = None,
) -> None:
    """Make a catalog file the stored catalog: all of it or, when it has a fault, nothing."""
    settings = load_settings(db=db)
    catalog = _read(file, files)
    with in_use(settings.db):
        editor = Editor(catalog_url(settings), system_clock)
        edited = asyncio.run(editor.replace(asking(author), catalog, version=if_version, note=note))
    summary = summary_of(edited.changes, ("added", "changed", "moved", "removed"))
    typer.echo(f"Version {edited.version}: {summary or 'nothing to change.'}")


def export(
    db: Db = None,
    out: Annotated[Path | None, typer.Option(help="File to write, instead of standard output.")] = None,
    version: Annotated[int | None, typer.Option(help="As it was then; see `adserver history`.")] = None,
) -> None:
    """Write the stored catalog as a catalog file."""
    settings = load_settings(db=db)
    need_catalog(settings)
    text = dump(asyncio.run(load_catalog(catalog_url(settings), version)).catalog)
    if out is None:
        sys.stdout.write(text)
    else:
        replace_file(out, text)


def _read(file: Path, files: Path | None = None) -> Catalog:
    catalog = load(file)
    refused: list[Fault] = []
    warnings = [*warn(catalog, str(file), system_clock()), *unlikely_creatives(catalog, str(file))]
    if files is not None:
        refused, found = look_at_files(catalog, str(file), _reading(files))
        warnings += found
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    if refused:
        raise InvalidInput(refused)
    return catalog


def _reading(folder: Path) -> Callable[[str], bytes | None]:
    """How the pictures in a folder are found: by the end of their address, as much of it as there is."""
    if not folder.is_dir():
        raise InvalidInput.one("", "--files", f"{folder} is no folder")
    whole = folder.resolve()

    def read(address: str) -> bytes | None:
        steps = [step for step in unquote(urlsplit(address).path).split("/") if step]
        for start in range(len(steps)):
            path = whole.joinpath(*steps[start:]).resolve()
            if path.is_relative_to(whole) and path.is_file():
                with path.open("rb") as stream:
                    return stream.read(_MOST_BYTES)
        return None

    return read


def show_changes(changes: tuple[Change, ...]) -> None:
    """Print what changes, in colour where there is a terminal."""
    console = Console(highlight=False)
    for change in changes:
        lines = render(change)
        console.print(Text(lines, style=_STYLES[lines[0]]), soft_wrap=True)


def summary_of(changes: tuple[Change, ...], words: tuple[str, str, str, str]) -> str:
    """`"2 to add, 1 to change, 0 to remove."`; moves are named only when there are any; empty: no change."""
    counts = [sum(change.action == action for change in changes) for action in _ACTIONS]
    named = [
        f"{count} {word}"
        for action, count, word in zip(_ACTIONS, counts, words, strict=True)
        if count or action != "move"
    ]
    return f"{', '.join(named)}." if changes else ""


def asking(author: str) -> Principal:
    """Who runs this command, by the name that they give or that the machine knows."""
    return Principal(0, "", author or user_name(), THIS_MACHINE.role)


def user_name() -> str:
    """Who runs this command, as the machine says."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all: what was there stays until the new text is on disk."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("x", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StorageFailed(f"{path}: cannot be written: {error.strerror}") from None
