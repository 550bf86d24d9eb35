"""`adserver copy`, `history`, `undo`: objects of the catalog and its versions → a new version, or a list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from adserver.accounts.model import THIS_MACHINE
from adserver.catalog.nearest import nearest
from adserver.catalog.plan import PARENTS, title
from adserver.clock import system_clock
from adserver.commands.catalog import Db, asking, show_changes
from adserver.commands.items import seen_of, settings_of, tell_edited
from adserver.editing.copying import copy_of
from adserver.editing.editor import Editor, Past
from adserver.editing.edits import Edit, path_of
from adserver.editing.objects import Seen
from adserver.engines.files import in_use
from adserver.engines.sql import catalog_url
from adserver.errors import InvalidInput
from adserver.settings import Settings

Kind = Annotated[str, typer.Argument(help="campaign, line_item, creative, slot, site or advertiser.")]
Name = Annotated[str, typer.Argument(help="Of a slot or campaign with what it is in: bank/autumn.")]
Author = Annotated[str, typer.Option(help="Who is named in the history.")]
Note = Annotated[str, typer.Option(help="Why, for the history.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what it would change, and change nothing.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (copy, history, undo):
        app.command()(command)


def copy(
    kind: Kind,
    name: Name,
    to: Annotated[str, typer.Argument(help="Its copy's name, in the same form.")],
    db: Db = None,
    author: Author = "",
    note: Note = "",
    dry_run: DryRun = False,
) -> None:
    """Copy an object with all that it holds; line items of a copied campaign come paused."""
    settings = settings_of(db)
    seen = asyncio.run(seen_of(settings))
    edits = copy_of(seen.entries, known(seen, kind, name), path_of(kind, to))
    make(settings, edits, author, note, dry_run=dry_run)


def history(
    kind: Annotated[str, typer.Option(help="With --name: only what changed one object.")] = "",
    name: Annotated[str, typer.Option(help="As `adserver copy` takes it.")] = "",
    most: Annotated[int, typer.Option(min=1, max=200, help="So many versions, the newest first.")] = 20,
    before: Annotated[int | None, typer.Option(help="Only versions before this one.")] = None,
    db: Db = None,
) -> None:
    """List who changed what and when."""
    if bool(kind) != bool(name):
        raise InvalidInput.one("", "--kind", "and --name are given together")
    path = path_of(kind, name) if kind else None
    editor = Editor(catalog_url(settings_of(db)), system_clock)
    past: Past = asyncio.run(editor.history(THIS_MACHINE, path=path, before=before, most=most))
    for step in past.steps:
        made = step.revision
        note = f": {made.note}" if made.note else ""
        typer.echo(f"{made.version}  {made.at:%Y-%m-%d %H:%M} UTC  {made.author}{note}")
        show_changes(tuple(step.changes))


def undo(
    version: Annotated[int, typer.Argument(min=1, help="As `adserver history` lists it.")],
    db: Db = None,
    author: Author = "",
    dry_run: DryRun = False,
) -> None:
    """Take back what one version changed, as a new version; later changes of other objects stay."""
    settings = settings_of(db)
    with in_use(settings.db):
        editor = Editor(catalog_url(settings), system_clock)
        edited = asyncio.run(editor.undo(asking(author), version, dry_run=dry_run))
    show_changes(edited.changes)
    tell_edited(edited, dry_run=dry_run)


def make(settings: Settings, edits: Sequence[Edit], author: str, note: str, *, dry_run: bool) -> None:
    """Make edits, all or none, and print what they change."""
    with in_use(settings.db):
        editor = Editor(catalog_url(settings), system_clock)
        edited = asyncio.run(editor.edit(asking(author), edits, note=note, dry_run=dry_run))
    show_changes(edited.changes)
    tell_edited(edited, dry_run=dry_run)


def check_kind(kind: str) -> None:
    """Raises InvalidInput for what is no kind of object."""
    if kind not in PARENTS:
        raise InvalidInput.one("", kind, f"is none of {', '.join(PARENTS)}")


def known(seen: Seen, kind: str, name: str) -> tuple[str, ...]:
    """The path of an object that is there. Raises InvalidInput, which names the nearest."""
    check_kind(kind)
    path = path_of(kind, name)
    if path not in seen.entries:
        names = ["/".join(one[1:]) for one in seen.of_kind(kind)]
        raise InvalidInput.one("", title(path), f"is not in the catalog{nearest(name, names)}")
    return path
