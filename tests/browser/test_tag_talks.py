"""What the page's code says to the tag and hears from it, and what the tag reads on the page."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.browser.article import (
    END,
    FAR_BELOW,
    FRAME,
    TOP,
    Host,
    await_impressions,
    put,
    settle,
    the_fill_request,
)
from tests.browser.conftest import Visit
from tests.browser.servers import Json, RealAds

pytestmark = pytest.mark.browser

LISTEN = """<script>
  window.heard = [];
  for (const type of ["fill", "render", "viewable", "empty", "click"])
    document.addEventListener(`adserver:${type}`, ({ target, detail }) =>
      heard.push([type, target.dataset.adSlot, detail.line_item || detail.reason]));
</script>"""
NEVER = '<div data-ad-slot="never"></div>'


def heard(visit: Visit) -> list[list[str]]:
    found: list[list[str]] = visit.page.evaluate("window.heard")
    return found


def test_the_pages_code_hears_what_becomes_of_its_slots(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    visit.open(put(page_host, real_ads, TOP + NEVER, head=LISTEN))
    visit.until(lambda: len(heard(visit)) == 4, "four events")
    assert [event for event in heard(visit) if event[0] != "empty"] == [
        ["fill", "top", "top"],
        ["render", "top", "top"],
        ["viewable", "top", "top"],
    ]
    assert ["empty", "never", "no_eligible"] in heard(visit)
    with visit.page.expect_popup():
        visit.page.locator("[data-ad-slot=top] img").click()
    assert heard(visit)[-1] == ["click", "top", "top"]


def test_a_slot_in_which_no_size_fits_is_heard_to_stay_empty(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    narrow = f'<div style="width: 200px">{TOP}</div>'
    visit.open(put(page_host, real_ads, f"{END}{FAR_BELOW}{narrow}", head=LISTEN))
    visit.until(lambda: ["empty", "top", "no_size"] in heard(visit), "the event")
    await_impressions(visit, 1)
    assert [ask["slot"] for ask in the_fill_request(visit)["slots"]] == ["end"]
    top = visit.page.locator("[data-ad-slot=top]")
    visit.until(lambda: not top.is_visible(), "its space is given back, far below")
    assert visit.shift == 0, visit.moves


def test_a_click_into_a_frame_is_heard_too(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    visit.open(put(page_host, real_ads, FRAME, head=LISTEN))
    await_impressions(visit, 1)
    visit.page.frame_locator("iframe").locator("#found").click()
    visit.until(lambda: heard(visit)[-1] == ["click", "frame", "frame"], "the click")


def test_what_a_listener_throws_is_the_pages_own(visit: Visit, page_host: Host, real_ads: RealAds) -> None:
    head = """<script>
      addEventListener("adserver:fill", () => { throw new Error("the page's own"); });
      window.adserver = [() => { throw new Error("a command's"); }, () => { window.ran = true; }];
    </script>"""
    visit.open(put(page_host, real_ads, END, head=head))
    await_impressions(visit, 1)
    assert visit.page.evaluate("window.ran") is True
    assert sorted(visit.script_errors) == ["Uncaught Error: a command's", "Uncaught Error: the page's own"]


def test_commands_are_run_that_came_before_the_tag_and_after_it(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    facts = {"section": "sport", "topics": ["football"], "values": {"edition": "asia"}}
    before = f"<script>window.adserver = [(ads) => ads.page({json.dumps(facts)})]</script>"
    visit.open(put(page_host, real_ads, TOP + END, head=before, tag='data-section="world"'))
    assert the_fill_request(visit)["page"] == {"url": f"{page_host[0]}/article", **facts}
    await_impressions(visit, 2)
    visit.page.evaluate("adserver.push((ads) => ads.refresh(document.querySelector('[data-ad-slot=end]')))")
    await_impressions(visit, 3)
    assert [ask["slot"] for ask in visit.sent_to("/v1/fill")[1]["slots"]] == ["end"]
    assert visit.page.locator("[data-ad-slot=end] img").count() == 1
    visit.page.evaluate("adserver.push((ads) => ads.refresh())")
    await_impressions(visit, 5)
    assert visit.shift == 0, visit.moves


@pytest.mark.parametrize("queue", ["7", "'text'", "null", "{ push: 1 }", "Object.freeze([])"])
def test_a_name_that_the_page_uses_itself_costs_nothing_but_ads(
    visit: Visit, page_host: Host, real_ads: RealAds, queue: str
) -> None:
    visit.open(put(page_host, real_ads, END, head=f"<script>window.adserver = {queue}</script>"))
    settle(visit)
    assert visit.script_errors == []
    assert visit.console_errors == []


META = """<meta property="article:section" content="World"><meta property="article:tag" content="economy">
<meta property="article:tag" content="budget"><meta name="author" content="Sita Rai">"""
ARTICLE: Json = {
    "@type": ["NewsArticle"],
    "articleSection": ["Sport", "Football"],
    "keywords": "cup, final",
    "author": [{"@type": "Person", "name": "Hari Lama"}],
}


def json_ld(thing: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(thing)}</script>'


FROM_META = {"section": "World", "topics": ["economy", "budget"], "values": {"author": "Sita Rai"}}
FROM_JSON = {"section": "Sport", "topics": ["cup", "final"], "values": {"author": "Hari Lama"}}


@pytest.mark.parametrize(
    ("head", "tag", "facts"),
    [
        (META, "", FROM_META),
        (json_ld(ARTICLE), "", FROM_JSON),
        (json_ld([{"@type": "WebSite"}, {"@graph": [{"@type": "Organization"}, ARTICLE]}]), "", FROM_JSON),
        (json_ld({**ARTICLE, "keywords": ["cup", "final"], "author": "Hari Lama"}), "", FROM_JSON),
        (META + json_ld(ARTICLE), "", FROM_META),
        (META, 'data-section="a" data-topics="b" data-author="c"',
         {"section": "a", "topics": ["b"], "values": {"author": "c"}}),
        ('<meta name="keywords" content="a, b">', 'data-value-edition="asia"',
         {"topics": ["a", "b"], "values": {"edition": "asia"}}),
        ('<script type="application/ld+json">{"@type": </script>' + json_ld(ARTICLE), "", FROM_JSON),
        (json_ld("text") + json_ld(None) + json_ld([None, 3]), "", {"topics": [], "values": {}}),
    ],
)  # fmt: skip
def test_facts_are_read_where_the_page_has_them(
    visit: Visit, page_host: Host, real_ads: RealAds, head: str, tag: str, facts: Json
) -> None:
    visit.open(put(page_host, real_ads, END, head=head, tag=tag))
    assert the_fill_request(visit)["page"] == {"url": f"{page_host[0]}/article", **facts}
    await_impressions(visit, 1)


@pytest.mark.parametrize(
    ("width", "sizes"), [(1280, ["970x250", "728x90"]), (1024, ["728x90"]), (700, []), (400, ["300x250"])]
)
def test_sizes_can_be_chosen_by_the_width_of_the_viewport(
    visit: Visit, page_host: Host, real_ads: RealAds, width: int, sizes: list[str]
) -> None:
    mapping = "1100: 970x250, 728x90; 0: 300x250; 800: 728x90; 600:"
    visit.page.set_viewport_size({"width": width, "height": 800})
    visit.open(put(page_host, real_ads, f'<div data-ad-slot="top" data-sizes="{mapping}"></div>{END}'))
    asked = {ask["slot"]: ask["sizes"] for ask in the_fill_request(visit)["slots"]}
    assert asked == ({"top": sizes} if sizes else {}) | {"end": ["300x250"]}


def test_an_empty_slot_gives_its_space_back_where_nobody_looks(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    body = f"{NEVER}<p>Text</p>{FAR_BELOW}{NEVER.replace('></div>', ' id=far></div>')}{FAR_BELOW}"
    visit.open(put(page_host, real_ads, body, head="<style>[data-ad-slot] { min-height: 270px }</style>"))
    far, near = visit.page.locator("#far"), visit.page.locator("[data-ad-slot]").first
    visit.until(lambda: not far.is_visible(), "the one below the viewport is collapsed")
    settle(visit)
    assert near.evaluate("(slot) => slot.offsetHeight") == 270, "in view"
    for y in (600, 0):
        visit.page.evaluate("(y) => scrollTo(0, y)", y)
        settle(visit)
        assert near.is_visible(), "above the viewport, and back in view"
    assert visit.shift == 0, visit.moves


def test_a_strict_policy_with_nonce_and_trusted_types(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    policy = (
        f"default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; connect-src {real_ads.url}; "
        f"img-src {page_host[0]}; style-src 'self'; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types adserver"
    )
    headers = {"Content-Security-Policy": policy}
    frame = FRAME.replace(">", ' data-sizes="300x250">', 1)
    visit.open(put(page_host, real_ads, TOP + END + frame, tag='nonce="abc"', headers=headers))
    await_impressions(visit, 3)
    assert visit.page.locator("[data-ad-slot]").evaluate_all("all => all.map((one) => one.offsetHeight)") == [
        270,
        270,
        270,
    ]
    assert visit.shift == 0, visit.moves
    ours = [text for text in visit.console_errors if "inline" not in text]
    assert ours == [], "but for the creative's own script and style, to which the page's policy applies"


def test_a_policy_that_does_not_allow_us_costs_only_what_it_is_about(
    visit: Visit, page_host: Host, real_ads: RealAds
) -> None:
    headers = {"Content-Security-Policy": "require-trusted-types-for 'script'; trusted-types none"}
    visit.open(put(page_host, real_ads, TOP + FRAME, headers=headers))
    await_impressions(visit, 1)
    settle(visit)
    assert visit.page.locator("img").count() == 1
    assert visit.page.locator("iframe").count() == 0
    assert visit.script_errors == []


def test_the_pages_dark_class_is_followed(
    visit_of: Callable[..., Visit], page_host: Host, real_ads: RealAds
) -> None:
    visit = visit_of(color_scheme="null")  # what Playwright emulates, it emulates in frames too
    visit.open(put(page_host, real_ads, TOP + FRAME, tag='data-theme-class="night"'))
    await_impressions(visit, 2)
    assert visit.sent_to("/v1/fill")[0]["theme"] == "light"
    image = visit.page.locator("[data-ad-slot=top] img")
    dark = "matchMedia('(prefers-color-scheme: dark)').matches"
    frame = next(frame for frame in visit.page.frames if frame.parent_frame)
    for theme in ("dark", "light", "dark"):
        visit.page.evaluate("document.documentElement.classList.toggle('night')")
        source = f"{page_host[0]}/image/970x250/{theme}.svg"
        visit.until(lambda source=source: image.get_attribute("src") == source, f"the {theme} image")  # type: ignore[misc]
        visit.until(
            lambda theme=theme: frame.evaluate(dark) == (theme == "dark"),  # type: ignore[misc]
            f"a frame's creative is told that it is {theme}",
        )
    settle(visit)
    assert len(visit.sent_to("/v1/fill")) == 1
    assert len(visit.events("impression")) == 2
    assert visit.shift == 0, visit.moves
