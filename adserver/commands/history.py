"""`adserver import FILE` and `adserver rebuild`: files and the log → the log and its rollups."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from adserver.catalog.adopt import adopt
from adserver.catalog.adopt import new_site as site_of
from adserver.catalog.model import Catalog, Site
from adserver.clock import EPOCH, system_clock, to_ms
from adserver.engines.catalog_store import CatalogStore, Stored, sqlite_url
from adserver.engines.files import in_use
from adserver.engines.migrate import migrate
from adserver.engines.sql import catalog_url
from adserver.engines.sqlite_fold import Rebuilt
from adserver.engines.sqlite_log import SqliteLog
from adserver.errors import Fault, InvalidInput
from adserver.measurement.history import History, batches, items_of, prices, read_history
from adserver.measurement.period import local_days
from adserver.measurement.token import FillIds
from adserver.settings import Settings, load_settings
from adserver.stored import existing

Db = Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("import")(import_)
    app.command()(rebuild)


def rebuild(db: Db = None) -> None:
    """Recompute the rollups from the log, and say whether they were equal to it."""
    path = existing(load_settings(db=db).db)
    with in_use(path):
        rebuilt = asyncio.run(_rebuild(path))
    if rebuilt.equal:
        typer.echo(f"equal: the rollups are the fold of {rebuilt.event_count} events{_proven(rebuilt)}")
        return
    typer.echo(
        f"not equal: {rebuilt.wrong_count} rows of the rollups differed "
        f"from {rebuilt.event_count} events and are put right{_proven(rebuilt)}",
        err=True,
    )
    raise typer.Exit(1)


def _proven(rebuilt: Rebuilt) -> str:
    """Of which days that holds, where the log does not go back to the first."""
    if rebuilt.kept_from_day is None:
        return ""
    first = EPOCH.date() + timedelta(days=rebuilt.kept_from_day)
    return f" of {first} (UTC) and after; those of before were removed, and their rollups are left alone"


async def _rebuild(db: Path) -> Rebuilt:
    await migrate(sqlite_url(db), "events")
    log = SqliteLog(db)
    try:
        return log.rebuild()
    finally:
        log.close()


def import_(
    file: Annotated[Path, typer.Argument(help="CSV with columns at,slot,creative,type; may be gzipped.")],
    db: Db = None,
    site: Annotated[str | None, typer.Option(help="Site of the slots; not needed when there is one.")] = None,
    create: Annotated[bool, typer.Option("--create", help="Make what the catalog lacks.")] = False,
    timezone: Annotated[str, typer.Option(help="Of a site made by --create.")] = "UTC",
    currency: Annotated[str, typer.Option(help="Of a site made by --create.")] = "USD",
    domain: Annotated[str, typer.Option(help="Of a site made by --create.")] = "localhost",
) -> None:
    """Take an event history from another ad server into the log: all of it, or nothing."""
    history = read_history(file)
    settings = load_settings(db=db)
    path = settings.db
    new_site = {"name": site, "timezone": timezone, "currency": currency, "domain": domain}
    with in_use(path):
        count = asyncio.run(_import(history, settings, site, new_site if create else None))
    if count is None:
        typer.echo(f"{file}: was imported before; nothing was changed")
    else:
        typer.echo(f"{file}: imported {count} events")


async def _import(
    history: History, settings: Settings, site_name: str | None, new_site: dict[str, str | None] | None
) -> int | None:
    catalog = await CatalogStore.open(catalog_url(settings))
    try:
        await migrate(sqlite_url(settings.db), "events")
        stored = await catalog.load()
        site = _site(stored.catalog, site_name, new_site)
        log = SqliteLog(settings.db)
        try:
            if log.was_imported(history.digest):
                return None
            _refuse_unknown(history, stored, site, create=new_site is not None)
            if new_site is not None:
                grown = adopt(stored.catalog, site, sorted(history.slots), sorted(history.creatives))
                note = f"import of {history.file}"
                await catalog.apply(grown, author="import", at=system_clock(), note=note)
                stored = await catalog.load()
            items = {name: stored.ids["line_item", item] for name, item in items_of(stored.catalog).items()}
            return log.import_history(
                history.digest,
                history.file,
                to_ms(system_clock()),
                batches(
                    history,
                    FillIds(log.node_number()),
                    {name: stored.ids["slot", site.name, name] for name in history.slots},
                    {name: stored.ids["creative", name] for name in history.creatives},
                    items,
                    prices(stored.catalog),
                    local_days(dict.fromkeys(items.values(), site.zone)),
                ),
            )
        finally:
            log.close()
    finally:
        await catalog.close()


def _site(catalog: Catalog, name: str | None, new_site: dict[str, str | None] | None) -> Site:
    """The site that the history belongs to: the one named, the only one, or a new one."""
    sites = {site.name: site for site in catalog.site}
    if name in sites:
        return sites[name]
    if name is None and len(sites) == 1:
        return next(iter(sites.values()))
    if name is not None and new_site is not None:
        return site_of(new_site)
    known = ", ".join(sites) or "none yet; name one and give --create"
    raise InvalidInput.one(
        "", "--site", f"{name!r} is not a site of the catalog" if name else f"is needed ({known})"
    )


def _refuse_unknown(history: History, stored: Stored, site: Site, *, create: bool) -> None:
    """Everything that the file names and the catalog lacks, at once, unless it is to be made."""
    slots = {slot.name for slot in site.slot}
    creatives = set(prices(stored.catalog))
    unknown = [("slot", name) for name in sorted(history.slots - slots)]
    unknown += [("creative", name) for name in sorted(history.creatives - creatives)]
    if unknown and not create:
        hint = "is not in the catalog (--create makes it)"
        raise InvalidInput([Fault(history.file, f"{kind} {name!r}", hint) for kind, name in unknown])
