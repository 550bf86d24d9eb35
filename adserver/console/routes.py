"""Addresses below /console → the screens of ad ops, all but signing in behind the door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Router
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from adserver.accounts.accounts import Accounts
from adserver.accounts.model import Scope
from adserver.clock import Clock
from adserver.console.account import Account
from adserver.console.estimate import Estimates
from adserver.console.history import History
from adserver.console.home import Home
from adserver.console.line_items import LineItems
from adserver.console.objects import CatalogPages
from adserver.console.pages import ASSETS, not_there
from adserver.console.preview import Previews
from adserver.console.proofs import ProofLinks, ProofPages
from adserver.console.seen import TagsSeen
from adserver.console.sign_in import SignIn, refuse
from adserver.console.unreachable import Unreachable
from adserver.console.users import Users
from adserver.console.why import Why
from adserver.editing.editor import Editor
from adserver.editing.objects import Objects
from adserver.editing.proofs import Proofs
from adserver.engines.catalog_store import Stored
from adserver.forecast.past import ExplainPage, PastPages
from adserver.measurement.pace import Paces
from adserver.measurement.slots import SlotWatch
from adserver.settings import Settings
from adserver.web.compressed import COMPRESSED
from adserver.web.door import Door
from adserver.web.numbers import register as register_number


@dataclass(frozen=True, slots=True)
class Office:
    """What the screens stand on."""

    accounts: Accounts
    editor: Editor
    objects: Objects
    current: Callable[[], Stored]
    """The catalog in service."""
    paces: Paces
    past: PastPages
    watch: SlotWatch
    proofs: Proofs
    explain: ExplainPage


register_number()


async def _nothing(scope: AsgiScope, receive: Receive, send: Send) -> None:
    await not_there()(scope, receive, send)


def routes(office: Office, clock: Clock, settings: Settings) -> list[BaseRoute]:
    """Everything below /console."""
    accounts, editor, objects = office.accounts, office.editor, office.objects
    proof_links = ProofLinks(office.proofs, clock, settings)
    tags_seen = TagsSeen(office.watch, objects, clock)
    door = Middleware(
        Door,
        accounts=accounts,
        settings=settings,
        refuse=refuse,
        scopes={False: Scope.READ, True: Scope.WRITE},
    )
    inner: list[BaseRoute] = [
        *Home(office.paces, office.watch, objects, editor, clock).routes(),
        *Account(accounts).routes(),
        *LineItems(editor, objects, clock, settings).routes(),
        *proof_links.routes(),
        *tags_seen.routes(),
        *Previews(objects).routes(),
        *Estimates(office.past).routes(),
        *CatalogPages(editor, objects, tags_seen, proof_links.told, clock, settings).routes(),
        *Why(office.past, office.explain, objects, clock).routes(),
        *History(editor, clock).routes(),
        *Users(accounts, settings, office.current).routes(),
    ]
    shown = ProofPages(office.proofs, clock).routes()
    behind = Mount("/", app=Router(inner, default=_nothing), middleware=[door])
    pages = Mount(
        "/",
        routes=[*SignIn(accounts, settings).routes(), *shown, behind],
        middleware=[COMPRESSED, Middleware(Unreachable)],
    )
    return [Mount("/console", routes=[ASSETS.route(), pages])]
