"""The page of reports in a real browser: the chart is drawn, nothing complains, nothing overflows."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import FLAGS

pytestmark = pytest.mark.browser

LOOKS = ("light-1280", "dark-1280", "light-390", "dark-390")
BARS = ".barlayer .point path"
#: Remembers every breach of the content policy from the first moment on.
WITNESS = """
window.__breaches = [];
addEventListener("securitypolicyviolation", (event) =>
  window.__breaches.push(event.violatedDirective + " " + event.blockedURI));
"""


@dataclass
class Visit:
    """A page, what it asked for, and what it complained about."""

    page: Page
    viewport: int
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Nothing was refused by the content policy, nothing stands in the console."""
        assert self.page.evaluate("window.__breaches") == []
        assert self.complaints == []

    def width(self) -> int:
        """How wide the page is when it is scrolled sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))


@pytest.fixture(scope="module")
def chromium(base_url: str) -> Iterator[Browser]:
    """A browser, begun after the server: while it lives, no other event loop may run in this thread."""
    path = os.environ.get("ADSERVER_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path and os.environ.get("ADSERVER_REQUIRE_BROWSER") != "1":
        pytest.skip("no Chromium found (set ADSERVER_CHROMIUM to its path)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def opened(chromium: Browser, look: str, url: str) -> Iterator[Visit]:
    """A page as it opens in a theme and width."""
    theme, _, width = look.partition("-")
    context = chromium.new_context(viewport={"width": int(width), "height": 844})
    context.set_default_timeout(10_000)
    context.add_init_script(WITNESS)
    visit = Visit(context.new_page(), int(width))
    visit.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    visit.page.on("console", lambda message: visit.complaints.append(message.text))
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("request", lambda asked: visit.asked.append(asked.url))
    visit.page.goto(url)
    yield visit
    context.close()


@pytest.fixture
def visit(request: pytest.FixtureRequest, chromium: Browser, base_url: str) -> Iterator[Visit]:
    """The report as it opens in a look (`opened_as`), with its chart drawn."""
    with opened(chromium, request.param, f"{base_url}/reports/?site=daily&period=7d") as visit:
        visit.page.wait_for_selector(BARS)
        yield visit


def opened_as(*looks: str) -> pytest.MarkDecorator:
    """Runs a test with `visit` in each of these themes and widths."""
    return pytest.mark.parametrize("visit", looks, indirect=True)


def luminance(colour: str) -> float:
    """`rgb(1, 2, 3)` → how light it is, 0 to 255."""
    red, green, blue = (float(part) for part in re.findall(r"[\d.]+", colour)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@opened_as(*LOOKS)
def test_a_bar_is_drawn_for_each_day_and_nothing_complains_or_overflows(visit: Visit, base_url: str) -> None:
    assert visit.page.locator(BARS).count() == 7
    assert visit.page.evaluate("document.getElementById('plotly.js-style-global').tagName") == "LINK"
    assert {url.startswith(base_url) for url in visit.asked} == {True}
    assert visit.width() == visit.viewport
    for summary in visit.page.locator("summary").all():
        summary.click()
        assert visit.width() == visit.viewport
        visit.page.keyboard.press("Escape")
    visit.check()


@opened_as("dark-390")
def test_hovering_shows_amount_and_impressions(visit: Visit) -> None:
    visit.page.locator(".chart").scroll_into_view_if_needed()
    box = visit.page.locator(BARS).nth(2).bounding_box()
    assert box is not None
    visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    shown = visit.page.locator(".hoverlayer .hovertext")
    shown.wait_for()
    said = shown.text_content() or ""
    assert re.search(r"Fri 20 Nov 2026\$[\d,]+\.\d\d[\d,]+ requests, [\d,]+ impressions", said)
    visit.check()


@opened_as("light-1280", "dark-390")
def test_the_switch_recolours_page_and_chart_and_is_remembered(visit: Visit) -> None:
    def colours() -> tuple[str, str, str]:
        """Page, bars and the chart's text."""
        return (
            visit.page.evaluate("getComputedStyle(document.body).backgroundColor"),
            visit.page.locator(BARS).first.evaluate("bar => getComputedStyle(bar).fill"),
            visit.page.locator(".xtick text").first.evaluate("text => getComputedStyle(text).fill"),
        )

    before = colours()
    visit.page.get_by_role("button", name="Switch between light and dark").click()
    after = colours()
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert abs(luminance(before[0]) - luminance(after[0])) > 150
    visit.page.reload()
    visit.page.wait_for_selector(BARS)
    assert colours() == after
    visit.check()


@opened_as("dark-1280")
def test_what_is_dark_on_the_screen_is_printed_light(visit: Visit) -> None:
    def text() -> tuple[float, float]:
        """How light what is written on the page is, and in the chart."""
        return (
            luminance(visit.page.evaluate("getComputedStyle(document.querySelector('h1')).color")),
            luminance(visit.page.locator(".xtick text").first.evaluate("one => getComputedStyle(one).fill")),
        )

    def becomes(light: bool) -> bool:
        for _ in range(50):
            if all((one > 128) is light for one in text()):
                return True
            visit.page.wait_for_timeout(100)
        return False

    assert becomes(light=True)
    visit.page.emulate_media(media="print", color_scheme="dark")
    assert becomes(light=False)
    visit.page.emulate_media(media="screen", color_scheme="dark")
    assert becomes(light=True)
    visit.check()


@opened_as("light-390")
def test_a_change_of_the_systems_theme_recolours_the_chart(visit: Visit) -> None:
    bar = visit.page.locator(BARS).first
    before = bar.evaluate("bar => getComputedStyle(bar).fill")
    dark = visit.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    visit.page.emulate_media(color_scheme="light" if dark else "dark")
    visit.page.wait_for_function(
        "before => getComputedStyle(document.querySelector('" + BARS + "')).fill !== before", arg=before
    )
    visit.check()


@opened_as("light-390")
def test_a_period_is_chosen_by_form_and_back_works(visit: Visit) -> None:
    page = visit.page
    page.locator(".custom summary").click()
    page.get_by_label("From", exact=True).fill("2026-11-20")
    page.get_by_label("To", exact=True).fill("2026-11-22")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**/reports/?site=daily&from=2026-11-20&to=2026-11-22")
    page.wait_for_selector(BARS)
    assert page.locator(BARS).count() == 3
    page.go_back()
    page.wait_for_selector(BARS)
    assert page.locator(BARS).count() == 7
    visit.check()


def test_without_script_all_but_the_drawing_is_there(chromium: Browser, base_url: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{base_url}/reports/")
    assert page.locator(".tile").count() == 6
    assert not page.locator(".chart").is_visible()
    page.locator("figure summary").click()
    assert page.locator("figure details tbody tr").count() == 7
    page.get_by_role("link", name="Yesterday").click()
    assert "period=yesterday" in page.url
    context.close()


@opened_as("light-1280")
def test_a_key_chooses_a_period_and_back_undoes_it_but_not_while_typing(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("e")
    page.wait_for_url("**/reports/?site=daily&period=yesterday")
    page.wait_for_selector(BARS)
    assert page.locator(BARS).count() == 1
    page.go_back()
    page.wait_for_selector(BARS)
    assert "period=7d" in page.url
    page.locator(".custom summary").click()
    page.get_by_label("From", exact=True).press("d")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+d")
    assert "period=7d" in page.url
    visit.check()


@opened_as("dark-390")
def test_a_row_of_the_table_is_a_filter_that_back_undoes(visit: Visit) -> None:
    page = visit.page
    page.locator("#slots tbody th a", has_text="sidebar").click()
    page.wait_for_url("**&slot=sidebar")
    page.wait_for_selector(BARS)
    assert page.locator("#slots tbody tr").count() == 1
    assert visit.width() == visit.viewport
    page.get_by_role("link", name="Show all slots").click()
    page.wait_for_selector(BARS)
    assert page.locator("#slots tbody tr").count() == 3
    page.go_back()
    page.wait_for_url("**&slot=sidebar")
    visit.check()
