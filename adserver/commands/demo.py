"""`adserver demo`: an empty folder → a running newsroom with ads, and two weeks of reports behind it."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from adserver.clock import from_ms, system_clock
from adserver.commands.serve import run
from adserver.demo.catalog import demo_catalog
from adserver.demo.traffic import VirtualClock, play
from adserver.engines.catalog_store import CatalogStore, sqlite_url
from adserver.engines.migrate import migrate
from adserver.engines.sql import catalog_url
from adserver.engines.sqlite_log import SqliteLog
from adserver.logs import configure_logs
from adserver.settings import Settings, load_settings

if TYPE_CHECKING:
    from adserver.app import App

_HISTORY_DAYS = 14
_SEED = 20261101


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(demo)


def demo(
    db: Annotated[Path, typer.Option("--db", help="SQLite file of the demo.")] = Path("var/demo.db"),
    host: Annotated[str | None, typer.Option(help="Address to listen on (ADSERVER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (ADSERVER_PORT).")] = None,
    pages_per_day: Annotated[int, typer.Option(min=1, help="Page views a day of the history.")] = 1000,
) -> None:
    """Open a small newsroom with ads in its slots, and reports of its last 14 days."""
    settings = load_settings(db=db, host=host, port=port, country_header="X-Country")
    settings.db.parent.mkdir(parents=True, exist_ok=True)
    configure_logs()
    console = Console()
    asyncio.run(_fill_history(settings, pages_per_day, console))
    _print_addresses(settings, console)
    os.environ |= {"ADSERVER_DB": str(settings.db), "ADSERVER_COUNTRY_HEADER": "X-Country"}
    os.environ |= {"ADSERVER_HOST": settings.host, "ADSERVER_PORT": str(settings.port)}
    run("adserver.commands.demo:create", settings)


def create() -> App:
    """The server with the newsroom's pages beside it."""
    # Other commands need not wait until the whole server is imported.
    from adserver.app import App
    from adserver.demo.routes import routes

    configure_logs()
    return App(load_settings(), pages=routes)


async def _fill_history(settings: Settings, pages_per_day: int, console: Console) -> None:
    """Apply the demo's catalog, and play what is missing of the last days through the real pipeline."""
    from adserver.app import App

    now = system_clock()
    catalog = await CatalogStore.open(catalog_url(settings))
    await catalog.apply(demo_catalog(now), author="demo", at=now)
    await catalog.close()
    await migrate(sqlite_url(settings.db), "events")
    log = SqliteLog(settings.db)
    last_ms = log.last_event_ms()
    log.close()
    begin = now - timedelta(days=_HISTORY_DAYS)
    if last_ms is not None:
        begin = max(begin, from_ms(last_ms))
    days = (now - begin) // timedelta(days=1)
    if not days:
        return
    clock = VirtualClock(now - timedelta(days=days))
    app = App(settings, clock=clock, rng=Random(_SEED), ticking=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(f"Traffic of the last {days} days")
        async with app.running():
            await play(
                app,
                clock,
                tick=app.tick,
                until=now,
                days=days,
                pages_per_day=pages_per_day,
                seed=_SEED,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )


def _print_addresses(settings: Settings, console: Console) -> None:
    base = f"http://{settings.host}:{settings.port}"
    console.print()
    for name, path in (("Newsroom", "/demo/"), ("Reports", "/reports/"), ("Health", "/readyz")):
        console.print(f"  {name:<9} {base}{path}", highlight=False)
    console.print(
        "\nOpen an article, click an ad, and reload the report. Ctrl-C stops the server.", highlight=False
    )
