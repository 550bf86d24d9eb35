"""A reader scrolls and changes tabs → what the server's log holds of it, by the rule of the MRC."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from adserver.measurement.event import Kind
from tests.browser.article import END, FAR_BELOW, GLANCE, TOP, Host, put
from tests.browser.conftest import Visit
from tests.browser.servers import RealAds
from tests.browser.tabs import window_of

pytestmark = pytest.mark.browser

#: Longer than a second and the time that an event waits for others.
_SETTLE_MS = 1_400


def logged(ads: RealAds) -> tuple[int, int, int]:
    """Impressions, measurable and viewable ones that count."""
    return (ads.logged(Kind.IMPRESSION), ads.logged(Kind.MEASURABLE), ads.logged(Kind.VIEWABLE))


def until(holds: Callable[[], bool], wait: Callable[[int], None]) -> None:
    """Let the browser go on until something holds, five seconds at most."""
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        wait(20)


@pytest.mark.parametrize(
    ("slot", "share", "held_ms", "viewable"),
    [
        pytest.param(END, 1, 500, 0, id="scrolled past in half a second"),
        pytest.param(END, 1, 1_200, 1, id="held for 1.2 seconds"),
        pytest.param(TOP, 0.35, 1_200, 1, id="35 % of a 970x250, which is large"),
        pytest.param(TOP, 0.25, 1_200, 0, id="25 % of it"),
        pytest.param(END, 0.45, 1_200, 0, id="45 % of a 300x250"),
    ],
)
def test_what_a_reader_scrolls_to(
    visit: Visit, page_host: Host, real_ads: RealAds, slot: str, share: float, held_ms: int, viewable: int
) -> None:
    visit.open(put(page_host, real_ads, f"{FAR_BELOW}{slot}{FAR_BELOW}"))
    visit.until(lambda: logged(real_ads) == (1, 1, 0), "it is drawn, below the fold")
    visit.page.evaluate(GLANCE, [share, held_ms])
    visit.page.wait_for_timeout(_SETTLE_MS)
    assert logged(real_ads) == (1, 1, viewable)


def test_what_nobody_scrolls_to_is_measurable_and_not_viewable(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    visit.open(put(page_host, real_ads, f"{TOP}{FAR_BELOW}{END}"))
    visit.until(lambda: logged(real_ads) == (2, 2, 1), "the upper one was seen for a second")
    visit.page.wait_for_timeout(_SETTLE_MS)
    assert logged(real_ads) == (2, 2, 1)


def test_a_hidden_tab_sees_nothing(browser: Browser, page_host: Host, real_ads: RealAds) -> None:
    article = put(page_host, real_ads, f"{FAR_BELOW}{END}{FAR_BELOW}")
    with window_of(browser) as tabs:
        tab = tabs.open(article)
        until(lambda: logged(real_ads) == (1, 1, 0), tabs.wait)
        other = tabs.open()
        tabs.show(tab)
        scroll = "document.querySelector('[data-ad-slot]').scrollIntoView({block: 'center'})"
        tabs.evaluate(tab, f"{scroll}; new Promise((done) => setTimeout(done, 200))")
        tabs.show(other)
        until(lambda: tabs.evaluate(tab, "document.visibilityState") == "hidden", tabs.wait)
        tabs.wait(_SETTLE_MS)
        assert logged(real_ads) == (1, 1, 0), "it was in view for a moment only, and then its tab was hidden"
        tabs.show(tab)
        until(lambda: logged(real_ads) == (1, 1, 1), tabs.wait)
