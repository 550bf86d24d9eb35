"""AdSense in the demo newsroom: filled, unfilled, silent, blocked or refused, and who comes after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adserver.app import App
from adserver.clock import system_clock
from adserver.demo.catalog import demo_catalog
from adserver.demo.routes import routes
from adserver.measurement.event import Kind
from adserver.settings import Settings
from tests.browser.adsense import ADDRESS, CLIENT, FILLED, LATE, SILENT, UNFILLED, stand_in, with_network
from tests.browser.article import Host, await_impressions, put, settle
from tests.browser.conftest import Visit
from tests.browser.front import first_article
from tests.browser.servers import RealAds, apply_catalog, serve
from tests.newsroom import catalog_of, line_item

pytestmark = pytest.mark.browser

SIDEBAR = "[data-ad-slot=sidebar]"
#: Of a country in which a site that asks nobody may take a missing answer for a yes.
HEADERS = {"X-Country": "NP"}
REFUSED = """window.__tcfapi = (command, version, then) => command === "addEventListener" &&
  then({ gdprApplies: true, eventStatus: "useractioncomplete", tcString: "CAA", purpose: {} }, true)"""


@pytest.fixture
def visit(visit_of: Callable[..., Visit]) -> Visit:
    """The newsroom's own policy forbids what it does not use; a paper with AdSense allows it."""
    return visit_of(bypass_csp=True)


@contextmanager
def newsroom(tmp_path: Path, unit: str) -> Iterator[RealAds]:
    """The demo as `make demo` serves it, with an ad unit of AdSense that wins the sidebar."""
    settings = Settings(db=tmp_path / "demo.db", country_header="X-Country")
    apply_catalog(settings.db, with_network(demo_catalog(system_clock()), unit, "sidebar", "300x600"))
    with serve(App(settings, pages=routes)) as url:
        yield RealAds(url, settings.db)


def read(visit: Visit, ads: RealAds) -> None:
    visit.page.set_extra_http_headers(HEADERS)
    visit.open(ads.url + first_article(ads.url))


def assert_calm(visit: Visit, *, blocked: bool = False) -> None:
    assert visit.shift == 0, visit.moves
    ours = [text for text in visit.console_errors if not (blocked and re.search("BLOCKED|blocked", text))]
    assert ours == []
    assert visit.script_errors == []


def asked_for_sidebar(visit: Visit) -> list[bool]:
    """For each request of the sidebar, whether it was a passback."""
    bodies = visit.sent_to("/v1/fill")
    return [bool(body.get("passback")) for body in bodies if body["slots"][-1]["slot"] == "sidebar"]


def test_an_ad_of_adsense_stands_in_its_slot_and_is_counted(visit: Visit, tmp_path: Path) -> None:
    asked = stand_in(visit.page)
    with newsroom(tmp_path, FILLED) as ads:
        read(visit, ads)
        await_impressions(visit, 6)
        unit = visit.page.locator(f"{SIDEBAR} ins")
        unit.frame_locator("iframe").locator("#google").wait_for()
        assert unit.evaluate("(ins) => [ins.offsetWidth, ins.offsetHeight]") == [300, 600]
        assert visit.page.locator(SIDEBAR).inner_text().startswith("Advertisement")
        assert [url for url in asked if url.startswith(ADDRESS)] == [f"{ADDRESS}?client={CLIENT}"]
        assert visit.page.evaluate("window.__adsense.personal") == [True]
        unit.scroll_into_view_if_needed()
        visit.until(lambda: ads.logged(Kind.IMPRESSION) == 6, "all impressions are in the log")
        assert asked_for_sidebar(visit) == [False]
        assert ads.logged(Kind.UNFILLED) == ads.logged(Kind.NO_ANSWER) == 0
        # AdSense does not allow that its units are asked for again.
        visit.page.evaluate("adserver.push((ads) => ads.refresh())")
        visit.until(lambda: len(visit.sent_to("/v1/fill")) == 2, "all other slots are asked for again")
        again = [ask["slot"] for ask in visit.sent_to("/v1/fill")[1]["slots"]]
        assert len(again) == 5 and "sidebar" not in again
        assert_calm(visit)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_unfilled_unit_makes_room_for_the_next_in_the_chain(
    visit_of: Callable[..., Visit], tmp_path: Path, theme: str
) -> None:
    visit = visit_of(color_scheme=theme, bypass_csp=True)
    stand_in(visit.page)
    with newsroom(tmp_path, UNFILLED) as ads:
        read(visit, ads)
        await_impressions(visit, 6)
        assert visit.page.locator("ins").count() == 0
        drawn = visit.page.locator(f"{SIDEBAR} img, {SIDEBAR} iframe")
        assert drawn.count() == 1
        assert asked_for_sidebar(visit) == [False, True]
        assert len(visit.sent_to("/v1/fill")[1]["slots"]) == 1
        visit.until(lambda: ads.logged(Kind.IMPRESSION) == 6, "six impressions, none of them AdSense's")
        assert ads.logged(Kind.UNFILLED) == 1
        settle(visit)
        rows = visit.page.request.get(f"{ads.url}/reports/slots.json").json()["rows"]
        (sidebar,) = [row for row in rows if row["slot"] == "sidebar"]
        assert (sidebar["request_count"], sidebar["impression_count"]) == (1, 1)
        assert (sidebar["network_unfilled_count"], sidebar["network_fill_rate"]) == (1, 0.0)
        assert_calm(visit)


@pytest.mark.parametrize("by", ["an ad blocker", "the page's policy"])
def test_a_blocked_script_costs_no_time(visit_of: Callable[..., Visit], tmp_path: Path, by: str) -> None:
    visit = visit_of(bypass_csp=by == "an ad blocker")
    stand_in(visit.page, blocked=by == "an ad blocker")
    with newsroom(tmp_path, FILLED) as ads:
        read(visit, ads)
        await_impressions(visit, 6)
        visit.until(lambda: ads.logged(Kind.NO_ANSWER) == 1, "the network did not answer")
        assert visit.page.locator("ins").count() == 0
        assert asked_for_sidebar(visit) == [False, True]
        assert_calm(visit, blocked=True)


@pytest.mark.parametrize("unit", [SILENT, LATE])
def test_who_does_not_answer_in_time_has_no_ad(visit: Visit, tmp_path: Path, unit: str) -> None:
    stand_in(visit.page)
    with newsroom(tmp_path, unit) as ads:
        read(visit, ads)
        await_impressions(visit, 5)
        assert visit.page.locator(f"{SIDEBAR} ins").count() == 1
        visit.until(lambda: len(visit.events("no_answer")) == 1, "five seconds are over", timeout_ms=8000)
        await_impressions(visit, 6)
        if unit == LATE:
            visit.page.wait_for_timeout(2500)
        visit.until(lambda: ads.logged(Kind.IMPRESSION) == 6, "the one that came in its place")
        assert visit.page.locator("ins").count() == 0
        assert asked_for_sidebar(visit) == [False, True]
        assert_calm(visit)


def test_without_consent_nothing_is_asked_of_google(visit: Visit, tmp_path: Path) -> None:
    asked = stand_in(visit.page)
    visit.page.add_init_script(REFUSED)
    with newsroom(tmp_path, FILLED) as ads:
        read(visit, ads)
        await_impressions(visit, 6)
        settle(visit)
        assert asked == []
        assert asked_for_sidebar(visit) == [False]
        assert_calm(visit)


def test_global_privacy_control_asks_for_ads_that_are_not_personal(visit: Visit, tmp_path: Path) -> None:
    stand_in(visit.page)
    visit.page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })")
    with newsroom(tmp_path, FILLED) as ads:
        read(visit, ads)
        visit.until(lambda: visit.page.locator(f"{SIDEBAR} ins iframe").count() == 1, "AdSense fills")
        assert visit.page.evaluate("window.__adsense.personal") == [False]
        assert_calm(visit)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[RealAds]:
    """A server with a network and a house ad for one slot of a page of the tests' own."""
    settings = Settings(db=tmp_path / "ads.db")
    catalog = catalog_of(line_item("own", "house", "300x250"))
    apply_catalog(settings.db, with_network(catalog, FILLED, "side", "300x250"))
    with serve(App(settings)) as url:
        yield RealAds(url, settings.db)


def test_units_and_script_of_the_pages_own_are_left_alone(
    visit: Visit, page_host: Host, plain: RealAds
) -> None:
    asked = stand_in(visit.page)
    own = f"""<ins class="adsbygoogle" style="display:inline-block;width:728px;height:90px"
      data-ad-client="{CLIENT}" data-ad-slot="{FILLED}"></ins>
      <script async src="{ADDRESS}?client={CLIENT}" crossorigin="anonymous"></script>
      <script>(window.adsbygoogle = window.adsbygoogle || []).push({{}})</script>"""
    visit.open(put(page_host, plain, own + '<div data-ad-slot="side"></div>'))
    await_impressions(visit, 1)
    assert len([url for url in asked if url.startswith(ADDRESS)]) == 1
    assert visit.page.locator("ins iframe").count() == 2
    assert [ask["slot"] for ask in visit.sent_to("/v1/fill")[0]["slots"]] == ["side"]
    assert_calm(visit)


def test_a_strict_policy_lets_adsense_in_by_the_tags_own_nonce(
    visit_of: Callable[..., Visit], page_host: Host, plain: RealAds
) -> None:
    visit = visit_of()
    stand_in(visit.page)
    policy = (
        f"default-src 'none'; script-src 'nonce-abc'; connect-src {plain.url}; frame-src https:; "
        "require-trusted-types-for 'script'; trusted-types adserver"
    )
    headers = {"Content-Security-Policy": policy}
    visit.open(put(page_host, plain, '<div data-ad-slot="side"></div>', tag='nonce="abc"', headers=headers))
    await_impressions(visit, 1)
    assert visit.page.locator("ins iframe").count() == 1
    assert_calm(visit)
