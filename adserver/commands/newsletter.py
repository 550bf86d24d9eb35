"""`adserver newsletter …`: what stands in an issue of a newsletter or feed ⇄ what somebody decides ahead."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adserver.catalog.nearest import nearest
from adserver.clock import from_ms, system_clock, to_ms
from adserver.decision.context import Choice, Context, Fill, PictureAsk
from adserver.decision.index import Index
from adserver.engines.catalog_store import Stored
from adserver.engines.files import in_use
from adserver.engines.sqlite_locks import Lock, SqliteLocks
from adserver.errors import InvalidInput
from adserver.serving.outside.issues import Place, lock_of, place_of, without_of
from adserver.settings import Settings, load_settings
from adserver.steered import steering_of
from adserver.stored import existing, stored_of

Db = Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).", show_default=False)]
Site = Annotated[str, typer.Argument(help="Site.")]
SlotName = Annotated[str, typer.Argument(help="Slot.")]
Issue = Annotated[str, typer.Argument(help='Name of the issue or entry, such as "2026-11-26".')]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    letters = typer.Typer(help="What stands in issues of newsletters and feeds.", no_args_is_help=True)
    letters.command()(lock)
    letters.command("list")(list_)
    app.add_typer(letters, name="newsletter")


def lock(
    site: Site,
    slot: SlotName,
    issue: Issue,
    position: Annotated[int, typer.Option(min=1, max=99, help="Which of several places.")] = 1,
    creative: Annotated[str, typer.Option(help="This one; else whoever would win the slot now.")] = "",
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Also where something is locked already; mails that went out change."),
    ] = False,
    db: Db = None,
) -> None:
    """Decide what stands in a place of an issue, before anybody opens it."""
    settings = load_settings(db=db)
    existing(settings.db)
    with in_use(settings.db):
        stored = asyncio.run(stored_of(settings))
        steering, _ = asyncio.run(steering_of(settings, stored, system_clock))
        index = steering.decider.index
        place = place_of(index, site, slot, issue, position)
        with SqliteLocks(settings.db) as locks:
            before = locks.find(place.slot_id, issue, position)
            if before is not None and not replace:
                name = _names(stored, "creative").get(before.creative, "?")
                raise InvalidInput.one("", issue, f"{name} stands there already; --replace takes it away")
            others = [one for one in locks.of_issue(_slots(index, site), issue) if one != before]
            if creative:
                fill = _named(index, place, creative)
            else:
                ask = PictureAsk(slot, without=without_of(index, others))
                context = Context(site, network=False)
                (found,) = steering.decider.decide(context, [ask], system_clock(), Random(), None).decisions
                if not isinstance(found, Fill):
                    raise InvalidInput.one(
                        "", slot, f"nothing can stand there now: {getattr(found, 'reason', '')}"
                    )
                fill = found
            kept = locks.keep(lock_of(fill, place, to_ms(system_clock()), stored.version), replace=replace)
    _tell(settings, place, fill, kept)


def list_(site: Site, issue: Issue, db: Db = None) -> None:
    """Say what stands in each place of an issue."""
    settings = load_settings(db=db)
    existing(settings.db)
    with in_use(settings.db):
        stored = asyncio.run(stored_of(settings))
        slots = {stored.ids[path]: path[2] for path in stored.ids if path[:2] == ("slot", site)}
        if not slots:
            raise InvalidInput.one("", "SITE", f"there is no site {site!r} with slots")
        with SqliteLocks(settings.db) as locks:
            found = locks.of_issue(list(slots), issue)
    creatives, items = _names(stored, "creative"), _names(stored, "line_item")
    table = Table("Slot", "Place", "Line item", "Creative", "Locked (UTC)", box=None)
    for one in found:
        at = f"{from_ms(one.at_ms):%Y-%m-%d %H:%M}"
        where = slots[one.slot], str(one.position)
        table.add_row(*where, items.get(one.item, "?"), creatives.get(one.creative, "?"), at)
    Console(width=120).print(table)


def _slots(index: Index, site: str) -> list[int]:
    return [slot.id for slot in index.sites[site].slots.values()]


def _names(stored: Stored, kind: str) -> dict[int, str]:
    return {number: path[1] for path, number in stored.ids.items() if path[0] == kind}


def _named(index: Index, place: Place, name: str) -> Fill:
    """A creative that may stand there, by its name; raises InvalidInput."""
    choices: dict[str, Choice] = {
        choice.creative.name: choice for choices in index.choices for choice in choices
    }
    choice, slot = choices.get(name), index.sites[place.site].slots[place.slot]
    if choice is None:
        advice = nearest(name, choices)
        raise InvalidInput.one("", "--creative", f"there is no approved creative {name!r}{advice}")
    if choice.creative.kind != "image":
        raise InvalidInput.one(
            "", "--creative", f"{name} is {choice.creative.kind}; only images can stand there"
        )
    if choice.creative.size not in slot.slot.sizes:
        offered = ", ".join(slot.slot.sizes)
        raise InvalidInput.one(
            "", "--creative", f"{name} is {choice.creative.size}; {place.slot} takes {offered}"
        )
    return Fill(place.slot, place.slot_id, slot.slot.label, choice)


def _tell(settings: Settings, place: Place, fill: Fill, kept: Lock) -> None:
    end = f"/{place.position}" if place.position > 1 else ""
    address = f"{settings.base_url}/v1/newsletter/{place.site}/{place.slot}/{place.issue}{end}"
    typer.echo(f"{fill.choice.creative.name} of {fill.choice.item.name} ({kept.size}) stands there:")
    typer.echo(f"  picture  {address}.png\n  link     {address}/click\n  to paste {address}.html")
    if kept.image.partition("?")[0].endswith(".svg"):
        typer.echo("its picture is SVG, which most mail programs do not show", err=True)
