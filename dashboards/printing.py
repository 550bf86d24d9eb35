"""A page of reports → PDF, or a picture of its chart, drawn by a Chromium that reaches nothing but our files.

The browser is begun for each and ends with it. Whatever the page asks for is answered here: itself, and the
scripts and styles that it names; all else is refused, so that no address in a page is ever followed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from shutil import which
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from adserver.errors import AdserverError
from adserver.settings import Settings
from dashboards.answers import HEADERS
from dashboards.frame import ASSETS

if TYPE_CHECKING:
    from playwright.async_api import Page, Playwright, Route

#: Names under which distributions have it; the setting `chromium` comes before these.
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: A sheet of A4 within its margins, in CSS pixels, and by how much a page is made smaller to have room there.
_SHEET_WIDTH, _SCALE = 718, 0.7
_MARGINS = {"top": "12mm", "bottom": "16mm", "left": "10mm", "right": "10mm"}
_FOOT = """
<div style="width: 100%; padding: 0 10mm; display: flex; justify-content: space-between; color: #59626f;
  font: 7pt sans-serif">
<span class="title"></span>
<span><span class="pageNumber"></span> / <span class="totalPages"></span></span>
</div>
"""
_PICTURE_WIDTH = 900
_PAGE_HEADERS = {**HEADERS, "Content-Type": "text/html; charset=utf-8"}
_UNDRAWN = "[data-figure]:not(:has(.main-svg))"
#: A page as it is drawn → it as bytes.
Take = Callable[["Page"], Awaitable[bytes]]


class NotPrinted(AdserverError):
    """The browser could not be begun, took too long, or too many wait for it."""


class Printer:
    """Prints one page after the other."""

    def __init__(self, chromium: str, base: str, *, seconds: float, most_waiting: int) -> None:
        """`base`: the server's address, to which links lead; `seconds` for each, with its wait for others.

        Of these, `most_waiting` may wait.
        """
        self._chromium = chromium
        self._base = base
        self._seconds = seconds
        self._most_waiting = most_waiting
        self._waiting = 0
        self._turn = asyncio.Lock()

    async def pdf(self, html: str, path: str) -> bytes:
        """The page at a path, query included, on numbered sheets of A4, in light colours.

        Raises NotPrinted.
        """

        async def take(page: Page) -> bytes:
            return await page.pdf(
                format="A4",
                scale=_SCALE,
                margin=_MARGINS,  # type: ignore[arg-type]
                print_background=True,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=_FOOT,
                tagged=True,
            )

        return await self._print(html, path, round(_SHEET_WIDTH / _SCALE), take)

    async def picture(self, html: str, path: str) -> bytes:
        """The page's first chart with what is written around it, or all of it, as PNG. Raises NotPrinted."""

        async def take(page: Page) -> bytes:
            chart = page.locator("figure:has([data-figure])").first
            shown = chart if await chart.count() else page.locator("main")
            return await shown.screenshot(type="png", animations="disabled")

        return await self._print(html, path, _PICTURE_WIDTH, take)

    async def _print(self, html: str, path: str, width: int, take: Take) -> bytes:
        if self._waiting > self._most_waiting:
            raise NotPrinted(f"{self._waiting} pages wait to be printed")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds), self._turn:
                return await self._begin(html, f"{self._base}{path}", width, take)
        except TimeoutError:
            raise NotPrinted(f"a page was not printed within {self._seconds:g} seconds") from None
        finally:
            self._waiting -= 1

    async def _begin(self, html: str, address: str, width: int, take: Take) -> bytes:
        from playwright.async_api import Error, async_playwright

        try:
            async with async_playwright() as playwright:
                return await take(await self._drawn(playwright, html, address, width))
        except Error as error:
            raise NotPrinted(f"{self._chromium}: {error.message}") from error

    async def _drawn(self, playwright: Playwright, html: str, address: str, width: int) -> Page:
        """The page once its charts are drawn; the browser ends with its driver."""

        pages = [html]

        async def answer(route: Route) -> None:
            name = urlsplit(route.request.url).path.rpartition("/")[2]
            if route.request.is_navigation_request():
                # Once: with nothing to show instead, a page that leads elsewhere stays where it is.
                once = {"body": pages.pop()} if pages else {"status": 204}
                await route.fulfill(headers=_PAGE_HEADERS, **once)
            elif asset := ASSETS.find(name):
                await route.fulfill(body=asset.bodies["identity"], content_type=asset.media_type)
            else:
                await route.abort()

        # Chromium's own sandbox cannot be made by root.
        sandbox = os.geteuid() != 0
        browser = await playwright.chromium.launch(
            executable_path=self._chromium, chromium_sandbox=sandbox, args=_FLAGS
        )
        context = await browser.new_context(
            viewport={"width": width, "height": 900},
            device_scale_factor=2,
            color_scheme="light",
            service_workers="block",
        )
        page = await context.new_page()
        await page.emulate_media(media="print")
        await page.route("**/*", answer)
        await page.goto(address)
        await page.locator(_UNDRAWN).first.wait_for(state="detached")
        return page


def printer_of(settings: Settings) -> Printer | None:
    """None where the extra `export`, or Chromium, is not installed."""
    names = [str(settings.chromium)] if settings.chromium else _NAMES
    path = next((found for name in names if (found := which(name))), None)
    if path is None or find_spec("playwright") is None:
        return None
    seconds, most_waiting = settings.print_seconds, settings.max_prints_waiting
    return Printer(path, settings.base_url, seconds=seconds, most_waiting=most_waiting)
