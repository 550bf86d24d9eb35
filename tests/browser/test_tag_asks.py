"""What the tag asks for, and the space that it reserves before it is answered."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route

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


def test_the_request_is_the_one_of_the_contract(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    tag = (
        'data-section="world" data-topics="economy, budget" data-author="x" data-theme-attribute="data-theme"'
    )
    url = put(page_host, real_ads, TOP + END, tag=tag)
    visit.open(url + "?page=2#comments")
    assert the_fill_request(visit) == {
        "site": "daily",
        "page": {
            "url": url + "?page=2",
            "section": "world",
            "topics": ["economy", "budget"],
            "values": {"author": "x"},
        },
        "slots": [{"slot": "top", "sizes": ["970x250"]}, {"slot": "end", "sizes": ["300x250"]}],
        "tally": "",
        "theme": "light",
    }
    await_impressions(visit, 2)
    to_server = [r for r in visit.requests if r.url.startswith(real_ads.url) and r.method != "GET"]
    assert {r.method for r in to_server} == {"POST"}, "no preflight"
    assert {r.headers["content-type"] for r in to_server} == {"text/plain;charset=UTF-8"}
    assert not any("cookie" in r.all_headers() for r in to_server)


def test_one_text_is_stored_and_no_cookie(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, TOP))
    await_impressions(visit, 1)
    assert visit.page.context.cookies() == []
    (key,) = visit.page.evaluate("Object.keys(localStorage)")
    assert key.startswith("adserver:tally:")
    assert visit.page.evaluate("sessionStorage.length") == 0


def test_a_reader_who_sends_global_privacy_control(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })")
    visit.open(put(page_host, real_ads, TOP))
    assert the_fill_request(visit)["consent"] == {"gpc": True}


def test_only_sizes_with_room_are_asked_for(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    body = f"""<div style="width: 800px"><div data-ad-slot="top"></div></div>
    <div style="width: 299px">{END}</div>
    <div style="width: 320px"><div style="padding: 0 11px" data-ad-slot="end"></div></div>
    <div style="width: 300px">{FRAME}</div><div data-ad-slot="nowhere"></div><div hidden>{TOP}</div>"""
    visit.open(put(page_host, real_ads, body))
    assert the_fill_request(visit)["slots"] == [
        {"slot": "top", "sizes": ["728x90"]},
        {"slot": "frame", "sizes": ["300x250"]},
    ]


def test_a_page_without_a_slot_asks_nothing(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, "<p>Text</p>"))
    settle(visit)
    assert visit.sent_to("/v1/fill") == []


def test_a_second_copy_of_the_tag_does_nothing(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    second = f'<script async src="{real_ads.url}/tag.js" data-site="daily"></script>'
    visit.open(put(page_host, real_ads, TOP + second))
    await_impressions(visit, 1)
    settle(visit)
    assert len(visit.sent_to("/v1/fill")) == 1
    assert visit.page.locator("img").count() == 1


def test_the_tag_leaves_one_name_behind(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    before = "<script>window.__before = Object.getOwnPropertyNames(window)</script>"
    visit.open(put(page_host, real_ads, TOP, head=before))
    await_impressions(visit, 1)
    names = visit.page.evaluate(
        "Object.getOwnPropertyNames(window).filter((name) => !window.__before.includes(name))"
    )
    assert set(names) - {"__before"} == {"adserver"}


def test_space_is_reserved_before_any_answer(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    css = """<style>#big { min-height: 400px }
    #box { box-sizing: border-box; padding: 10px; border: 5px solid }</style>"""
    body = """<div id="bare" data-ad-slot="top"></div><div id="big" data-ad-slot="end"></div>
    <div id="box" data-ad-slot="end"></div><div id="none" data-ad-slot="nowhere"></div>
    <div style="width: 800px"><div id="narrow" data-ad-slot="top"></div></div>"""
    held: list[Route] = []
    visit.page.route("**/v1/fill", lambda route: held.append(route))
    visit.open(put(page_host, real_ads, body, head=css))
    the_fill_request(visit)
    heights = {
        name: visit.page.locator(f"#{name}").evaluate("(slot) => slot.offsetHeight")
        for name in ("bare", "big", "box", "none", "narrow")
    }
    assert heights == {"bare": 270, "big": 400, "box": 300, "none": 0, "narrow": 110}
    held[0].abort()


def test_widths_are_taken_once_the_styles_are_there(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    """Parsed long before its stylesheet comes, a sidebar is as wide as the page."""
    slot = '<div data-ad-slot="end" data-sizes="970x250,300x250"></div>'
    body = f'<div class="narrow">{slot}</div><p>Text</p>'
    visit.open(put(page_host, real_ads, body, head='<link rel="stylesheet" href="/slow.css">'))
    assert the_fill_request(visit)["slots"] == [{"slot": "end", "sizes": ["300x250"]}]
    await_impressions(visit, 1)
    assert visit.shift == 0, visit.moves


def test_a_creative_never_moves_the_page(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    hostile_css = """<style>[data-ad-slot] { min-height: 270px } div { margin: 7px; line-height: 3 }
    img, iframe { width: 100%; border: 9px solid; padding: 5px }
    a { display: inline; padding: 1em }</style>"""
    visit.open(
        put(page_host, real_ads, f"{TOP}<p>Text</p>{END}<p>Text</p>{FRAME}<p>Text</p>", head=hostile_css)
    )
    await_impressions(visit, 3)
    assert visit.shift == 0, visit.moves
    boxes = {
        selector: visit.page.locator(selector).bounding_box()
        for selector in ("[data-ad-slot=top] img", "iframe")
    }
    assert [(box["width"], box["height"]) for box in boxes.values() if box] == [(970, 250), (300, 250)]
    assert visit.script_errors == []
