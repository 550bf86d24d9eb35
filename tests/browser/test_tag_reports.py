"""What the tag reports: impressions once drawn, viewable by the rule of the MRC, each counted once."""

from __future__ import annotations

import pytest

from adserver.measurement.event import Kind
from tests.browser.article import (
    END,
    FAR_BELOW,
    FRAME,
    GLANCE,
    TOP,
    Host,
    await_impressions,
    put,
    settle,
)
from tests.browser.conftest import Visit
from tests.browser.servers import RealAds

pytestmark = pytest.mark.browser


def test_a_creative_in_view_for_a_second_is_viewable(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    visit.open(put(page_host, real_ads, f"{END}{FAR_BELOW}{FRAME}"))
    await_impressions(visit, 2)
    visit.until(lambda: len(visit.events("viewable")) == 1, "the one in view")
    settle(visit)
    assert len(visit.events("viewable")) == 1, "not the one far below"
    assert sorted(visit.events("measurable")) == sorted(visit.events("impression"))
    visit.until(lambda: real_ads.logged(Kind.VIEWABLE) == 1, "it is in the log")
    assert real_ads.logged(Kind.MEASURABLE) == real_ads.logged(Kind.IMPRESSION) == 2


def test_seconds_are_not_added_up(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, f"{FAR_BELOW}{END}{FAR_BELOW}"))
    await_impressions(visit, 1)
    for _ in range(4):
        visit.page.evaluate(GLANCE, [1, 300])
        visit.page.wait_for_timeout(100)
    settle(visit)
    assert visit.events("viewable") == []
    visit.page.evaluate("scrollTo(0, 2900)")
    visit.page.wait_for_timeout(1400)
    assert len(visit.events("viewable")) == 1


@pytest.mark.parametrize(
    ("slot", "share", "viewable"), [(END, 45, 0), (END, 55, 1), (TOP, 25, 0), (TOP, 35, 1)]
)
def test_how_much_must_be_in_view(
    visit: Visit, page_host: Host, real_ads: RealAds, slot: str, share: int, viewable: int
) -> None:
    """Half of the pixels, 30 % of a large unit such as 970x250 (MRC)."""
    visit.open(put(page_host, real_ads, f"{FAR_BELOW}{slot}{FAR_BELOW}"))
    await_impressions(visit, 1)
    visit.page.evaluate(
        """(share) => {
          const box = document.querySelector("[data-ad-slot] img").getBoundingClientRect();
          scrollTo(0, scrollY + box.top + box.height * share / 100 - innerHeight);
        }""",
        share,
    )
    visit.page.wait_for_timeout(1400)
    assert len(visit.events("viewable")) == viewable


def test_a_window_without_focus_sees_nothing(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, END))
    await_impressions(visit, 1)
    # Headless Chromium always has focus; a page cannot take it away except like this.
    visit.page.evaluate("document.hasFocus = () => false; dispatchEvent(new Event('blur'))")
    visit.page.wait_for_timeout(1400)
    assert visit.events("viewable") == []
    visit.page.evaluate("document.hasFocus = () => true; dispatchEvent(new Event('focus'))")
    visit.until(lambda: len(visit.events("viewable")) == 1, "a second after it came back")


def test_many_events_travel_in_few_requests(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, f"{TOP}{END}{FRAME}{END}"))
    await_impressions(visit, 4)
    assert len(visit.sent_to("/v1/events")) <= 2
    visit.until(lambda: real_ads.logged(Kind.IMPRESSION) == 4, "all are in the log")


def test_the_same_beacon_fifty_times_counts_once(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, TOP))
    (token,) = await_impressions(visit, 1)
    body = f'{{"events": [{{"fill": "{token}", "type": "impression"}}]}}'
    statuses = visit.page.evaluate(
        """([url, body]) => Promise.all(Array.from({ length: 50 }, () =>
          fetch(url, { method: "POST", body }).then((response) => response.status)))""",
        [f"{real_ads.url}/v1/events", body],
    )
    assert statuses == [204] * 50
    assert real_ads.logged(Kind.IMPRESSION) == 1
