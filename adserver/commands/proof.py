"""`adserver proof …`: a line item or campaign → links by which its advertiser answers for its creatives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from adserver.accounts.model import THIS_MACHINE
from adserver.clock import from_ms, system_clock
from adserver.commands.catalog import Db, asking
from adserver.commands.changes import Name, known
from adserver.commands.items import settings_of
from adserver.editing.editor import Editor
from adserver.editing.objects import Objects
from adserver.editing.proofs import Proofs, creatives_in
from adserver.engines.account_store import AccountStore
from adserver.engines.catalog_store import CatalogStore
from adserver.engines.files import in_use
from adserver.engines.proof_store import ProofStore
from adserver.engines.sql import catalog_url
from adserver.errors import InvalidInput
from adserver.settings import Settings

Result = TypeVar("Result")
Kind = Annotated[str, typer.Argument(help="line_item or campaign.")]

commands = typer.Typer(no_args_is_help=True, help="Links by which advertisers approve creatives.")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(commands, name="proof")


@commands.command()
def make(
    kind: Kind,
    name: Name,
    days: Annotated[int, typer.Option(help="How long it opens them.")] = 14,
    db: Db = None,
) -> None:
    """Make a link, and print it; it is told this once."""
    settings = settings_of(db)

    async def use(proofs: Proofs, objects: Objects) -> None:
        path = known(await objects.seen_by(THIS_MACHINE), kind, name)
        number, token = await proofs.make(asking(""), path, days)
        typer.echo(f"{settings.base_url}/console/proof/{token}")
        typer.echo(f"proof {number} opens for {days} days", err=True)

    _with_proofs(settings, use)


@commands.command("list")
def list_(kind: Kind, name: Name, db: Db = None) -> None:
    """List the links that hold, and what was answered by any."""

    async def use(proofs: Proofs, objects: Objects) -> None:
        seen = await objects.seen_by(THIS_MACHINE)
        path = known(seen, kind, name)
        for row in await proofs.links(path):
            until = from_ms(row.expires_at_ms)
            typer.echo(f"proof {row.id} by {row.author}, until {until:%Y-%m-%d %H:%M} UTC")
        found = await proofs.answers(creatives_in(seen, path))
        for answer in (one for answers in found.values() for one in answers):
            said = f"{answer.creative}: {answer.verdict} by {answer.name}, {answer.at:%Y-%m-%d %H:%M} UTC"
            comment = f": {' '.join(answer.comment.split())}" if answer.comment else ""
            typer.echo(f"{said}{' (changed since)' if answer.outdated else ''}{comment}")

    _with_proofs(settings_of(db), use)


@commands.command()
def revoke(number: Annotated[int, typer.Argument(min=1, help="As listed.")], db: Db = None) -> None:
    """End a link at once."""

    async def use(proofs: Proofs, _objects: Objects) -> None:
        if not await proofs.revoke(THIS_MACHINE, number):
            raise InvalidInput.one("", "NUMBER", f"there is no proof {number}")
        typer.echo(f"proof {number} opens nothing any more")

    _with_proofs(settings_of(db), use)


def _with_proofs(settings: Settings, use: Callable[[Proofs, Objects], Awaitable[Result]]) -> Result:
    url = catalog_url(settings)

    async def opened() -> Result:
        users, catalog = await AccountStore.open(url), await CatalogStore.open(url)
        try:
            objects = Objects(catalog, url)
            editor, store = Editor(url, system_clock), ProofStore(users.engine)
            return await use(Proofs(store, editor, objects, system_clock, settings), objects)
        finally:
            await catalog.close()
            await users.close()

    with in_use(settings.db):
        return asyncio.run(opened())
