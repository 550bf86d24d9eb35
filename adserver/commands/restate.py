"""`adserver refilter`, `audit`: history → what the rules of now say of it; restatements → who made them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adserver.clock import from_ms, system_clock
from adserver.commands.catalog import user_name
from adserver.engines.catalog_store import sqlite_url
from adserver.engines.files import in_use
from adserver.engines.migrate import migrate
from adserver.engines.sqlite_audit import SqliteAudit
from adserver.engines.sqlite_log import SqliteLog
from adserver.errors import InvalidInput
from adserver.measurement.marks import read_marks
from adserver.measurement.refilter import Restated, summary_of
from adserver.measurement.refilter import refilter as restate
from adserver.money import format_micros
from adserver.settings import load_settings
from adserver.stored import existing, stored_of

Db = Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).", show_default=False)]
Author = Annotated[str, typer.Option(help="Who is named in the audit log.")]
_LINES = 60


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(refilter)
    app.command()(audit)


def refilter(
    db: Db = None,
    marks: Annotated[
        Path | None,
        typer.Option(help="CSV from,until,site,slot,line_item,kind,reason: all the marks that are to hold."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Restate; without it, only show.")] = False,
    author: Author = "",
) -> None:
    """Judge history anew by the rules and marks, and show what that changes, or with --apply restate it.

    A running server goes on answering and writes again when this is done.
    """
    settings = load_settings(db=db)
    path = existing(settings.db)
    with in_use(path):
        stored = asyncio.run(stored_of(settings))
        given = read_marks(marks, stored, settings.max_marks) if marks else None
        with closing(SqliteLog(path)) as log:
            at = system_clock() if apply else None
            restated = restate(log, stored, settings, given, author=author or user_name(), at=at)
    _show(restated)
    done = "Restated: " if apply else "Would change: "
    typer.echo(f"{done}{summary_of(restated)}." if restated else "Nothing to change.")
    if restated and not apply:
        typer.echo("--apply restates it.")


def audit(
    number: Annotated[int | None, typer.Argument(help="Entry to show in full.")] = None,
    db: Db = None,
    limit: Annotated[int, typer.Option(min=1, help="Entries to list, newest first.")] = 20,
) -> None:
    """List who restated what was reported before, and when; one entry with all that it changed as JSON."""
    path = existing(load_settings(db=db).db)
    with in_use(path):
        asyncio.run(migrate(sqlite_url(path), "events"))
        with SqliteAudit(path) as entries:
            if number is not None:
                _show_one(entries, number)
                return
            for found, entry in entries.last(limit):
                at = from_ms(entry.at_ms).isoformat(timespec="seconds")
                typer.echo(f"{found}  {at}  {entry.author}  {entry.action}: {entry.summary}")


def _show_one(entries: SqliteAudit, number: int) -> None:
    entry = entries.entry(number)
    if entry is None:
        raise InvalidInput.one("", "NUMBER", f"{number} is no entry of the audit log")
    at = from_ms(entry.at_ms).isoformat(timespec="milliseconds")
    body = {"entry": number, "at": at, "author": entry.author, "action": entry.action}
    typer.echo(json.dumps({**body, "summary": entry.summary, "changes": json.loads(entry.body)}, indent=2))


def _show(restated: Sequence[Restated]) -> None:
    """What changes by day and line item, and then by reason."""
    if not restated:
        return
    table = Table("Day", "Line item", "Event", "Was", "Is", "Events", "Revenue", box=None)
    for column in table.columns[-2:]:
        column.justify = "right"
    for one in restated[:_LINES]:
        table.add_row(*one[:5], f"{one.event_count:,}", format_micros(one.revenue_micros))
    console = Console(width=120, highlight=False)
    console.print(table)
    if len(restated) > _LINES:
        typer.echo(f"… and {len(restated) - _LINES} more lines; the audit log has all once it is applied")
    reasons: Counter[str] = Counter()
    for one in restated:
        reasons[one.before] -= one.event_count
        reasons[one.after] += one.event_count
    typer.echo(", ".join(f"{name} {count:+,}" for name, count in sorted(reasons.items())))
