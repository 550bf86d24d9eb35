"""A reader's consent, from the page's own tool to the real server: what is drawn, stored and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from adserver.app import App
from adserver.measurement.event import Kind
from adserver.settings import Settings
from tests.browser.conftest import Visit
from tests.browser.consent_tools import CONTROL, GPP, TCF, TOOLS
from tests.browser.servers import PageHost, RealAds, apply_catalog, serve
from tests.consent.writing import GOOGLE, gpp, tcf, us_national, vendors_by_bits
from tests.newsroom import catalog_of, image, line_item

pytestmark = pytest.mark.browser

Host = tuple[str, PageHost]
Served = tuple[RealAds, "Proxy"]

COUNTRY = "X-Country"
VENDORS = vendors_by_bits([GOOGLE])
GRANTED = tcf(consents=range(1, 11), vendors=VENDORS)
REFUSED = tcf(consents=range(2, 11), vendors=VENDORS)
SAID = "{ gdprApplies: true, eventStatus: 'tcloaded', tcString: '%s', purpose: { consents: { 1: %s } } }"
GRANTS = TCF % (200, SAID % (GRANTED, "true"))
REFUSES = TCF % (200, SAID % (REFUSED, "false"))
PING = "{ signalStatus: 'ready', gppString: '%s', applicableSections: [7] }"
OPTS_OUT = GPP % (200, PING % gpp({7: us_national(2, 2, 1)}))
SLOW = TCF % (3000, SAID % (GRANTED, "true"))

ARTICLE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Article</title>
<link rel="icon" href="data:,"><script>{tools}</script>
<script async crossorigin src="{ads}/tag.js" data-site="daily" data-consent-timeout-ms="600"></script>
<style>[data-ad-slot] {{ min-height: 270px }}</style></head>
<body><h1>Headline</h1><div data-ad-slot="side"></div><p>Text</p></body></html>"""


@dataclass
class Proxy:
    """A proxy before the server, which knows where readers are."""

    app: ASGIApp
    country: str = "DE"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            told = (COUNTRY.lower().encode(), self.country.encode())
            scope = {**scope, "headers": [*scope["headers"], told]}
        await self.app(scope, receive, send)


@pytest.fixture
def served(tmp_path: Path, page_host: Host) -> Iterator[tuple[RealAds, Proxy]]:
    """The real server behind a proxy: a line item to be seen once a day, a network's, and the house's."""
    flight = {"caps": [{"impressions": 1, "per": "1d"}]}
    items = [
        line_item("capped", "price", price={"cpm": "5"}, creative=[_drawn("capped", page_host)], **flight),
        line_item("network", "network", price={"cpm": "2"}, creative=[_drawn("network", page_host)]),
        line_item("own", "house", creative=[_drawn("own", page_host)]),
    ]
    settings = Settings(db=tmp_path / "ads.db", country_header=COUNTRY)
    apply_catalog(settings.db, catalog_of(*items))
    proxy = Proxy(App(settings))
    with serve(proxy) as url:
        yield RealAds(url, settings.db), proxy


def _drawn(name: str, host: Host) -> dict[str, object]:
    return image(name, "300x250", image=f"{host[0]}/image/300x250.svg")


def read_article(visit: Visit, host: Host, served: Served, tools: str = "") -> str:
    """Opens an article with these tools and waits for its ad → which line item was drawn."""
    url, pages = host
    pages.pages["/article"] = (ARTICLE.format(ads=served[0].url, tools=TOOLS + tools), {})
    before = len(visit.events("impression"))
    visit.open(f"{url}/article")
    drawn = visit.page.locator("[data-ad-slot] img")
    visit.until(lambda: drawn.count() == 1, "the ad is drawn", 8000)
    visit.until(lambda: len(visit.events("impression")) > before, "it is reported", 8000)
    assert visit.script_errors == [] and visit.console_errors == []
    assert visit.shift == 0, visit.moves
    return drawn.get_attribute("alt") or ""


def stored(visit: Visit) -> list[str]:
    """What is in the storage of the page's origin."""
    values: list[str] = visit.page.evaluate("Object.values({ ...localStorage })")
    return values


def test_with_consent_the_cap_is_kept_and_without_it_nothing_is(
    visit: Visit, page_host: Host, served: Served
) -> None:
    assert read_article(visit, page_host, served, GRANTS) == "capped"
    assert len(stored(visit)) == 1
    assert read_article(visit, page_host, served, GRANTS) == "network", "it was seen today"
    assert len(stored(visit)) == 1
    assert read_article(visit, page_host, served, REFUSES) == "own", "neither caps nor networks"
    assert stored(visit) == [], "what was stored is removed"
    assert read_article(visit, page_host, served, REFUSES) == "own"
    assert stored(visit) == []
    visit.until(lambda: served[0].logged(Kind.IMPRESSION) == 4, "all are counted, whatever was answered")


@pytest.mark.parametrize(
    ("country", "tools", "drawn", "stores"),
    [
        ("DE", "", "own", False),
        ("NP", "", "capped", True),
        ("NP", REFUSES, "own", False),
        ("US", OPTS_OUT, "network", False),
        ("US", CONTROL, "network", False),
        ("DE", GRANTS + CONTROL, "network", False),
        ("DE", CONTROL, "own", False),
    ],
)
def test_what_is_drawn_and_stored(
    visit: Visit, page_host: Host, served: Served, country: str, tools: str, drawn: str, stores: bool
) -> None:
    served[1].country = country
    assert read_article(visit, page_host, served, tools) == drawn
    assert len(stored(visit)) == stores
    assert visit.page.context.cookies() == []


def test_a_slow_tool_costs_neither_the_slot_nor_the_cap(
    visit: Visit, page_host: Host, served: Served
) -> None:
    assert read_article(visit, page_host, served, GRANTS) == "capped"
    kept = stored(visit)
    assert read_article(visit, page_host, served, SLOW) == "own", "drawn before the tool has answered"
    assert visit.page.evaluate("performance.now()") < 3000
    assert stored(visit) == kept
    assert read_article(visit, page_host, served, GRANTS) == "network", "the cap was not forgotten"
