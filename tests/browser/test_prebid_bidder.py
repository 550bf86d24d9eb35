"""The real Prebid.js with this server as a bidder, by the adapter that it has for Prebid Servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from adserver.measurement.event import Kind
from adserver.settings import Settings
from tests.browser.article import Host
from tests.browser.conftest import Visit
from tests.browser.prebid import direct_ads, put_with_us_as_bidder
from tests.browser.servers import RealAds
from tests.newsroom import rows

pytestmark = pytest.mark.browser

LOG = "SELECT kind, revenue_micros, validity FROM event ORDER BY kind"
REPEATS = "SELECT repeat_count FROM event WHERE kind = 1"


def await_ad(visit: Visit, ads: RealAds) -> None:
    """Until our ad was drawn and seen, and all that tells of it is in the log."""
    visit.until(lambda: ads.logged(Kind.VIEWABLE) == 1, "our ad is seen")
    visit.until(
        lambda: bool(rows(ads.db, REPEATS)[0][0]), "the billing notice comes on top of the impression"
    )


def test_our_ad_wins_is_drawn_and_is_billed_once_though_its_notice_comes_again(
    visit: Visit, page_host: Host, tmp_path: Path
) -> None:
    with direct_ads(tmp_path / "ads.db", page_host) as ads:
        visit.open(put_with_us_as_bidder(page_host, ads, (4.49, 728, 90)))
        await_ad(visit, ads)
        (won,) = visit.page.evaluate("pbjs.getAllPrebidWinningBids().concat(pbjs.getAllWinningBids())")
        assert (won["bidder"], won["cpm"], won["currency"], won["size"]) == ("adserver", 4.5, "USD", "728x90")
        assert won["meta"]["advertiserDomains"] == ["127.0.0.1"]
        (notice,) = {r.url for r in visit.requests if "/openrtb2/billed/" in r.url}
        assert any("/openrtb2/win/" in r.url for r in visit.requests)
        for _ in range(2):
            visit.page.evaluate("(url) => fetch(url + '?price=999').then(() => 0)", notice)
        assert rows(ads.db, REPEATS)[0][0] >= 3
        assert rows(ads.db, LOG) == [(1, 4500, 0), (2, 0, 0), (3, 0, 0)]
        drawn = visit.page.frame_locator("#top").frame_locator("iframe")
        assert drawn.locator("a img").get_attribute("alt") == "Direct"
        assert drawn.get_by_text("Advertisement").is_visible()
        assert (visit.console_errors, visit.script_errors) == ([], [])
        visit.page.wait_for_timeout(Settings().min_click_delay_ms)
        with visit.page.expect_popup() as popup:
            drawn.locator("a img").click()
        popup.value.wait_for_url(f"{page_host[0]}/advertiser?from=top")
        visit.until(lambda: ads.logged(Kind.CLICK) == 1, "the click is in the log")


def test_a_dearer_bid_of_another_is_drawn_and_ours_is_not_billed(
    visit: Visit, page_host: Host, tmp_path: Path
) -> None:
    with direct_ads(tmp_path / "ads.db", page_host) as ads:
        visit.open(put_with_us_as_bidder(page_host, ads, (4.51, 728, 90)))
        drawn = visit.page.frame_locator("#top").frame_locator("iframe").locator("#rival")
        assert drawn.inner_text() == "top"
        visit.page.wait_for_timeout(500)
        assert rows(ads.db, LOG) == []
        outcomes = "SELECT outcome, sum(request_count) FROM request_rollup GROUP BY outcome"
        assert rows(ads.db, outcomes) == [("auction.bid", 1)]


def test_html_of_an_advertiser_is_shut_in_a_frame_of_its_own(
    visit: Visit, page_host: Host, tmp_path: Path
) -> None:
    html = """<p id="found">nothing</p><script>
      try { document.getElementById("found").textContent = parent.parent.document.title; } catch { }
      try { top.location = "/advertiser"; } catch { }</script>"""
    creative = {"kind": "html", "html": html, "image": None, "alt": None}
    with direct_ads(tmp_path / "ads.db", page_host, **creative) as ads:
        visit.open(put_with_us_as_bidder(page_host, ads, (4.49, 728, 90)))
        await_ad(visit, ads)
        drawn = visit.page.frame_locator("#top").frame_locator("iframe").frame_locator("iframe")
        assert drawn.locator("#found").inner_text() == "nothing"
        assert visit.page.url == f"{page_host[0]}/prebid"
