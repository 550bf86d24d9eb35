"""An article of the demo newsroom with the real server → what its readers see and what the log holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adserver.app import App
from adserver.clock import system_clock
from adserver.demo.catalog import demo_catalog
from adserver.demo.routes import routes
from adserver.measurement.event import Kind
from adserver.settings import Settings
from tests.browser.article import await_impressions
from tests.browser.conftest import Visit
from tests.browser.front import first_article
from tests.browser.servers import InPieces, RealAds, apply_catalog, serve

pytestmark = pytest.mark.browser

SLOTS = ("header", "in-article", "article-end-1", "article-end-2", "comments", "sidebar")
Visits = Callable[..., Visit]


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[RealAds]:
    """The demo as `make demo` serves it, without its past."""
    settings = Settings(db=tmp_path / "demo.db", country_header="X-Country")
    apply_catalog(settings.db, demo_catalog(system_clock()))
    with serve(App(settings, pages=routes)) as url:
        yield RealAds(url, settings.db)


def read_article(visit: Visit, newsroom: RealAds) -> None:
    """Opens the first article on the front page and scrolls slowly through it."""
    page = visit.page
    visit.open(newsroom.url + first_article(newsroom.url))
    visit.until(lambda: len(visit.events("impression")) == len(SLOTS), "a creative is drawn in every slot")
    height = page.evaluate("document.documentElement.scrollHeight")
    for y in range(0, height, 400):
        page.evaluate("(y) => scrollTo(0, y)", y)
        page.wait_for_timeout(30)
    page.wait_for_timeout(300)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_slot_holds_a_visible_creative(
    visit_of: Visits, newsroom: RealAds, width: int, theme: str
) -> None:
    visit = visit_of(width=width, color_scheme=theme)
    read_article(visit, newsroom)
    page = visit.page
    for slot in SLOTS:
        drawing = page.locator(f"[data-ad-slot={slot}]").locator("img, iframe")
        drawing.scroll_into_view_if_needed()
        assert drawing.is_visible(), slot
        box = drawing.bounding_box()
        assert box, slot
        assert box["x"] >= 0, slot
        assert box["x"] + box["width"] <= width, slot
        assert drawing.evaluate("(drawn) => drawn.tagName === 'IFRAME' || drawn.naturalWidth > 0"), slot
    assert page.locator("[data-ad-slot]").count() == len(SLOTS)
    assert visit.shift == 0, visit.moves
    assert visit.console_errors == []
    assert visit.script_errors == []
    assert len(visit.sent_to("/v1/fill")) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "no horizontal scroll"
    visit.until(lambda: newsroom.logged(Kind.IMPRESSION) == len(SLOTS), "six impressions in the log")
    page.wait_for_timeout(300)
    assert newsroom.logged(Kind.IMPRESSION) == len(SLOTS)


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_while_a_page_arrives_and_is_filled(
    visit_of: Visits, tmp_path: Path, width: int
) -> None:
    settings = Settings(db=tmp_path / "demo.db", country_header="X-Country")
    apply_catalog(settings.db, demo_catalog(system_clock()))
    with serve(InPieces(App(settings, pages=routes))) as url:
        for path, slot_count in (("/demo/", 2), (first_article(url), len(SLOTS))):
            visit = visit_of(width=width).open(url + path)
            assert visit.page.locator(".colophon").is_visible()
            await_impressions(visit, slot_count)
            assert visit.shift == 0, visit.moves


def test_the_dark_switch_changes_creatives_without_a_request(visit: Visit, newsroom: RealAds) -> None:
    read_article(visit, newsroom)
    page = visit.page
    images = page.locator("[data-ad-slot] img")
    before = images.evaluate_all("images => images.map((image) => image.src)")
    page.locator("[data-theme-switch]").click()
    visit.until(
        lambda: images.evaluate_all("images => images.map((image) => image.src)") != before, "dark variants"
    )
    page.wait_for_timeout(300)
    broken = images.evaluate_all("images => images.filter((image) => !image.naturalWidth).length")
    assert broken == 0
    assert len(visit.sent_to("/v1/fill")) == 1
    assert newsroom.logged(Kind.IMPRESSION) == len(SLOTS)
    assert visit.shift == 0, visit.moves
    assert visit.console_errors == []


def test_a_click_lands_on_the_advertiser_and_is_in_the_report(visit: Visit, newsroom: RealAds) -> None:
    read_article(visit, newsroom)
    with visit.page.expect_popup() as popup:
        visit.page.locator("[data-ad-slot] a img").first.click()
    popup.value.wait_for_url("**/demo/advertiser/*")
    visit.until(lambda: newsroom.logged(Kind.CLICK) == 1, "the click is in the log")
    report = visit.page.request.get(f"{newsroom.url}/reports/slots.json").json()
    assert sum(row["impression_count"] for row in report["rows"]) == len(SLOTS)
    assert [row["ctr"] for row in report["rows"] if row["click_count"]] == [1.0]
