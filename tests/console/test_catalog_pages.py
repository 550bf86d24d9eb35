"""The catalog as ad ops click it: from nothing to a serving campaign, and what is refused."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx2 as httpx
import pytest

from adserver.catalog.file import dump
from adserver.catalog.model import Catalog
from tests.console.office import SAMPLE, Office, office, text_of
from tests.dashboards.payloads import payloads

ADMIN, OPS, BOSS = "admin@news.example", "ops@news.example", "boss@news.example"
ITEM = "/console/catalog/line_item/savings-top"


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("pages") / "ads.db") as open_office:
        yield open_office


@pytest.fixture
def browser(place: Office) -> httpx.Client:
    return place.signed_in(ADMIN)


class _Forms(HTMLParser):
    """What browsers would send of each form of a page, none of it touched (HTML, "form data set")."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self._area = self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.forms.append({})
        elif not self.forms:
            return
        elif tag == "input" and name:
            ticked = given.get("type") not in ("checkbox", "radio") or "checked" in given
            default = "on" if given.get("type") == "checkbox" else ""
            if ticked:
                self.forms[-1][name] = given.get("value", default).replace("\r", "").replace("\n", "")
        elif tag == "textarea":
            self._area = name
            self.forms[-1][name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in given or self._select not in self.forms[-1]):
            self.forms[-1][self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            text = self.forms[-1][self._area].replace("\r\n", "\n").replace("\r", "\n")
            self.forms[-1][self._area] = text.removeprefix("\n").replace("\n", "\r\n")
            self._area = ""

    def handle_data(self, text: str) -> None:
        if self._area:
            self.forms[-1][self._area] += text


def form_of(html: str) -> dict[str, str]:
    """What the form of an object would send as it is."""
    page = _Forms()
    page.feed(html)
    return max((form for form in page.forms if "archive" not in form), key=len)


def test_saving_a_form_as_it_is_changes_nothing(place: Office, browser: httpx.Client) -> None:
    api = place.with_token(ADMIN, "read")
    before = api.get("/api/v1/catalog").text
    links = {"/console/catalog/"}
    seen: set[str] = set()
    while links - seen:
        address = (links - seen).pop()
        seen.add(address)
        html = browser.get(address).text
        links |= set(re.findall(r'href="(/console/catalog/(?!new)[^"?]+)"', html))
        if address != "/console/catalog/":
            saved = browser.post(address, data=form_of(html))
            assert saved.status_code == 303, (address, text_of(saved.text))
    assert len(seen) == 7
    assert api.get("/api/v1/catalog").text == before == dump(SAMPLE)


def test_from_an_empty_database_to_a_serving_campaign(tmp_path_factory: pytest.TempPathFactory) -> None:
    with office(tmp_path_factory.mktemp("empty") / "ads.db", catalog=Catalog()) as place:
        browser = place.signed_in(ADMIN)
        assert "Begin with one" in browser.get("/console/catalog/").text
        steps: list[tuple[str, str, dict[str, str]]] = [
            (
                "site",
                "",
                {"name": "hills", "domain": "hills.example", "timezone": "Asia/Kathmandu", "currency": "NPR"},
            ),
            ("slot", "hills", {"name": "top", "sizes": "728x90\n300x250", "floor": "0.10"}),
            ("advertiser", "", {"name": "tea"}),
            ("campaign", "tea", {"name": "autumn"}),
            (
                "line_item",
                "tea/autumn",
                {
                    "name": "tea-top",
                    "tier": "price",
                    "price": "2.50",
                    "price-which": "cpm",
                    "target-slot": "top",
                    "caps": "3 per 1d",
                },
            ),
            (
                "creative",
                "tea-top",
                {
                    "name": "tea-728",
                    "kind": "image",
                    "size": "728x90",
                    "alt": "Tea",
                    "approved": "on",
                    "image": "https://cdn.example/tea.png",
                    "click": "https://tea.example/",
                },
            ),
        ]
        for kind, parent, given in steps:
            answer = browser.post(f"/console/catalog/new/{kind}", data={"in": parent, **given})
            assert answer.status_code == 303, text_of(answer.text)
            shown = browser.get(answer.headers["location"])
            assert given["name"] in shown.text
        page = {"site": "hills", "slots": [{"slot": "top"}], "tally": ""}
        end = time.monotonic() + 5
        while "creative" not in (fill := place.visitor().post("/v1/fill", json=page).json()["fills"][0]):
            assert time.monotonic() < end, fill
            time.sleep(0.02)
        assert (fill["line_item"], fill["size"]) == ("tea-top", "728x90")


def test_dates_are_typed_in_the_time_of_the_site(browser: httpx.Client) -> None:
    form = form_of(browser.get(ITEM).text)
    assert form["start"] == "2026-11-01T00:00:00"
    browser.post(ITEM, data=form | {"start": "2026-11-02T06:00"})
    assert form_of(browser.get(ITEM).text)["start"] == "2026-11-02T06:00:00"


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(browser: httpx.Client) -> None:
    form = form_of(browser.get(ITEM).text)
    wrong = {
        "price": "four",
        "goal": "many",
        "caps": "3 a day",
        "target-more": "{",
        "end": "2026-10-01T00:00",
    }
    unreadable = browser.post(ITEM, data=form | wrong)
    assert unreadable.status_code == 400
    for sentence in ("is not a whole number", "is not a cap such as 3 per 1d", "further rules are not JSON"):
        assert sentence.lower() in unreadable.text.lower()
    assert "3 a day" in unreadable.text
    refused = browser.post(
        ITEM, data=form | {"price": "four", "end": "2026-10-01T00:00", "target-site": "dayly"}
    )
    for sentence in ("is not an amount", "is not after start", "there is no site"):
        assert sentence in text_of(refused.text).lower(), sentence
    assert "four" in refused.text


def test_two_people_at_one_line_item_the_second_is_told_and_nothing_is_lost(place: Office) -> None:
    first, second = place.signed_in(ADMIN), place.signed_in(OPS)
    forms = [form_of(browser.get(ITEM).text) for browser in (first, second)]
    theirs = {"price": "5.00", "labels": "tea", "target-section": "asia"}
    assert first.post(ITEM, data=forms[0] | theirs).status_code == 303
    mine = {"price": "6.00", "pacing": "asap", "target-country": "NP"}
    conflict = second.post(ITEM, data=forms[1] | mine)
    assert conflict.status_code == 409
    assert "Price 4.50 cpm 5.00 cpm 6.00 cpm" in text_of(conflict.text)
    assert "Labels bank tea not touched" in text_of(conflict.text)
    assert "Targeting: sections world asia not touched" in text_of(conflict.text)
    shown = form_of(conflict.text)
    both = {**theirs, **mine}
    assert {key: shown[key] for key in both} == both
    assert second.post(ITEM, data=shown).status_code == 303
    saved = place.with_token(ADMIN, "read").get("/api/v1/line_items/savings-top").json()
    assert (saved["price"], saved["labels"], saved["pacing"]) == ({"cpm": "6.00"}, ["tea"], "asap")
    assert (saved["target"]["section"], saved["target"]["country"]) == (["asia"], ["NP"])


def test_whoever_mends_a_fault_does_not_overwrite_what_another_changed_since(place: Office) -> None:
    first, second = place.signed_in(ADMIN), place.signed_in(OPS)
    form = form_of(second.get(ITEM).text)
    first.post(ITEM, data=form_of(first.get(ITEM).text) | {"labels": "tea"})
    wrong = second.post(ITEM, data=form | {"price": "four", "caps": "x"})
    assert wrong.status_code == 400
    assert second.post(ITEM, data=form_of(wrong.text) | {"price": "6.00", "caps": ""}).status_code == 409
    first.post(ITEM, data={"archive": "yes"})
    assert second.post(ITEM, data=form | {"price": "7.00"}).status_code == 404


def test_an_object_is_archived_with_what_it_holds(place: Office, browser: httpx.Client) -> None:
    gone = browser.post("/console/catalog/advertiser/himal-bank", data={"archive": "yes", "version": "1"})
    assert gone.headers["location"] == "/console/catalog/"
    assert browser.get(ITEM).status_code == 404
    assert place.with_token(ADMIN, "read").get("/api/v1/line_items").json()["items"] == []


def test_a_copy_begins_with_what_the_other_has(browser: httpx.Client) -> None:
    html = browser.get(ITEM).text
    address = re.search(r'href="([^"]*copy=[^"]*)"', html)[1].replace("&amp;", "&")  # type: ignore[index]
    form = form_of(browser.get(address).text)
    assert (form["name"], form["price"], form["tier"]) == ("", "4.50", "guaranteed")
    assert (
        browser.post("/console/catalog/new/line_item", data=form | {"name": "savings-2"}).status_code == 303
    )


def test_who_may_not_change_sees_no_buttons_and_is_refused(place: Office) -> None:
    boss = place.signed_in(BOSS)
    html = boss.get("/console/catalog/site/daily").text
    assert "Save" not in html and "Archive" not in html
    assert boss.get(ITEM).status_code == 404
    assert (
        boss.post("/console/catalog/site/daily", data=form_of(html) | {"currency": "NPR"}).status_code == 403
    )
    ops = place.signed_in(OPS)
    refused = ops.post("/console/catalog/new/advertiser", data={"name": "everywhere"})
    assert "is not yours to change" in text_of(refused.text).lower()


def test_what_people_type_is_shown_as_typed(browser: httpx.Client) -> None:
    form = form_of(browser.get(ITEM).text)
    texts = [payload.strip()[:200] for payload in payloads() if payload.strip().isprintable()][:40]
    assert len(texts) > 5
    saved = browser.post(ITEM, data=form | {"labels": "\n".join(texts)})
    assert saved.status_code == 303, text_of(saved.text)
    html = browser.get(ITEM).text
    assert not re.search(r"<script(?![^>]*src=)|<img[^>]*onerror|<svg[^>]*onload", html)


def test_archived_or_unknown_is_not_there(place: Office, browser: httpx.Client) -> None:
    for address in ("site/none", "nothing/daily", "slot/daily", "new/nothing", "new/slot?in=none"):
        assert browser.get(f"/console/catalog/{address}").status_code == 404, address
    nowhere = browser.get("/console/campaigns/none")
    assert nowhere.status_code == 404
    assert "There is no such page" in nowhere.text and "Go to the console" in nowhere.text
    assert place.visitor().get("/console/campaigns/none").status_code == 303, (
        "who is not known signs in first"
    )
