"""`adserver import-ads-txt FILE`: the ads.txt that a publisher has → the site's key in the catalog."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from adserver.catalog.plan import Entry
from adserver.catalog.plan import Path as ObjectPath
from adserver.catalog.seller import MAX_LINES, ads_txt_line
from adserver.clock import system_clock
from adserver.engines.catalog_store import CatalogStore, State
from adserver.engines.files import in_use
from adserver.engines.sql import catalog_url
from adserver.errors import Fault, InvalidInput
from adserver.settings import Settings, load_settings
from adserver.stored import need_catalog

_MAX_BYTES = 2_000_000


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("import-ads-txt")(import_ads_txt)


def import_ads_txt(
    file: Annotated[Path, typer.Argument(help="The ads.txt that is served today.")],
    db: Annotated[
        Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).", show_default=False)
    ] = None,
    site: Annotated[str | None, typer.Option(help="Whose it is; not needed when there is one site.")] = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Leave out lines that no crawler understands.")
    ] = False,
) -> None:
    """Take an existing ads.txt over into the catalog, in place of the lines that the site has there."""
    lines, faults = read_ads_txt(file)
    if faults and not drop:
        raise InvalidInput(faults)
    for fault in faults:
        typer.echo(f"left out: {fault}", err=True)
    settings = load_settings(db=db)
    need_catalog(settings)
    with in_use(settings.db):
        name, version, changed = asyncio.run(_import(settings, site, lines, f"import of {file}"))
    happened = f"version {version}" if changed else "nothing was changed"
    typer.echo(f"{file}: {len(lines)} lines for site {name}; {happened}")


def read_ads_txt(file: Path) -> tuple[list[str], list[Fault]]:
    """The lines of a file that crawlers understand, and what is wrong with others. Raises InvalidInput."""
    try:
        content = file.read_bytes()
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise InvalidInput.one(str(file), "", "there is no such file") from None
    except OSError as error:
        raise InvalidInput.one(str(file), "", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput.one(str(file), "", "is not UTF-8 text") from None
    if len(content) > _MAX_BYTES:
        raise InvalidInput.one(str(file), "", f"is larger than {_MAX_BYTES // 1_000_000} MB")
    lines, faults = [], []
    # Editors of three systems end lines in three ways; nothing else ends one.
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        if line.strip():
            try:
                lines.append(ads_txt_line(line))
            except ValueError as error:
                faults.append(Fault(str(file), f"line {number}", str(error)))
    if len(lines) > MAX_LINES:
        raise InvalidInput.one(str(file), "", f"has more than {MAX_LINES} lines")
    if not lines and not faults:
        raise InvalidInput.one(str(file), "", "is empty: taken over, nothing could be sold any more")
    return lines, faults


async def _import(settings: Settings, name: str | None, lines: list[str], note: str) -> tuple[str, int, bool]:
    chosen = ""

    def alter(state: State) -> Mapping[ObjectPath, Entry]:
        nonlocal chosen
        sites = [path[1] for path in state.entries if path[0] == "site"]
        if name not in sites and (name is not None or len(sites) != 1):
            known = ", ".join(sites) or "none yet"
            problem = "is needed" if name is None else f"{name!r} is not a site of the catalog"
            raise InvalidInput.one("", "--site", f"{problem} ({known})")
        chosen = name or sites[0]
        entry = state.entries["site", chosen]
        return {**state.entries, ("site", chosen): replace(entry, body={**entry.body, "ads_txt": lines})}

    store = await CatalogStore.open(catalog_url(settings))
    try:
        changes, version = await store.change(alter, author="import", at=system_clock(), note=note)
    finally:
        await store.close()
    return chosen, version, bool(changes)
