"""A real server with users in it, and browsers without a screen that are signed in as one of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx
from playwright.sync_api import Page

from adserver.accounts.accounts import Accounts
from adserver.app import App
from adserver.catalog.file import load
from adserver.catalog.model import Catalog
from adserver.clock import system_clock
from adserver.engines.account_store import AccountStore
from adserver.engines.sql import sqlite_url
from adserver.settings import Settings
from tests.browser.servers import serve
from tests.newsroom import apply_catalog

PASSWORD = "seven rivers meet below"
SAMPLE = load(Path(__file__).parents[1] / "catalog" / "sample.toml")
#: E-mail → role, sites, advertisers.
PEOPLE: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "admin@news.example": ("admin", (), ()),
    "ops@news.example": ("ad_ops", ("daily",), ()),
    "boss@news.example": ("publisher", ("daily",), ()),
    "bank@bank.example": ("advertiser", (), ("himal-bank",)),
}


@dataclass(frozen=True)
class Office:
    """Where the server is, and its file."""

    url: str
    db: Path
    clients: list[httpx.Client] = field(default_factory=list)

    def visitor(self) -> httpx.Client:
        """Nobody: a browser without a session."""
        return self._client({"sec-fetch-site": "same-origin"})

    def signed_in(self, email: str) -> httpx.Client:
        """A browser of somebody's."""
        browser = self.visitor()
        answer = browser.post("/console/sign-in", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return browser

    def with_token(self, email: str, *scopes: str) -> httpx.Client:
        """A program with an API token of somebody's."""
        token = asyncio.run(_token(self.db, email, scopes))
        return self._client({"authorization": f"Bearer {token}"})

    def _client(self, headers: dict[str, str]) -> httpx.Client:
        client = httpx.Client(base_url=self.url, headers=headers, timeout=30)
        self.clients.append(client)
        return client


@contextmanager
def office(
    db: Path, *, catalog: Catalog = SAMPLE, people: bool = True, **settings: object
) -> Iterator[Office]:
    """A server over a catalog, with one user of each role."""
    apply_catalog(db, catalog)
    if people:
        asyncio.run(_hire(db))
    with serve(App(Settings(db=db, catalog_poll_seconds=0.05, **settings))) as url:  # type: ignore[arg-type]
        opened = Office(url, db)
        try:
            yield opened
        finally:
            for client in opened.clients:
                client.close()


def sign_in(page: Page, email: str) -> None:
    """By hand, at the form that a browser without a session is shown."""
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: urlsplit(url).path == "/console/")


def text_of(html: str) -> str:
    """What a page says, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


async def _hire(db: Path) -> None:
    store = await AccountStore.open(sqlite_url(db))
    accounts = Accounts(store, system_clock, Settings())
    for email, (role, sites, advertisers) in PEOPLE.items():
        _, link = await accounts.add_user(email, email.partition("@")[0], role, sites, advertisers)
        assert await accounts.set_password(link, PASSWORD)
    await store.close()


async def _token(db: Path, email: str, scopes: tuple[str, ...]) -> str:
    store = await AccountStore.open(sqlite_url(db))
    user = await store.user_of(email)
    assert user, f"nobody is called {email}"
    _, token = await Accounts(store, system_clock, Settings()).new_token(user.id, "test", scopes, 1)
    await store.close()
    return token
