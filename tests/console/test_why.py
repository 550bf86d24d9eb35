"""Why? in the console and the API, over a real server that pages have asked."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from tests.api.test_rights import catalog
from tests.console.office import Office, office, text_of
from tests.newsroom import BROWSER

ADMIN, OPS, BOSS, BANK = "admin@news.example", "ops@news.example", "boss@news.example", "bank@bank.example"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("why") / "ads.db", catalog=catalog()) as open_office:
        reader = open_office.visitor()
        reader.headers["user-agent"] = BROWSER
        for site, slot, section in (("daily", "article-top", "<b>world"), ("other", "top", "secret")):
            body = {"site": site, "page": {"section": section}, "slots": [{"slot": slot}], "tally": ""}
            assert reader.post("/v1/fill", json=body).status_code == 200
        yield open_office


def test_a_line_item_is_asked_about_by_name_and_its_reasons_are_those_of_the_api(place: Office) -> None:
    browser, api = place.signed_in(ADMIN), place.with_token(ADMIN, "read")
    asked = browser.get("/console/why", params={"line_item": " foreign-item "})
    assert asked.headers["location"] == "/console/why/foreign-item"
    shown = unescape(text_of(browser.get("/console/why/foreign-item").text))
    told: dict[str, Any] = api.get("/api/v1/reasons", params={"line_item": "foreign-item"}).json()
    assert (told["days"][0]["sampled"], told["days"][0]["served"], told["days"][0]["reasons"]) == (1, 1, [])
    assert "Today" in shown and "serves on 100%" in shown
    place.with_token(ADMIN, "write").patch("/api/v1/line_items/foreign-item", json={"paused": True})
    end = time.monotonic() + 5
    while True:
        reasons = api.get("/api/v1/reasons", params={"line_item": "foreign-item"}).json()["days"][0][
            "reasons"
        ]
        if reasons:
            break
        assert time.monotonic() < end, "the line item is not paused"
        time.sleep(0.02)
    (reason,) = reasons
    assert (reason["rule"], reason["share"], reason["sentence"]) == ("paused", 1.0, "Is paused.")
    shown = unescape(text_of(browser.get("/console/why/foreign-item").text))
    assert "100%" in shown and "Paused" in shown and "Is paused." in shown
    explained = api.get("/api/v1/explain", params=reason["example"]).json()
    assert explained["slots"][0]["line_items"][0]["rule"] == "paused"
    unknown = browser.get("/console/why", params={"line_item": "none"})
    assert unknown.status_code == 400 and "There is no line item none." in text_of(unknown.text)


def test_a_page_request_is_explained_as_by_the_api(place: Office) -> None:
    browser = place.signed_in(ADMIN)
    listed = browser.get("/console/why").text
    assert "<b>world" not in listed
    found = {
        text_of(text): unescape(href)
        for href, text in re.findall(r'<a href="(/console/why/page[^"]*)">([^<]*)', listed)
    }
    (href,) = [href for text, href in found.items() if "secret" in text]
    shown = unescape(text_of(browser.get(href).text))
    told = place.with_token(ADMIN, "read").get(href.replace("/console/why/page", "/api/v1/explain")).json()
    (slot,) = told["slots"]
    assert slot["sentence"] in shown
    for line_item in slot["line_items"]:
        assert line_item["line_item"] in shown and line_item["sentence"] in shown


def test_what_is_wrong_with_a_page_is_said_and_what_was_typed_stays(place: Office) -> None:
    browser = place.signed_in(OPS)
    answer = browser.get("/console/why/page", params={"page": '{"site": "daily"', "country": "Nepal"})
    assert answer.status_code == 400
    assert "{&#34;site&#34;: &#34;daily&#34;" in answer.text
    assert "is not an iso 3166-1" in text_of(answer.text).lower()


def test_pages_and_line_items_of_others_are_not_told_of(place: Office) -> None:
    for email in (OPS, BOSS):
        browser = place.signed_in(email)
        assert "secret" not in browser.get("/console/why").text
        assert browser.get("/console/why/foreign-item").status_code == 404
        page = '{"site": "other", "slots": [{"slot": "top"}]}'
        assert browser.get("/console/why/page", params={"page": page}).status_code == 403
        api = place.with_token(email, "read")
        assert api.get("/api/v1/reasons", params={"line_item": "foreign-item"}).status_code == 404
        assert api.get("/api/v1/estimate").json()["sampled"] == 1
    bank = place.signed_in(BANK)
    for address in ("/console/why", "/console/why/foreign-item", "/console/why/page?page=x"):
        assert bank.get(address).status_code == 403, address
    assert place.with_token(BANK, "read").get("/api/v1/reasons?line_item=x").status_code == 403


@pytest.mark.parametrize("email", [OPS, BOSS])
def test_no_explanation_tells_of_what_is_sold_elsewhere(place: Office, email: str) -> None:
    page = {"page": '{"site": "daily", "slots": [{"slot": "article-top"}]}'}
    api, browser = place.with_token(email, "read"), place.signed_in(email)
    told = api.get("/api/v1/explain", params=page)
    shown = browser.get("/console/why/page", params=page)
    assert told.status_code == shown.status_code == 200
    assert "foreign" not in told.text and "foreign" not in shown.text
    (slot,) = told.json()["slots"]
    assert (slot["line_items"], slot["counts"], slot["left_off"]) == ([], {}, 0)
    all_of_it = place.with_token(ADMIN, "read").get("/api/v1/explain", params=page).json()
    assert [one["line_item"] for one in all_of_it["slots"][0]["line_items"]] == ["foreign-item"]
    # A name that is not theirs is answered like one that is nobody's, also of a site that is not theirs.
    for site in ("daily", "other"):
        page = {"page": f'{{"site": "{site}", "slots": [{{"slot": "article-top"}}]}}'}
        answers = [
            api.get("/api/v1/explain", params={**page, "item": name})
            for name in ("foreign-item", "foreign-ixem")
        ]
        assert [answer.status_code for answer in answers] == [400, 400]
        assert answers[0].text.replace("foreign-item", "foreign-ixem") == answers[1].text


def test_the_form_of_a_line_item_says_how_many_page_requests_match(place: Office) -> None:
    ops = place.signed_in(OPS)

    def told(**target: str) -> str:
        given = {f"target-{key}": text for key, text in target.items()}
        answer = ops.post("/console/catalog/estimate", data={"name": "x", **given})
        assert answer.status_code == 200 and "<html" not in answer.text
        return unescape(text_of(answer.text))

    assert "100% of the week's page requests match" in told(section="<b>world")
    none = told(section="sport\nculture", country="NP")
    assert "0% of the week's page requests match" in none and "Lost to section 100%" in none
    assert "By 1 sampled page requests" in none
    assert "No estimate: target.country[0]: 'Nepal' is not" in told(country="Nepal")
    assert "further rules are not JSON" in told(more="{")
    for email in (BOSS, BANK):
        assert place.signed_in(email).post("/console/catalog/estimate", data={}).status_code == 403
    again = place.visitor().post("/console/catalog/estimate", data={})
    assert again.headers["location"].startswith("/console/sign-in")
