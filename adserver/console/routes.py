"""Addresses below /console → the screens of ad ops, all but signing in behind the door."""

from __future__ import annotations

from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from adserver.accounts.accounts import Accounts
from adserver.accounts.model import Scope
from adserver.clock import Clock
from adserver.console.account import Account
from adserver.console.history import History
from adserver.console.home import Home
from adserver.console.objects import CatalogPages
from adserver.console.pages import ASSETS
from adserver.console.sign_in import SignIn, refuse
from adserver.console.users import Users
from adserver.editing.editor import Editor
from adserver.editing.objects import Objects
from adserver.engines.catalog_store import Stored
from adserver.measurement.delivery import Deliveries
from adserver.settings import Settings
from adserver.web.door import Door


def routes(
    accounts: Accounts,
    editor: Editor,
    objects: Objects,
    current: Callable[[], Stored],
    deliveries: Deliveries,
    clock: Clock,
    settings: Settings,
) -> list[BaseRoute]:
    """Everything below /console. `current`: the catalog in service."""
    door = Middleware(
        Door,
        accounts=accounts,
        settings=settings,
        refuse=refuse,
        scopes={False: Scope.READ, True: Scope.WRITE},
    )
    inner: list[BaseRoute] = [
        *Home(deliveries, objects, editor, clock).routes(),
        *Account(accounts).routes(),
        *CatalogPages(editor, objects, clock, settings).routes(),
        *History(editor, clock).routes(),
        *Users(accounts, settings, current).routes(),
    ]
    behind = Mount("/", routes=inner, middleware=[door])
    return [Mount("/console", routes=[ASSETS.route(), *SignIn(accounts, settings).routes(), behind])]
