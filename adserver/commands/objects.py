"""`adserver add`, `set`, `archive`: one object of the catalog and keys of it → a new version."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from adserver.catalog.plan import PARENTS, WITHIN, title
from adserver.commands.catalog import Db
from adserver.commands.changes import Author, DryRun, Kind, Name, Note, check_kind, known, make
from adserver.commands.items import seen_of, settings_of
from adserver.editing.edits import Edit, path_of
from adserver.errors import Fault, InvalidInput

Keys = Annotated[
    list[str] | None,
    typer.Argument(
        help="KEY=VALUE: price.cpm=5.50, paused=true, sizes='[\"300x250\"]'; KEY= is the default."
    ),
]

#: Amounts, which are text, so that no digit is lost.
_MONEY = frozenset(("cpm", "vcpm", "cpc", "cpa", "flat", "floor", "budget", "daily_budget"))


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(add)
    app.command("set")(set_)
    app.command()(archive)


def add(
    kind: Kind,
    name: Name,
    keys: Keys = None,
    inside: Annotated[
        str, typer.Option("--in", help="Of a line item its campaign, of a creative its line item.")
    ] = "",
    db: Db = None,
    author: Author = "",
    note: Note = "",
    dry_run: DryRun = False,
) -> None:
    """Add one object to the catalog."""
    settings = settings_of(db)
    check_kind(kind)
    above = PARENTS[kind]
    if above and kind not in WITHIN and not inside:
        raise InvalidInput.one("", "--in", f"names the {above.replace('_', ' ')} that it is added to")
    parent = path_of(above, inside) if above and inside else None
    edit = Edit("add", path_of(kind, name), keys_of(keys or ()), parent)
    make(settings, [edit], author, note, dry_run=dry_run)


def set_(
    kind: Kind,
    name: Name,
    keys: Keys = None,
    db: Db = None,
    author: Author = "",
    note: Note = "",
    dry_run: DryRun = False,
) -> None:
    """Change keys of one object."""
    settings = settings_of(db)
    path = known(asyncio.run(seen_of(settings)), kind, name)
    given = keys_of(keys or ())
    if not given:
        raise InvalidInput.one("", title(path), "nothing to set: give KEY=VALUE")
    make(settings, [Edit("change", path, given)], author, note, dry_run=dry_run)


def archive(
    kind: Kind,
    name: Name,
    db: Db = None,
    author: Author = "",
    note: Note = "",
    dry_run: DryRun = False,
) -> None:
    """Take one object and all that it holds out of the catalog; reports keep its numbers."""
    settings = settings_of(db)
    path = known(asyncio.run(seen_of(settings)), kind, name)
    make(settings, [Edit("archive", path)], author, note, dry_run=dry_run)


def keys_of(words: Sequence[str]) -> dict[str, Any]:
    """`price.cpm=5.50` → `{"price": {"cpm": "5.50"}}`. Raises InvalidInput.

    Lists, tables, numbers and flags are as in JSON; whatever is none of these is text.
    """
    found: dict[str, Any] = {}
    faults = []
    for word in words:
        key, mark, text = word.partition("=")
        if not key or not mark:
            faults.append(Fault("", word, "is not KEY=VALUE"))
            continue
        inner = found
        *outer, last = key.split(".")
        for step in outer:
            held = inner.setdefault(step, {})
            inner = held if isinstance(held, dict) else {}
        inner[last] = (text or None) if last in _MONEY else _value(text)
    if faults:
        raise InvalidInput(faults)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text
