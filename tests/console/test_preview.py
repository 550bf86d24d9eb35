"""Creatives drawn as they are typed, tags that are seen, copies, and what is said of slots at home."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import unescape

import pytest

from tests.console.office import Office, office, text_of
from tests.console.test_catalog_pages import form_of
from tests.dashboards.payloads import payloads
from tests.newsroom import BROWSER

ADMIN, OPS, BANK = "admin@news.example", "ops@news.example", "bank@bank.example"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("preview") / "ads.db") as open_office:
        yield open_office


def test_a_creative_is_drawn_in_its_size_on_light_and_on_dark(place: Office) -> None:
    browser = place.signed_in(OPS)
    page = browser.get("/console/catalog/creative/savings-970").text
    assert 'src="/console/preview/savings-970"' in page and 'formtarget="preview"' in page
    drawn = browser.get("/console/preview/savings-970")
    assert drawn.text.count('width="970" height="250"') == 2
    assert "https://cdn.example/light.png" in drawn.text and "https://cdn.example/dark.png" in drawn.text
    assert drawn.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in drawn.headers["content-security-policy"]
    form = form_of(page) | {"size": "300x250", "kind": "html", "html": "<b>Hello</b>"}
    typed = browser.post("/console/preview", data=form)
    assert typed.text.count('srcdoc="&lt;b&gt;Hello&lt;/b&gt;" width="300" height="250"') == 2
    assert "allow-same-origin" not in typed.text
    assert "No size yet" in browser.post("/console/preview", data=form | {"size": "wide"}).text
    assert browser.get("/console/preview/none").status_code == 404
    assert place.visitor().get("/console/preview/savings-970").status_code == 303


def test_nothing_that_is_typed_leaves_its_attribute(place: Office) -> None:
    browser = place.signed_in(OPS)
    for text in payloads()[:60]:
        given = {
            "kind": "image",
            "size": "300x250",
            "image": text,
            "image_dark": text,
            "alt": text,
            "html": text,
        }
        for kind in ("image", "html"):
            drawn = browser.post("/console/preview", data=given | {"kind": kind}).text
            assert "<script" not in drawn and "onerror=alert(1)>" not in drawn.replace("&gt;", "")


def test_a_foreign_page_cannot_have_the_preview_draw(place: Office) -> None:
    browser = place.signed_in(OPS)
    given = {"kind": "html", "size": "300x250", "html": "x"}
    assert (
        browser.post("/console/preview", data=given, headers={"sec-fetch-site": "cross-site"}).status_code
        == 403
    )


def test_the_page_of_a_slot_has_its_tag_and_says_when_it_was_seen(place: Office) -> None:
    browser, reader = place.signed_in(OPS), place.visitor()
    shown = unescape(browser.get("/console/catalog/slot/daily/article-top").text)
    assert '<div data-ad-slot="article-top"></div>' in shown and 'data-site="daily"></script>' in shown
    assert (
        "/v1/frame/daily/article-top?sizes=" in shown
        and "/v1/newsletter/daily/article-top/ISSUE.png" in shown
    )
    assert "Not seen yet." in shown and 'hx-get="/console/slots/seen/daily/article-top"' in shown
    reader.headers["user-agent"] = BROWSER
    reader.post("/v1/fill", json={"site": "daily", "slots": [{"slot": "article-top"}], "tally": ""})
    end = time.monotonic() + 15
    while "Seen" not in (told := text_of(browser.get("/console/slots/seen/daily/article-top").text)):
        assert time.monotonic() < end, told
        time.sleep(0.1)
    assert "Seen just now" in told
    assert browser.get("/console/slots/seen/daily/none").status_code == 404
    assert place.signed_in(BANK).get("/console/slots/seen/daily/article-top").status_code == 404
    (slot,) = place.with_token(OPS, "read").get("/api/v1/traffic").json()
    assert (slot["slot"], slot["trend"], slot["usual"]) == ("daily/article-top", "steady", None)
    assert place.with_token(BANK, "read").get("/api/v1/traffic").json() == []


def test_a_campaign_is_copied_with_what_it_holds(place: Office) -> None:
    browser, api = place.signed_in(ADMIN), place.with_token(ADMIN, "read", "write")
    html = browser.get("/console/catalog/new/campaign?in=himal-bank&copy=himal-bank/savings").text
    assert "Copy its 1 line item too" in html
    form = {
        "in": "himal-bank",
        "copy": "himal-bank/savings",
        "name": "loans",
        "held": "on",
        "caps": "5 per 1d",
    }
    assert browser.post("/console/catalog/new/campaign", data=form).status_code == 303
    copied = api.get("/api/v1/line_items/loans-top").json()
    assert (copied["campaign"], copied["state"], copied["goal"]) == (
        "himal-bank/loans",
        "paused",
        {"impressions": 100000},
    )
    body = {"kind": "line_item", "name": "savings-top", "to": "savings-side", "set": {"paused": True}}
    assert len(api.post("/api/v1/copy", json=body | {"dry_run": True}).json()["changes"]) == 2
    made = api.post("/api/v1/copy", json=body).json()["changes"]
    assert [change["name"] for change in made] == ["savings-side", "savings-970-2"]
    alone = browser.post("/console/catalog/new/campaign", data=form | {"name": "bare", "held": ""})
    assert alone.status_code == 303
    assert api.get("/api/v1/line_items?inside=himal-bank/bare").json()["items"] == []
