"""The real Prebid.js on an article: its bids compete with line items, and the winner is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.measurement.event import Kind
from tests.browser.article import Host, settle, the_fill_request
from tests.browser.conftest import Visit
from tests.browser.prebid import direct_ads, put_with_rival
from tests.browser.servers import RealAds
from tests.newsroom import rows

pytestmark = pytest.mark.browser

BODY = '<div data-ad-slot="top" data-sizes="728x90"></div><div data-ad-slot="side"></div>'


@pytest.fixture
def ads(tmp_path: Path, page_host: Host) -> Iterator[RealAds]:
    with direct_ads(tmp_path / "ads.db", page_host) as real:
        yield real


def test_of_two_header_bids_the_one_above_our_price_is_drawn_by_prebid_and_the_one_below_is_not(
    visit: Visit, page_host: Host, ads: RealAds
) -> None:
    visit.open(put_with_rival(page_host, ads, BODY, {"top": (4.51, 728, 90), "side": (4.49, 300, 250)}))
    asked = the_fill_request(visit)["bids"]
    assert [(one["slot"], one["cpm"], one["size"], one["currency"]) for one in asked] == [
        ("top", "4.510000", "728x90", "USD"),
        ("side", "4.490000", "300x250", "USD"),
    ]
    visit.until(lambda: len(visit.events("viewable")) == 1, "our own ad is seen")
    top = visit.page.locator("[data-ad-slot=top]")
    frame = top.frame_locator("iframe").locator("iframe")
    assert frame.content_frame.locator("#rival").inner_text() == "top"
    assert frame.bounding_box() == top.locator("iframe").bounding_box()
    assert top.inner_text().strip() == "Advertisement"
    side = visit.page.locator("[data-ad-slot=side]")
    assert (side.locator("img").get_attribute("alt"), side.locator("iframe").count()) == ("Direct", 0)
    assert visit.page.evaluate("pbjs.getAllPrebidWinningBids().length + pbjs.getAllWinningBids().length") == 1
    assert (visit.shift, visit.script_errors, visit.console_errors) == (0, [], []), visit.moves
    visit.until(lambda: ads.logged(Kind.IMPRESSION) == 1, "our impression is in the log")
    outcomes = "SELECT outcome, sum(request_count) FROM request_rollup GROUP BY outcome ORDER BY outcome"
    visit.until(lambda: rows(ads.db, outcomes) == [("filled", 1), ("header_bid", 1)], "both are counted")


def test_bids_that_come_too_late_are_not_waited_for(visit: Visit, page_host: Host, ads: RealAds) -> None:
    url = put_with_rival(page_host, ads, BODY, {"top": (9.00, 728, 90)}, tag='data-prebid-timeout-ms="1"')
    visit.page.route("**/prebid.js", lambda route: None)
    visit.page.goto(url, wait_until="domcontentloaded")
    assert "bids" not in the_fill_request(visit)
    visit.until(lambda: len(visit.events("impression")) == 2, "both slots have our ads")


def test_a_bid_in_another_currency_does_not_win_by_its_figure(
    visit: Visit, page_host: Host, ads: RealAds
) -> None:
    visit.open(put_with_rival(page_host, ads, BODY, {"top": (600.0, 728, 90)}, currency="NPR"))
    assert the_fill_request(visit)["bids"][0]["currency"] == "NPR"
    visit.until(lambda: len(visit.events("impression")) == 2, "both slots have our ads")
    settle(visit)
    assert visit.page.locator("[data-ad-slot=top] iframe").count() == 0
