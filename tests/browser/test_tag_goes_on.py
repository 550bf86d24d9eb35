"""A page that goes on in one document: navigation, endless scrolling, lazy slots, refreshed ones."""

from __future__ import annotations

import pytest

from adserver.measurement.event import Kind
from tests.browser.article import END, FAR_BELOW, TOP, Host, await_impressions, put, settle
from tests.browser.conftest import Visit
from tests.browser.servers import RealAds

pytestmark = pytest.mark.browser

AGAIN = '<div data-ad-slot="again"></div>'


def asked_for(visit: Visit) -> list[list[str]]:
    """The slots of each fill request."""
    return [[ask["slot"] for ask in body["slots"]] for body in visit.sent_to("/v1/fill")]


def assert_calm(visit: Visit) -> None:
    assert visit.shift == 0, visit.moves
    assert visit.console_errors == []
    assert visit.script_errors == []


def test_single_page_navigation_finds_new_slots_and_lets_go_of_old_ones(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    visit.open(put(page_host, real_ads, f'<header>{TOP}</header><main id="view">{END}</main>'))
    await_impressions(visit, 2)
    visit.page.evaluate(
        """([side, frame]) => {
          history.pushState({}, "", "/second");
          document.getElementById("view").innerHTML = side + frame;
        }""",
        ['<div data-ad-slot="side"></div>', AGAIN],
    )
    await_impressions(visit, 4)
    assert asked_for(visit) == [["top", "end"], ["side", "again"]]
    assert visit.sent_to("/v1/fill")[1]["page"]["url"] == f"{page_host[0]}/second"
    visit.page.wait_for_timeout(1300)
    viewable = visit.events("viewable")
    assert visit.events("impression")[1] not in viewable, "it was gone before its second was over"
    assert len(viewable) == 2, "the header's, which stayed, and the new one in view"
    assert_calm(visit)


def test_a_slot_that_gets_another_name_is_another_slot(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    visit.open(put(page_host, real_ads, END))
    await_impressions(visit, 1)
    visit.page.evaluate("document.querySelector('[data-ad-slot]').dataset.adSlot = 'again'")
    await_impressions(visit, 2)
    assert asked_for(visit) == [["end"], ["again"]]
    assert visit.page.locator("[data-ad-slot] img").evaluate_all("all => all.map(({ alt }) => alt)") == [
        "Again 1"
    ]
    assert_calm(visit)


def test_endless_scrolling_brings_slots_whose_space_is_there_before_they_are_filled(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    more = """<script>
      new IntersectionObserver(([entry]) => {
        if (!entry.isIntersecting || document.querySelectorAll("article").length > 3) return;
        const article = document.createElement("article");
        article.innerHTML = '<div style="height: 900px">Text</div><div data-ad-slot="end"></div>';
        document.getElementById("more").before(article);
      }, { rootMargin: "300px" }).observe(document.getElementById("more"));
    </script>"""
    body = f'<article>{FAR_BELOW}{END}</article><div id="more"></div>{more}'
    visit.open(put(page_host, real_ads, body))
    await_impressions(visit, 1)
    for _ in range(4):
        visit.page.mouse.wheel(0, 1500)
        visit.page.wait_for_timeout(300)
    await_impressions(visit, 4)
    assert asked_for(visit) == [["end"]] * 4
    heights = visit.page.locator("[data-ad-slot]").evaluate_all("all => all.map((one) => one.offsetHeight)")
    assert heights == [270] * 4
    assert_calm(visit)


def test_lazy_slots_are_asked_for_near_the_viewport(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    far = '<div data-ad-slot="end" data-lazy></div><div data-ad-slot="again" data-lazy></div>'
    visit.open(put(page_host, real_ads, f"{TOP}{FAR_BELOW}{far}"))
    await_impressions(visit, 1)
    settle(visit)
    assert asked_for(visit) == [["top"]]
    assert visit.page.locator("[data-ad-slot=end]").evaluate("(slot) => slot.offsetHeight") == 270
    visit.page.evaluate("scrollTo(0, 1600)")  # the viewport ends at 2400, and a height further is 3200
    settle(visit)
    assert asked_for(visit) == [["top"]]
    visit.page.evaluate("scrollTo(0, 2200)")
    await_impressions(visit, 3)
    assert [sorted(slots) for slots in asked_for(visit)] == [["top"], ["again", "end"]], "in one request"
    assert_calm(visit)


def test_all_slots_can_be_lazy_by_as_many_pixels(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, f"{TOP}{FAR_BELOW}{END}", tag='data-lazy="100"'))
    await_impressions(visit, 1)
    visit.page.evaluate("scrollTo(0, 2200)")  # the slot is 270 px below the viewport's end
    settle(visit)
    assert asked_for(visit) == [["top"]]
    visit.page.evaluate("scrollTo(0, 2450)")
    await_impressions(visit, 2)
    assert_calm(visit)


def seen_for(visit: Visit, seconds: int) -> None:
    """Moves the page's clock on, second by second, so that what is due in between happens in between."""
    for _ in range(seconds):
        visit.page.clock.run_for(1000)
        visit.page.wait_for_timeout(5)


def test_a_slot_is_refreshed_after_as_long_in_view_as_the_server_says(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    visit.page.clock.install()
    visit.open(put(page_host, real_ads, f"{AGAIN}{END}{FAR_BELOW}"))
    seen_for(visit, 20)
    assert [fill.get("refresh_seconds") for fill in visit.fills()] == [30, None]
    visit.page.evaluate("scrollTo(0, 2000)")
    seen_for(visit, 60)
    assert asked_for(visit) == [["again", "end"]], "what nobody sees is not refreshed"
    visit.page.evaluate("scrollTo(0, 0)")
    seen_for(visit, 8)
    assert asked_for(visit) == [["again", "end"]]
    seen_for(visit, 4)
    visit.until(lambda: asked_for(visit) == [["again", "end"], ["again"]], "it is asked for again")
    image = visit.page.locator("[data-ad-slot=again] img")
    visit.until(lambda: image.get_attribute("alt") == "Again 2", "another creative")
    assert image.count() == 1
    assert visit.page.locator("[data-ad-slot=again]").evaluate("(slot) => slot.offsetHeight") == 270
    seen_for(visit, 40)
    visit.until(lambda: len(asked_for(visit)) == 3, "and again")
    visit.until(lambda: real_ads.logged(Kind.IMPRESSION) == 4, "each drawing is an impression")
    assert_calm(visit)


def test_a_window_without_focus_is_not_refreshed(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.page.clock.install()
    visit.open(put(page_host, real_ads, AGAIN))
    seen_for(visit, 5)
    visit.page.evaluate("document.hasFocus = () => false; dispatchEvent(new Event('blur'))")
    seen_for(visit, 60)
    assert asked_for(visit) == [["again"]]
