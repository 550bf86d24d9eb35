"""An empty database and a new ad ops person in Chromium → a campaign that serves on a page, by clicks alone.

How long a person takes is told by the keystroke-level model (Card, Moran, Newell 1980): seconds for each key,
for pointing, for moving the hand to the keys, and for thinking before each step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, Route
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route as Address

from adserver.catalog.model import Catalog
from adserver.settings import Settings
from tests.browser.servers import serve
from tests.console.office import Office, office, sign_in
from tests.dashboards.test_browser import chromium

__all__ = ["chromium"]
pytestmark = pytest.mark.browser
#: Seconds: a key (an average typist), pointing at something, a click, a hand to the keys, a thought.
KEY, POINT, CLICK, HAND, THOUGHT = 0.28, 1.1, 0.2, 0.4, 1.35
MOST_SECONDS = 180.0
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="728" height="90"><rect width="728" height="90"/></svg>'
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("first") / "ads.db", catalog=Catalog()) as open_office:
        yield open_office


@pytest.fixture(scope="module")
def base_url(place: Office) -> str:
    return place.url


@dataclass
class Person:
    """Somebody who reads what is on the screen; `seconds` is what that would take."""

    page: Page
    seconds: float = 0.0

    def press(self, words: str, *, role: str = "link") -> None:
        """A link or button by what stands on it."""
        self.page.get_by_role(role, name=words, exact=True).first.click()  # type: ignore[arg-type]
        self.seconds += THOUGHT + POINT + CLICK

    def type(self, label: str, text: str) -> None:
        """Into a field by its label."""
        self.page.get_by_label(label, exact=True).fill(text)
        self.seconds += THOUGHT + POINT + CLICK + HAND + KEY * len(text)

    def choose(self, label: str, option: str) -> None:
        """From a list by its label."""
        self.page.get_by_label(label, exact=True).select_option(option)
        self.seconds += THOUGHT + 2 * (POINT + CLICK)


def picture(route: Route) -> None:
    route.fulfill(body=PICTURE, content_type="image/svg+xml")


def test_from_an_empty_database_to_a_campaign_on_a_page(chromium: Browser, place: Office) -> None:
    pasted: list[str] = []

    async def article(_: Request) -> HTMLResponse:
        return HTMLResponse(f"<!doctype html><title>Hills</title><h1>Tea</h1>{''.join(pasted)}")

    context = chromium.new_context(viewport={"width": 1280, "height": 844})
    context.set_default_timeout(10_000)
    with serve(Starlette(routes=[Address("/", article)])) as site:
        person = Person(context.new_page())
        person.page.goto(f"{place.url}/console/")
        sign_in(person.page, "admin@news.example")
        set_up(person, site.removeprefix("http://"))
        person.press("hills")
        person.press("top")
        for tag in person.page.locator("code.secret").all()[:2]:
            pasted.append(tag.inner_text().replace(Settings().base_url, place.url))
            person.seconds += THOUGHT + POINT + CLICK
        reader = context.new_page()
        reader.route("https://cdn.example/*", picture)
        serves(reader, site)
        assert person.seconds < MOST_SECONDS, f"{person.seconds:.0f} s by the keystroke-level model"
    context.close()


def set_up(person: Person, domain: str) -> None:
    """As each empty page says what is needed next."""
    person.press("Open the catalog")
    person.press("New site")
    person.type("Name", "hills")
    person.type("Domain", domain)
    person.type("Time zone", "Asia/Kathmandu")
    person.type("Currency", "NPR")
    person.press("Add", role="button")
    person.press("New slot")
    person.type("Name", "top")
    person.type("Sizes", "728x90")
    person.press("Add", role="button")
    person.press("Catalog")
    person.press("New advertiser")
    person.type("Name", "tea")
    person.press("Add", role="button")
    person.press("New campaign")
    person.type("Name", "autumn")
    person.press("Add", role="button")
    person.press("New line item")
    person.type("Name", "tea-top")
    person.choose("Tier", "price")
    person.type("Price", "4.50")
    person.choose("Price: by", "cpm")
    person.press("Add", role="button")
    person.press("New creative")
    person.type("Name", "tea-728")
    person.type("Size", "728x90")
    person.type("Image", "https://cdn.example/tea.png")
    person.type("What the picture says", "Tea")
    person.type("Click goes to", "https://tea.example/")
    person.press("Add", role="button")
    person.page.wait_for_url("**/creative/tea-728")
    person.press("Catalog")


def serves(reader: Page, site: str) -> None:
    """Until the page shows the ad, which is a second after the last click at most."""
    until = time.monotonic() + 15
    while True:
        reader.goto(site)
        reader.wait_for_load_state("networkidle")
        drawn = reader.locator("[data-ad-slot=top] img[alt=Tea]")
        if drawn.count() and drawn.is_visible():
            return
        assert time.monotonic() < until, reader.content()
