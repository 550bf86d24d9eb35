"""What the tag reads from a page's consent tools, how long it waits for them, and what it then stores."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from tests.browser.conftest import Visit
from tests.browser.consent_tools import CONTROL, GPP, TCF, TOOLS
from tests.browser.servers import CORS, Json, PageHost, ScriptedAds, image_fill

pytestmark = pytest.mark.browser

Host = tuple[str, PageHost]
Ads = tuple[str, ScriptedAds]

SAID = "{ gdprApplies: true, eventStatus: '%s', tcString: '%s', purpose: { consents: %s } }"
GRANTED = SAID % ("tcloaded", "TCF", "{ 1: true }")
REFUSED = SAID % ("useractioncomplete", "TCF", "{ 1: false, 2: true }")
ASKING = SAID % ("cmpuishown", "", "{}")
ELSEWHERE = "{ gdprApplies: false, eventStatus: 'tcloaded', tcString: '' }"
PING = "{ signalStatus: '%s', cmpDisplayStatus: '%s', gppString: 'GPP', applicableSections: %s }"
READY = PING % ("ready", "hidden", "[7, 8]")
NOWHERE = PING % ("ready", "disabled", "[-1]")
DIALOG = PING % ("not ready", "visible", "[7]")

ARTICLE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Article</title>
<script>{tools}</script>
<script async crossorigin src="{ads}/tag.js" data-site="daily"
 data-consent-timeout-ms="{timeout_ms}"></script></head>
<body><div data-ad-slot="top" data-sizes="300x250"></div></body></html>"""


def put(host: Host, ads: Ads, tools: str, *, timeout_ms: int = 5000) -> str:
    """Puts a page with these consent tools on the host → its URL."""
    url, pages = host
    html = ARTICLE.format(ads=ads[0], tools=TOOLS + tools, timeout_ms=timeout_ms)
    pages.pages["/article"] = (html, {})
    return f"{url}/article"


async def keep(body: Json) -> Response:
    """Fills all slots, and answers about the tally as the real server does: null leaves it alone."""
    fills = [image_fill(asked["slot"], asked["sizes"][0], "fill") for asked in body["slots"]]
    consent = body.get("consent", {})
    unanswered = "" in (consent.get("tcf"), consent.get("gpp"))
    kept = None if unanswered else "kept" if "tally" in body else ""
    return JSONResponse({"request": "r", "catalog": 1, "tally": kept, "fills": fills}, headers=CORS)


def asked_with(visit: Visit, url: str, ads: Ads) -> Json:
    """Opens a page and waits for its ad → what it asked with."""
    before = len(ads[1].fill_requests)
    ads[1].on_fill = keep
    visit.open(url)
    visit.until(lambda: visit.page.locator("[data-ad-slot] img").count() == 1, "the ad is drawn", 8000)
    assert visit.script_errors == [] and visit.console_errors == []
    assert len(ads[1].fill_requests) == before + 1
    return ads[1].fill_requests[before]


def stored(visit: Visit) -> list[str]:
    """What is in the storage of the page's origin."""
    values: list[str] = visit.page.evaluate("Object.values({ ...localStorage })")
    return values


@pytest.mark.parametrize(
    ("tools", "consent", "stores"),
    [
        ("", None, True),
        (TCF % (0, GRANTED), {"tcf": "TCF"}, True),
        (TCF % (300, GRANTED), {"tcf": "TCF"}, True),
        (TCF % (0, REFUSED), {"tcf": "TCF"}, False),
        (TCF % (0, ELSEWHERE), None, True),
        (TCF % (0, ASKING), {"tcf": ""}, False),
        (GPP % (0, READY), {"gpp": "GPP", "gpp_sid": [7, 8]}, True),
        (GPP % (300, READY), {"gpp": "GPP", "gpp_sid": [7, 8]}, True),
        (GPP % (0, NOWHERE), None, True),
        (GPP % (0, DIALOG), {"gpp": "", "gpp_sid": []}, False),
        (TCF % (0, ELSEWHERE) + GPP % (0, READY), {"gpp": "GPP", "gpp_sid": [7, 8]}, True),
        (TCF % (0, GRANTED) + CONTROL, {"tcf": "TCF", "gpc": True}, False),
        (CONTROL, {"gpc": True}, False),
    ],
)
def test_what_the_tools_say_is_sent(
    visit: Visit, page_host: Host, scripted_ads: Ads, tools: str, consent: Any, stores: bool
) -> None:
    request = asked_with(visit, put(page_host, scripted_ads, tools), scripted_ads)
    assert request.get("consent") == consent
    assert request.get("tally") == ("" if stores else None)
    assert stored(visit) == (["kept"] if stores else [])
    assert set(visit.page.evaluate("Object.values(window.__left)")) <= {0}, "no listener is left behind"


@pytest.mark.parametrize(
    "tools", [TCF % (-1, GRANTED), GPP % (-1, READY), "window.__tcfapi = () => { throw 1 };"]
)
def test_a_tool_that_does_not_answer_costs_no_slot_and_no_tally(
    visit: Visit, page_host: Host, scripted_ads: Ads, tools: str
) -> None:
    asked_with(visit, put(page_host, scripted_ads, ""), scripted_ads)
    assert stored(visit) == ["kept"]
    request = asked_with(visit, put(page_host, scripted_ads, tools, timeout_ms=300), scripted_ads)
    assert "" in (request["consent"].get("tcf"), request["consent"].get("gpp")), "nobody knows"
    assert "tally" not in request
    assert stored(visit) == ["kept"], "what was stored with consent stays until it is known to be withdrawn"


def test_a_slow_tool_is_waited_for_no_longer_than_the_page_says(
    visit: Visit, page_host: Host, scripted_ads: Ads
) -> None:
    url = put(page_host, scripted_ads, TCF % (4000, GRANTED), timeout_ms=300)
    request = asked_with(visit, url, scripted_ads)
    assert request["consent"] == {"tcf": ""}
    asked_at = visit.page.evaluate(
        "performance.getEntriesByType('resource').find((e) => e.name.endsWith('/v1/fill')).startTime"
    )
    assert asked_at < 3000, "the slot was not left empty for four seconds"
    # When it answers after all, its listener is removed, and nothing is asked again.
    visit.until(lambda: visit.page.evaluate("window.__left.__tcfapi === 0"), "the tool has answered", 8000)
    assert len(scripted_ads[1].fill_requests) == 1


def test_a_refusal_removes_what_was_stored(visit: Visit, page_host: Host, scripted_ads: Ads) -> None:
    asked_with(visit, put(page_host, scripted_ads, TCF % (0, GRANTED)), scripted_ads)
    assert stored(visit) == ["kept"]
    request = asked_with(visit, put(page_host, scripted_ads, TCF % (0, REFUSED)), scripted_ads)
    assert "tally" not in request, "it is not even read"
    assert stored(visit) == []


@pytest.mark.parametrize(
    "said",
    [
        "{ gdprApplies: true, eventStatus: 'tcloaded', tcString: 7, purpose: null }",
        "{ gdprApplies: true, eventStatus: 'tcloaded', tcString: {}, purpose: { consents: 1 } }",
    ],
)
def test_nonsense_of_a_tool_costs_no_ad(visit: Visit, page_host: Host, scripted_ads: Ads, said: str) -> None:
    gpp = GPP % (0, "{ signalStatus: 'ready', gppString: [], applicableSections: '7' }")
    request = asked_with(visit, put(page_host, scripted_ads, TCF % (0, said) + gpp), scripted_ads)
    assert isinstance(request["consent"]["tcf"], str)
    assert request["consent"]["gpp_sid"] == []
    assert "tally" not in request
