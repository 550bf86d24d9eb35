"""`adserver forecast`: a database, or a catalog file that is not applied yet → who will meet its goal."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from adserver.catalog.file import load
from adserver.catalog.model import Catalog
from adserver.catalog.plan import flatten
from adserver.clock import system_clock
from adserver.engines.catalog_store import Stored, load_catalog
from adserver.engines.sql import catalog_url
from adserver.forecast.ahead import Outlook, play
from adserver.money import MICROS, format_micros
from adserver.settings import Settings, load_settings
from adserver.steered import steering_of
from adserver.stored import existing

#: Width of the table where no terminal says its own, in characters.
_WIDTH = 120
#: A goal that is met but for so little is met: no forecast is more exact.
_MET = 0.005

File = Annotated[
    Path | None,
    typer.Argument(help="Catalog file (TOML) to try, instead of the stored one.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(forecast)


def forecast(
    file: File = None,
    db: Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).")] = None,
    days: Annotated[int, typer.Option(min=1, max=90, help="How far to look ahead.")] = 7,
    seed: Annotated[int, typer.Option(help="Of the luck that is played with.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """Say which line items will meet their goals, by the page requests of the last week. Changes nothing."""
    settings = load_settings(db=db)
    stored, outlooks = asyncio.run(_forecast(settings, load(file) if file else None, days, Random(seed)))
    if as_json:
        typer.echo(json.dumps([_told(one) for one in outlooks], indent=2, ensure_ascii=False))
    else:
        _print(stored, outlooks)


async def _forecast(
    settings: Settings, wanted: Catalog | None, days: int, rng: Random
) -> tuple[Stored, list[Outlook]]:
    existing(settings.db)
    stored = await load_catalog(catalog_url(settings))
    if wanted is not None:
        stored = _as_if(stored, wanted)
    now = system_clock()
    steering, _ = await steering_of(settings, stored, lambda: now)
    most = settings.max_forecast_pages
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("playing the days to come", total=1.0)
        samples = list(steering.learned.samples)
        outlooks = play(
            steering,
            samples,
            now,
            days,
            rng,
            most_pages=most,
            progress=lambda part: progress.update(task, completed=part),
        )
    return stored, outlooks


def _as_if(stored: Stored, wanted: Catalog) -> Stored:
    """The stored catalog as if a file were applied: what is new gets ids that nothing has."""
    ids = dict(stored.ids)
    for path in flatten(wanted):
        ids.setdefault(path, len(ids) + 1 + max(stored.ids.values(), default=0))
    return Stored(
        stored.version, wanted, ids, stored.clicks, stored.archived, stored.campaigns, stored.line_items
    )


def _told(one: Outlook) -> dict[str, Any]:
    return {
        "line_item": one.item.name,
        "tier": one.item.tier.value,
        "until": one.until.isoformat(),
        "flight_over": one.ended,
        "unit": one.unit,
        "counted": one.counted,
        "will_count": one.will_count,
        "due": None if one.due is None else round(one.due),
        "missed_rate": round(one.missed, 4),
        "revenue": format_micros(one.revenue_micros),
    }


def _print(stored: Stored, outlooks: list[Outlook]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(_WIDTH, console.width))
    zone = stored.catalog.site[0].zone
    table = Table(box=None, pad_edge=False)
    for name in ("line item", "tier", "until"):
        table.add_column(name, overflow="fold")
    for name in ("now", "then", "due then", "revenue"):
        table.add_column(name, justify="right")
    table.add_column("")
    for one in outlooks:
        table.add_row(
            Text(one.item.name),
            one.item.tier.value,
            _until(one, one.until.astimezone(zone)),
            f"{one.counted:,}",
            f"{one.will_count:,} {one.unit}",
            "" if one.due is None else f"{one.due:,.0f}",
            f"{one.revenue_micros / MICROS:,.2f}",
            _verdict(one),
        )
    console.print(table)
    missing = sum(one.missed > _MET for one in outlooks)
    goals = sum(one.due is not None for one in outlooks)
    console.print(
        f"{goals - missing} of {goals} goals on their way. Every fill is taken as drawn, and each page as a "
        "reader's first: line items with visitor caps may get less.",
        markup=False,
    )


def _until(one: Outlook, at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if one.ended else f"{at:%Y-%m-%d}, runs on"


def _verdict(one: Outlook) -> Text:
    if one.due is None:
        return Text("")
    if one.missed > _MET:
        return Text(f"short by {100 * one.missed:.1f} %", style="bold red")
    return Text("met" if one.ended else "on its way", style="green")
