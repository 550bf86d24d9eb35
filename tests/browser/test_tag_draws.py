"""What the tag draws, in light and dark, and where a click on it leads."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from adserver.measurement.event import Kind
from adserver.settings import Settings
from tests.browser.article import (
    END,
    FRAME,
    TOP,
    Host,
    await_impressions,
    put,
    settle,
    the_fill_request,
)
from tests.browser.conftest import Visit
from tests.browser.servers import RealAds

pytestmark = pytest.mark.browser


def test_an_image_creative_is_drawn_from_its_facts(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, TOP))
    await_impressions(visit, 1)
    link = visit.page.locator("[data-ad-slot=top] a")
    assert link.get_attribute("target") == "_blank"
    assert link.get_attribute("rel") == "noopener sponsored nofollow"
    assert (link.get_attribute("href") or "").startswith(f"{real_ads.url}/v1/click/")
    image = link.locator("img")
    assert image.get_attribute("alt") == "The day's news & more"
    assert image.evaluate("(img) => [img.width, img.height, img.naturalWidth]") == [970, 250, 970]
    box = image.bounding_box()
    assert box
    assert abs(box["x"] + box["width"] / 2 - 640) <= 1, "centred"
    assert visit.page.locator("[data-ad-slot=top]").inner_text().strip() == "Advertisement"


def test_a_label_is_text_whatever_it_says(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, END))
    await_impressions(visit, 1)
    assert visit.page.locator("[data-ad-slot=end]").inner_text().strip() == (
        '<img src=x onerror="document.title=1">'
    )
    assert visit.page.locator("[data-ad-slot=end] img").count() == 1
    assert visit.page.title() == "Article"


def test_the_same_slot_twice_gets_two_fills(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, END + END))
    tokens = await_impressions(visit, 2)
    assert len(set(tokens)) == 2
    alts = visit.page.locator("[data-ad-slot=end] img").evaluate_all("imgs => imgs.map((img) => img.alt)")
    assert sorted(alts) == ["First", "Second"]


def await_reader(visit: Visit, ads: RealAds) -> None:
    """Until the impression is in the log, and as long as a reader takes to aim."""
    visit.until(lambda: ads.logged(Kind.IMPRESSION) == 1, "the impression is in the log")
    visit.page.wait_for_timeout(Settings().min_click_delay_ms)


def test_an_html_creative_is_shut_in_its_frame_and_its_click_arrives(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    visit.open(put(page_host, real_ads, FRAME))
    await_reader(visit, real_ads)
    frame = visit.page.locator("iframe")
    assert frame.get_attribute("sandbox") == "allow-scripts allow-popups allow-popups-to-escape-sandbox"
    inside = visit.page.frame_locator("iframe")
    assert inside.locator("#found").inner_text() == "nothing"
    href, encoded = (inside.locator("#ad").get_attribute(name) or "" for name in ("href", "data-to"))
    assert href.startswith(f"{real_ads.url}/v1/click/") and encoded == quote(href, safe="")
    assert visit.page.url == f"{page_host[0]}/article"
    with visit.page.expect_popup() as popup:
        inside.locator("#ad").click()
    popup.value.wait_for_url(f"{page_host[0]}/advertiser?from=frame")
    visit.until(lambda: real_ads.logged(Kind.CLICK) == 1, "the click is in the log")


def test_a_click_lands_on_the_advertisers_page_and_is_logged(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    visit.open(put(page_host, real_ads, TOP))
    await_reader(visit, real_ads)
    with visit.page.expect_popup() as popup:
        visit.page.locator("[data-ad-slot=top] img").click()
    popup.value.wait_for_url(f"{page_host[0]}/advertiser?from=top")
    visit.until(lambda: real_ads.logged(Kind.CLICK) == 1, "the click is in the log")


@pytest.mark.parametrize("by", ["the page's switch", "the reader's system"])
def test_the_dark_variant_takes_the_lights_place(
    visit: Visit, page_host: Host, real_ads: RealAds, by: str
) -> None:
    tag = 'data-theme-attribute="data-theme"' if by == "the page's switch" else ""
    visit.open(put(page_host, real_ads, TOP + END, tag=tag))
    await_impressions(visit, 2)
    image = visit.page.locator("[data-ad-slot=top] img")
    other = visit.page.locator("[data-ad-slot=end] img").get_attribute("src")

    def turn(theme: str) -> None:
        if by == "the page's switch":
            visit.page.evaluate(
                "(theme) => document.documentElement.setAttribute('data-theme', theme)", theme
            )
        else:
            visit.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        expected = f"{page_host[0]}/image/970x250/{theme}.svg"
        visit.until(lambda: image.get_attribute("src") == expected, f"the {theme} image")

    for theme in ("dark", "light", "dark"):
        turn(theme)
    settle(visit)
    assert visit.page.locator("[data-ad-slot=end] img").get_attribute("src") == other, (
        "it has one variant only"
    )
    assert len(visit.sent_to("/v1/fill")) == 1
    assert len(visit.events("impression")) == 2
    assert visit.shift == 0, visit.moves


def test_the_pages_own_choice_goes_before_the_systems(
    visit_of: Callable[..., Visit], page_host: Host, real_ads: RealAds
) -> None:
    visit = visit_of(color_scheme="dark")
    visit.open(put(page_host, real_ads, TOP, tag='data-theme-attribute="data-theme"'))
    assert the_fill_request(visit)["theme"] == "light"


def test_a_page_with_a_strict_content_security_policy(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    policy = (
        f"default-src 'none'; script-src {real_ads.url}; connect-src {real_ads.url}; img-src {page_host[0]}; "
        "style-src 'self'; base-uri 'none'"
    )
    headers = {"Content-Security-Policy": policy}
    visit.open(put(page_host, real_ads, f"{TOP}<p>Text</p>{END}", headers=headers))
    await_impressions(visit, 2)
    assert visit.console_errors == []
    assert visit.page.locator("[data-ad-slot=top]").evaluate("(slot) => slot.offsetHeight") == 270
