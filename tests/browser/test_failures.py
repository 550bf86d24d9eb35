"""The ad server answers late, wrongly or not at all → the publisher's page is as it would be without ads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from starlette.responses import JSONResponse, Response

from tests.browser.conftest import Visit
from tests.browser.servers import CORS, Json, PageHost, ScriptedAds, after, answer, image_fill

pytestmark = pytest.mark.browser

Host = tuple[str, PageHost]
Ads = tuple[str, ScriptedAds]

# With `crossorigin` the browser tells the page of errors in the tag, which it otherwise hides from it.
ARTICLE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Article</title>
<script async crossorigin src="{ads}/tag.js" data-site="daily"></script>
<style>body {{ margin: 0 }} [data-ad-slot] {{ min-height: 270px }}</style></head>
<body><h1>Headline</h1><div data-ad-slot="top" data-sizes="970x250,728x90"></div><p id="text">Text</p>
<div data-ad-slot="end" data-sizes="300x250"></div><p>More text</p></body></html>"""


def put(host: Host, ads_url: str, html: str = ARTICLE) -> str:
    """Puts a page on the host → its URL."""
    url, pages = host
    pages.pages["/article"] = (html.format(ads=ads_url), {})
    return f"{url}/article"


def status(code: int) -> Callable[[Json], Awaitable[Response]]:
    """An error page in place of an answer, without CORS headers, as a proxy in front would give it."""

    async def respond(_: Json) -> Response:
        return Response("<h1>Sorry</h1>", status_code=code, media_type="text/html")

    return respond


def verbatim(body: str) -> Callable[[Json], Awaitable[Response]]:
    """This text, as JSON, with status 200."""

    async def respond(_: Json) -> Response:
        return Response(body, media_type="application/json", headers=CORS)

    return respond


def fills(*entries: Json) -> Callable[[Json], Awaitable[Response]]:
    """These entries, whatever is asked."""

    async def respond(_: Json) -> Response:
        return answer(list(entries))

    return respond


def pass_time(visit: Visit, seconds: int) -> None:
    """Moves the page's installed clock on, second by second, and lets its requests be answered in between."""
    for _ in range(seconds):
        visit.page.clock.run_for(1000)
        visit.page.wait_for_timeout(20)


def assert_untouched(visit: Visit) -> None:
    """No ad, no shift, no error of a script; the slots keep their space."""
    page = visit.page
    assert page.locator("[data-ad-slot] *").count() == 0
    assert visit.shift == 0, visit.moves
    assert visit.script_errors == []
    heights = page.locator("[data-ad-slot]").evaluate_all("slots => slots.map(slot => slot.offsetHeight)")
    assert heights == [270, 270]


def test_a_slow_server_delays_the_ads_and_nothing_else(
    visit: Visit, page_host: Host, scripted_ads: Ads
) -> None:
    url, ads = scripted_ads
    ads.on_fill = after(3, ads.on_fill)
    visit.open(put(page_host, url))
    visit.until(lambda: len(ads.fill_requests) == 1, "the page asks")
    loaded_ms = visit.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert loaded_ms < 2000
    assert_untouched(visit)
    visit.until(lambda: len(visit.events("impression")) == 2, "the ads are drawn at last")
    assert visit.shift == 0, visit.moves
    assert visit.console_errors == []


def test_after_five_seconds_the_answer_is_no_longer_awaited(
    visit: Visit, page_host: Host, scripted_ads: Ads
) -> None:
    url, ads = scripted_ads
    ads.on_fill = after(1, ads.on_fill)
    visit.page.clock.install()
    given_up: list[str] = []
    visit.page.on("requestfailed", lambda request: given_up.append(request.url))
    visit.open(put(page_host, url))
    visit.page.clock.run_for(100)
    visit.until(lambda: len(ads.fill_requests) == 1, "the page asks")
    assert given_up == []
    visit.page.clock.run_for(5000)
    visit.until(lambda: given_up == [f"{url}/v1/fill"], "the page gives up")
    assert_untouched(visit)
    assert visit.console_errors == []


@pytest.mark.parametrize(
    "on_fill",
    [
        pytest.param(status(500), id="500"),
        pytest.param(status(429), id="429"),
        pytest.param(verbatim('{"fills": [{"slot": "to'), id="broken JSON"),
        pytest.param(verbatim(""), id="nothing"),
        pytest.param(verbatim("null"), id="null"),
        pytest.param(verbatim("{}"), id="no fills"),
        pytest.param(verbatim('{"fills": 7}'), id="fills a number"),
        pytest.param(verbatim('{"fills": [null, 3, "x"]}'), id="fills of other things"),
        pytest.param(
            verbatim('{"fills": [{"slot": "top", "reason": "no_eligible"}, {"slot": "end"}]}'), id="unfilled"
        ),
        pytest.param(
            fills(image_fill("end", "970x250", "a"), image_fill("top", "300x250", "b")), id="swapped"
        ),
        pytest.param(fills(image_fill("top", "970x600", "a")), id="a size not asked for"),
        pytest.param(fills(image_fill("top", "970x250", "")), id="no token"),
        pytest.param(fills(image_fill("top", "970x250", "a", kind="video")), id="a kind not known"),
        pytest.param(fills(image_fill("top", "970x250", "a", kind="html")), id="html without html"),
        pytest.param(
            fills(image_fill("top", "970x250", "a", click="javascript:alert(1)")), id="a script to click"
        ),
        pytest.param(
            fills(image_fill("top", "970x250", "a", image="data:image/svg+xml,<svg/>")),
            id="an image of its own",
        ),
        pytest.param(fills(image_fill("top", "970x250", "a", image="http://[")), id="not a URL"),
    ],
)
def test_a_wrong_answer_leaves_the_page_alone(
    visit: Visit, page_host: Host, scripted_ads: Ads, on_fill: Callable[[Json], Awaitable[Response]]
) -> None:
    url, ads = scripted_ads
    ads.on_fill = on_fill
    visit.open(put(page_host, url))
    visit.until(lambda: len(ads.fill_requests) == 1, "the page asks")
    visit.page.wait_for_timeout(200)
    assert_untouched(visit)
    assert ads.events() == []


def test_an_ad_server_that_is_not_there_is_not_missed(visit: Visit, page_host: Host) -> None:
    visit.open(put(page_host, "http://127.0.0.1:9"))
    assert visit.page.locator("#text").is_visible()
    assert_untouched(visit)


def test_a_refused_connection_after_the_tag_has_come(
    visit: Visit, page_host: Host, scripted_ads: Ads
) -> None:
    url, ads = scripted_ads
    visit.page.route("**/v1/fill", lambda route: route.abort("connectionrefused"))
    visit.open(put(page_host, url))
    visit.page.wait_for_timeout(100)
    assert ads.fill_requests == []
    assert_untouched(visit)


def test_an_image_that_is_missing_is_no_impression_and_no_broken_picture(
    visit: Visit, page_host: Host, scripted_ads: Ads
) -> None:
    url, ads = scripted_ads
    ads.on_fill = fills(
        image_fill("top", "970x250", "missing", image="/gone.png"), image_fill("end", "300x250", "there")
    )
    visit.open(put(page_host, url))
    visit.until(lambda: ("there", "impression") in ads.events(), "the other creative counts")
    visit.page.wait_for_timeout(200)
    assert ads.events() == [("there", "impression"), ("there", "measurable")]
    assert visit.page.locator("[data-ad-slot=top] *").count() == 0
    assert visit.shift == 0, visit.moves
    assert visit.script_errors == []


@pytest.mark.parametrize("failure", ["503", "refused"])
def test_events_are_sent_again_until_the_server_has_them(
    visit: Visit, page_host: Host, scripted_ads: Ads, failure: str
) -> None:
    url, ads = scripted_ads
    attempts: list[str] = []
    accepted: list[str] = []

    async def overloaded(body: Json) -> Response:
        attempts.append("503")
        if len(attempts) < 3:
            return Response(status_code=503, headers=CORS)
        accepted.extend(event["type"] for event in body["events"])
        return Response(status_code=204, headers=CORS)

    ads.on_events = overloaded
    ads.on_fill = fills(image_fill("top", "970x250", "a"))
    if failure == "refused":
        visit.page.route("**/v1/events", lambda route: route.abort("connectionrefused"), times=2)
        attempts.extend(["refused"] * 2)
    visit.page.clock.install()
    visit.open(put(page_host, url))
    pass_time(visit, seconds=20)
    # Whether they come in one beacon or in two depends on how far the page was at the first attempt.
    assert len(attempts) >= 3
    assert sorted(accepted) == ["impression", "measurable", "viewable"]
    assert visit.script_errors == []


def test_a_server_that_stays_down_is_left_in_peace(visit: Visit, page_host: Host, scripted_ads: Ads) -> None:
    url, ads = scripted_ads
    ads.on_events = status(500)
    ads.on_fill = fills(image_fill("top", "970x250", "a"))
    visit.page.clock.install()
    visit.open(put(page_host, url))
    pass_time(visit, seconds=60)
    assert ads.events().count(("a", "impression")) == 3


def test_an_event_refused_for_good_is_not_repeated(visit: Visit, page_host: Host, scripted_ads: Ads) -> None:
    url, ads = scripted_ads

    async def refuse(_: Json) -> Response:
        return JSONResponse({"error": "no"}, status_code=400, headers=CORS)

    ads.on_events = refuse
    ads.on_fill = fills(image_fill("top", "970x250", "a"))
    visit.page.clock.install()
    visit.open(put(page_host, url))
    pass_time(visit, seconds=20)
    assert ads.events().count(("a", "impression")) == 1
    assert visit.script_errors == []


def test_what_waits_when_the_reader_leaves_still_arrives(
    visit: Visit, page_host: Host, scripted_ads: Ads
) -> None:
    url, ads = scripted_ads
    ads.on_events = status(503)
    ads.on_fill = fills(image_fill("top", "970x250", "a"))
    visit.open(put(page_host, url))
    visit.until(lambda: len(ads.event_requests) == 1, "the events are sent, and refused")
    visit.page.wait_for_timeout(100)
    visit.page.goto("about:blank")  # long before the second attempt, which is due after a second
    visit.until(lambda: len(ads.event_requests) == 2, "the beacon arrives", timeout_ms=800)
    assert ads.events() == [("a", "impression"), ("a", "measurable")] * 2


def test_a_refresh_that_finds_nothing_does_not_end_refreshing(
    visit: Visit, page_host: Host, scripted_ads: Ads
) -> None:
    ads_url, ads = scripted_ads
    asked: list[Json] = []

    async def every_other_time(body: Json) -> Response:
        asked.append(body)
        number = len(asked)
        if number == 2:
            return answer([{"slot": one["slot"], "reason": "no_eligible"} for one in body["slots"]])
        drawn = [
            image_fill(one["slot"], one["sizes"][0], f"fill-{number}-{one['slot']}") for one in body["slots"]
        ]
        return answer([fill | ({"refresh_seconds": 30} if fill["slot"] == "end" else {}) for fill in drawn])

    ads.on_fill = every_other_time
    visit.page.clock.install()
    visit.open(put(page_host, ads_url))
    visit.until(lambda: len(asked) == 1, "the page is asked for")
    image = visit.page.locator("[data-ad-slot=end] img")
    for times in (2, 3, 4):
        for _ in range(40):
            pass_time(visit, 1)
            if len(asked) == times:
                break
        assert len(asked) == times, "it is asked for again"
        assert [one["slot"] for one in asked[-1]["slots"]] == ["end"]
        assert image.count() == 1, "the one before stands until another comes"
    assert visit.shift == 0, visit.moves
