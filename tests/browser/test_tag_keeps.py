"""What the tag keeps in the browser for the next page, and when it keeps nothing; it needs no storage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from starlette.responses import JSONResponse, Response

from tests.browser.conftest import Visit
from tests.browser.servers import CORS, Json, PageHost, ScriptedAds, image_fill

pytestmark = pytest.mark.browser

Host = tuple[str, PageHost]
Ads = tuple[str, ScriptedAds]

#: With `crossorigin` the browser tells the page of errors in the tag, which it otherwise hides from it.
ARTICLE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Article</title>
<script async crossorigin src="{ads}/tag.js" data-site="{site}"></script></head>
<body><div data-ad-slot="top" data-sizes="300x250"></div></body></html>"""

WITH_CONTROL = "Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })"
BLOCKED = """Object.defineProperty(window, 'localStorage',
    { get() { throw new DOMException('blocked', 'SecurityError'); } })"""
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }"
MISSING = "Object.defineProperty(window, 'localStorage', { value: null })"


def put(host: Host, ads_url: str, site: str = "daily") -> str:
    """Puts a page with one slot on the host → its URL."""
    url, pages = host
    pages.pages[f"/{site}"] = (ARTICLE.format(ads=ads_url, site=site), {})
    return f"{url}/{site}"


def giving(tallies: list[object]) -> Callable[[Json], Awaitable[Response]]:
    """Fills all slots and gives one tally after the other; once they are used up, none."""

    async def respond(body: Json) -> Response:
        fills = [image_fill(asked["slot"], asked["sizes"][0], "fill") for asked in body["slots"]]
        given = {"tally": tallies.pop(0)} if tallies else {}
        return JSONResponse({"request": "r", "catalog": 1, "fills": fills, **given}, headers=CORS)

    return respond


def read_article(visit: Visit, url: str) -> None:
    """Opens a page, and waits until its ad is drawn."""
    visit.open(url)
    visit.until(lambda: visit.page.locator("[data-ad-slot] img").count() == 1, "the ad is drawn")
    assert visit.script_errors == []


def kept(visit: Visit) -> dict[str, str]:
    """All that is in the storage of the page's origin."""
    entries: dict[str, str] = visit.page.evaluate("({ ...localStorage })")
    assert visit.page.evaluate("sessionStorage.length") == 0
    assert visit.page.context.cookies() == []
    return entries


def test_the_next_page_brings_what_this_one_was_given(
    visit: Visit, page_host: Host, scripted_ads: Ads
) -> None:
    ads_url, ads = scripted_ads
    ads.on_fill = giving(["first", "second"])
    url = put(page_host, ads_url)
    read_article(visit, url)
    assert kept(visit) == {f"adserver:tally:{ads_url}:daily": "first"}
    read_article(visit, url)
    assert kept(visit) == {f"adserver:tally:{ads_url}:daily": "second"}
    read_article(visit, url)
    assert [request["tally"] for request in ads.fill_requests] == ["", "first", "second"]
    assert kept(visit) == {f"adserver:tally:{ads_url}:daily": "second"}, (
        "an answer without one changes nothing"
    )


def test_each_site_has_its_own(visit: Visit, page_host: Host, scripted_ads: Ads) -> None:
    ads_url, ads = scripted_ads
    ads.on_fill = giving(["of daily", "of weekly"])
    for site in ("daily", "weekly", "daily"):
        read_article(visit, put(page_host, ads_url, site))
    assert [request["tally"] for request in ads.fill_requests] == ["", "", "of daily"]


def test_an_empty_one_removes_it(visit: Visit, page_host: Host, scripted_ads: Ads) -> None:
    ads_url, ads = scripted_ads
    ads.on_fill = giving(["first", ""])
    for _ in range(3):
        read_article(visit, put(page_host, ads_url))
    assert [request["tally"] for request in ads.fill_requests] == ["", "first", ""]
    assert kept(visit) == {}


@pytest.mark.parametrize("given", [7, None, {"a": 1}, ["x"], True])
def test_what_is_no_text_is_not_kept(visit: Visit, page_host: Host, scripted_ads: Ads, given: object) -> None:
    ads_url, ads = scripted_ads
    ads.on_fill = giving([given])
    read_article(visit, put(page_host, ads_url))
    assert kept(visit) == {}


def test_global_privacy_control_sends_none_and_removes_it(
    visit: Visit, page_host: Host, scripted_ads: Ads
) -> None:
    ads_url, ads = scripted_ads
    ads.on_fill = giving(["first", "second"])
    url = put(page_host, ads_url)
    read_article(visit, url)
    visit.page.add_init_script(WITH_CONTROL)
    read_article(visit, url)
    assert kept(visit) == {}
    assert "tally" not in ads.fill_requests[1]
    assert ads.fill_requests[1]["consent"] == {"gpc": True}


@pytest.mark.parametrize("control", ["", WITH_CONTROL])
@pytest.mark.parametrize(("storage", "sent"), [(BLOCKED, None), (MISSING, None), (FULL, "")])
def test_no_storage_is_needed(
    visit: Visit, page_host: Host, scripted_ads: Ads, storage: str, sent: str | None, control: str
) -> None:
    ads_url, ads = scripted_ads
    ads.on_fill = giving(["first", ""])
    visit.page.add_init_script(storage + ";" + control)
    for _ in range(2):
        read_article(visit, put(page_host, ads_url))
    assert [request.get("tally") for request in ads.fill_requests] == [None if control else sent] * 2
    assert visit.console_errors == []
