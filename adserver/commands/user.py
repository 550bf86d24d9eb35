"""`adserver user …`: words on a command line → who may use the console, the API and the reports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from adserver.accounts.accounts import Accounts
from adserver.clock import from_ms, system_clock
from adserver.engines.account_store import AccountStore, UserRow
from adserver.engines.files import in_use
from adserver.engines.sql import catalog_url
from adserver.errors import InvalidInput
from adserver.settings import Settings, load_settings

Result = TypeVar("Result")
Db = Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).", show_default=False)]
Email = Annotated[str, typer.Argument(help="E-mail address of the user.", show_default=False)]
RoleName = Annotated[str, typer.Option(help="admin, ad_ops, publisher or advertiser.", show_default=False)]
Sites = Annotated[
    list[str] | None,
    typer.Option("--site", help='For ad_ops ("*": all sites) and publisher; may be repeated.'),
]
Advertisers = Annotated[
    list[str] | None, typer.Option("--advertiser", help="For advertiser; may be repeated.")
]

commands = typer.Typer(no_args_is_help=True, help="Who may use the console, the API and the reports.")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(commands, name="user")


@commands.command()
def add(
    email: Email,
    role: RoleName,
    site: Sites = None,
    advertiser: Advertisers = None,
    name: Annotated[str, typer.Option(help="How they are called.")] = "",
    db: Db = None,
) -> None:
    """Add somebody, and print the link by which they set their password."""

    async def use(accounts: Accounts, settings: Settings) -> None:
        _, token = await accounts.add_user(email, name, role, site or (), advertiser or ())
        _print_link(settings, accounts.password_address(token))

    _with_accounts(db, use)


@commands.command()
def link(email: Email, db: Db = None) -> None:
    """Print a new link by which somebody sets a password; the one before no longer works."""

    async def use(accounts: Accounts, settings: Settings) -> None:
        user = await _found(accounts, email)
        _print_link(settings, accounts.password_address(await accounts.new_link(user.id)))

    _with_accounts(db, use)


@commands.command("list")
def list_(db: Db = None) -> None:
    """Print everybody with their role and what it is for."""

    async def use(accounts: Accounts, _: Settings) -> None:
        table = Table("e-mail", "name", "role", "for", "state", box=None, pad_edge=False)
        for user in await accounts.store.users():
            own = ", ".join([*user.sites, *user.advertisers])
            table.add_row(user.email, user.name, user.role, own, _state(user))
        Console(highlight=False).print(table)

    _with_accounts(db, use)


@commands.command()
def role(
    email: Email, role: RoleName, site: Sites = None, advertiser: Advertisers = None, db: Db = None
) -> None:
    """Give somebody another role, from their next request on."""

    async def use(accounts: Accounts, _: Settings) -> None:
        user = await _found(accounts, email)
        await accounts.change_role(user.id, role, site or (), advertiser or ())

    _with_accounts(db, use)


@commands.command()
def disable(email: Email, db: Db = None) -> None:
    """End all that somebody can do; their name stays in the history."""

    async def use(accounts: Accounts, _: Settings) -> None:
        await accounts.disable((await _found(accounts, email)).id)

    _with_accounts(db, use)


@commands.command()
def enable(email: Email, db: Db = None) -> None:
    """Let somebody who was disabled sign in again."""

    async def use(accounts: Accounts, _: Settings) -> None:
        await accounts.enable((await _found(accounts, email)).id)

    _with_accounts(db, use)


@commands.command("sign-out")
def sign_out(email: Email, db: Db = None) -> None:
    """End all sessions of somebody; their API tokens hold on."""

    async def use(accounts: Accounts, _: Settings) -> None:
        await accounts.sign_out_everywhere((await _found(accounts, email)).id)

    _with_accounts(db, use)


@commands.command("second-factor-off")
def second_factor_off(email: Email, db: Db = None) -> None:
    """Take the second factor away from somebody who has lost it."""

    async def use(accounts: Accounts, _: Settings) -> None:
        await accounts.end_totp((await _found(accounts, email)).id)

    _with_accounts(db, use)


@commands.command()
def token(
    email: Email,
    name: Annotated[str, typer.Option(help="What the token is for.", show_default=False)],
    scope: Annotated[list[str], typer.Option(help="read, write, reports, users; may be repeated.")],
    days: Annotated[int, typer.Option(help="How long it holds.")] = 90,
    db: Db = None,
) -> None:
    """Make an API token of somebody's, and print it: it is not shown again."""

    async def use(accounts: Accounts, _: Settings) -> None:
        user = await _found(accounts, email)
        row, text = await accounts.new_token(user.id, name, scope, days)
        typer.echo(text)
        typer.echo(f"Token {row.id} holds until {from_ms(row.expires_at_ms):%Y-%m-%d %H:%M} UTC.", err=True)

    _with_accounts(db, use)


@commands.command()
def tokens(email: Email, db: Db = None) -> None:
    """Print somebody's API tokens, without their secret."""

    async def use(accounts: Accounts, _: Settings) -> None:
        user = await _found(accounts, email)
        table = Table("token", "for", "scopes", "holds until (UTC)", box=None, pad_edge=False)
        for row in await accounts.store.tokens_of(user.id):
            until = f"{from_ms(row.expires_at_ms):%Y-%m-%d %H:%M}"
            table.add_row(str(row.id), row.name, row.scopes, until)
        Console(highlight=False).print(table)

    _with_accounts(db, use)


@commands.command()
def revoke(
    email: Email,
    token: Annotated[int, typer.Argument(help="Number of the token.", show_default=False)],
    db: Db = None,
) -> None:
    """End an API token at once."""

    async def use(accounts: Accounts, _: Settings) -> None:
        user = await _found(accounts, email)
        if not await accounts.store.remove_token(user.id, token):
            raise InvalidInput.one("", "token", f"{user.email} has no token {token}")

    _with_accounts(db, use)


def _with_accounts(db: Path | None, use: Callable[[Accounts, Settings], Awaitable[Result]]) -> Result:
    settings = load_settings(db=db)

    async def opened() -> Result:
        store = await AccountStore.open(catalog_url(settings))
        try:
            return await use(Accounts(store, system_clock, settings), settings)
        finally:
            await store.close()

    with in_use(settings.db):
        return asyncio.run(opened())


async def _found(accounts: Accounts, email: str) -> UserRow:
    user = await accounts.store.user_of(email.strip().lower())
    if user is None:
        raise InvalidInput.one("", "email", f"there is no user {email!r}")
    return user


def _print_link(settings: Settings, address: str) -> None:
    typer.echo(address)
    until = system_clock() + timedelta(hours=settings.link_hours)
    typer.echo(f"This link sets the password, once, until {until:%Y-%m-%d %H:%M} UTC.", err=True)


def _state(user: UserRow) -> str:
    if user.disabled_at_ms is not None:
        return "disabled"
    if user.password_hash is None:
        return "invited"
    return "two factors" if user.totp_secret else "password"
