"""The label of every ad, and behind it who is behind the ad, by key as by mouse; the page does not move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.app import App
from adserver.settings import Settings
from tests.browser.article import Host, await_impressions, put
from tests.browser.conftest import Visit
from tests.browser.servers import RealAds, apply_catalog, serve
from tests.newsroom import catalog_of, image

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="document.title=1">'
BODY = '<div data-ad-slot="top" data-sizes="728x90"></div><p>Text</p><div data-ad-slot="side"></div>'


@pytest.fixture
def ads(tmp_path: Path, page_host: Host) -> Iterator[RealAds]:
    """The real server: a political advertisement in one slot, and a plain one in the other."""
    notice = f"{page_host[0]}/advertiser?notice&x=1"
    said = {"sponsor": HOSTILE, "political": True, "notice": notice}
    items: list[dict[str, object]] = [
        {
            "name": slot,
            "tier": "house",
            "target": {"slot": [slot]},
            "creative": [image(slot, size, image=f"{page_host[0]}/image/{size}.svg")],
            "disclosure": disclosure,
        }
        for slot, size, disclosure in (("top", "728x90", said), ("side", "300x250", None))
    ]
    settings = Settings(db=tmp_path / "ads.db")
    apply_catalog(settings.db, catalog_of(*items))
    with serve(App(settings)) as base:
        yield RealAds(base, settings.db)


def test_who_is_behind_an_ad_is_told_behind_its_label(visit: Visit, page_host: Host, ads: RealAds) -> None:
    visit.open(put(page_host, ads, BODY))
    await_impressions(visit, 2)
    top = visit.page.locator("[data-ad-slot=top]")
    label = top.get_by_text("Political advertisement")
    told = top.get_by_text("On behalf of")
    assert label.is_visible() and not told.is_visible()
    height, shift = top.evaluate("(slot) => slot.offsetHeight"), visit.shift
    label.focus()
    visit.page.keyboard.press("Enter")
    assert told.is_visible()
    assert told.inner_text() == f"On behalf of: {HOSTILE}"
    assert top.locator("img").count() == 1
    assert visit.page.title() == "Article"
    link = top.locator("details a")
    assert link.get_attribute("href") == f"{page_host[0]}/advertiser?notice&x=1"
    assert link.get_attribute("rel") == "noopener sponsored nofollow"
    box, image_box = told.bounding_box(), top.locator("img").bounding_box()
    assert box and image_box and box["y"] < image_box["y"] + image_box["height"], "it lies over the ad"
    assert top.evaluate("(slot) => slot.offsetHeight") == height
    visit.page.keyboard.press("Enter")
    assert not told.is_visible()
    assert (visit.shift, visit.script_errors, visit.console_errors) == (shift, [], []), visit.moves


def test_an_ad_of_which_nothing_is_told_has_a_label_only(visit: Visit, page_host: Host, ads: RealAds) -> None:
    visit.open(put(page_host, ads, BODY))
    await_impressions(visit, 2)
    side = visit.page.locator("[data-ad-slot=side]")
    assert side.inner_text().strip() == "Advertisement"
    assert side.locator("details").count() == 0
