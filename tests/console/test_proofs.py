"""Proofs over a real server: a link, an advertiser without an account, and creatives that then run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import httpx2 as httpx
import pytest

from adserver.catalog.model import Catalog
from tests.console.office import SAMPLE, Office, office, text_of
from tests.dashboards.payloads import payloads

ADMIN, OPS, BOSS, BANK = "admin@news.example", "ops@news.example", "boss@news.example", "bank@bank.example"
ITEM, CREATIVE = "savings-top", "savings-970"


def waiting() -> Catalog:
    """The sample, its creative not approved yet."""
    tables = SAMPLE.model_dump(mode="json", exclude_defaults=True)
    (creative,) = tables["advertiser"][0]["campaign"][0]["line_item"][0]["creative"]
    creative["approved"] = False
    return Catalog.model_validate(tables)


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("proofs") / "ads.db", catalog=waiting()) as open_office:
        yield open_office


def link_from(browser: httpx.Client, kind: str = "line_item", name: str = ITEM, days: str = "7") -> str:
    """The path of a link that was just made."""
    made = browser.post("/console/proofs", data={"kind": kind, "of": name, "days": days})
    found = re.search(r'id="link">[^<]*(/console/proof/[^<]+)</code>', made.text)
    assert found, text_of(made.text)
    return found[1]


def form(page: str, **given: str) -> dict[str, str]:
    """What the first form of a proof sends."""
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    return {**hidden, "name": "Maya", "comment": "", "verdict": "approved", **given}


def approved(place: Office) -> object:
    return place.with_token(ADMIN, "read").get(f"/api/v1/creatives/{CREATIVE}").json().get("approved", True)


def test_an_advertiser_without_an_account_approves_and_the_creative_may_run(place: Office) -> None:
    link, visitor = link_from(place.signed_in(OPS)), place.visitor()
    page = visitor.get(link)
    said = unescape(text_of(page.text))
    assert f"Creatives of {ITEM}" in said and "waits for you" in said
    assert page.headers["referrer-policy"] == "no-referrer"
    drawn = visitor.get(f"{link}/{CREATIVE}")
    assert 'width="970" height="250"' in drawn.text
    assert drawn.headers["content-security-policy"].startswith("sandbox")
    assert approved(place) is False
    taken = visitor.post(link, data=form(page.text, comment="Lovely"))
    assert (taken.status_code, taken.headers["location"]) == (303, f"{link}?thanks=1")
    assert approved(place) is True
    (step,) = place.with_token(ADMIN, "read").get("/api/v1/history?limit=1").json()
    assert (step["author"], step["note"]) == ("Maya (proof 1)", "Lovely")
    shown = unescape(text_of(place.signed_in(OPS).get(f"/console/catalog/line_item/{ITEM}").text))
    assert "approved Maya of savings-970 just now" in shown and "Lovely" in shown


def test_what_should_be_different_is_said_and_changes_nothing(place: Office) -> None:
    ops, visitor = place.signed_in(OPS), place.visitor()
    link = link_from(ops, "campaign", "himal-bank/savings")
    page = visitor.get(link).text
    silent = visitor.post(link, data=form(page, verdict="changes"))
    assert silent.status_code == 400 and "say what should be different" in text_of(silent.text)
    nobody = visitor.post(link, data=form(page, name="", comment="Bluer"))
    assert nobody.status_code == 400 and "Bluer" in nobody.text
    texts = [text for text in payloads() if len(text) < 500][:30]
    for text in texts:
        answer = visitor.post(link, data=form(page, verdict="changes", comment=text or "x", name="<b>M"))
        assert answer.status_code in (303, 400)
    html = ops.get(f"/console/catalog/creative/{CREATIVE}").text
    assert "asks for changes" in html and "<b>M" not in html
    assert not re.search(r"<script(?![^>]*src=)|<img[^>]*onerror=alert", html)
    assert approved(place) is False
    listed = place.with_token(OPS, "read").get("/api/v1/proofs?kind=campaign&name=himal-bank/savings").json()
    assert [link["id"] for link in listed["links"]] == [1] and len(listed["answers"]) > 5


def test_a_creative_that_was_changed_meanwhile_is_looked_at_again(place: Office) -> None:
    link, visitor = link_from(place.signed_in(OPS)), place.visitor()
    page = visitor.get(link).text
    change = place.with_token(OPS, "write")
    change.patch(f"/api/v1/creatives/{CREATIVE}", json={"image": "https://cdn.example/other.png"})
    late = visitor.post(link, data=form(page))
    assert late.status_code == 409 and "changed since you opened it" in text_of(late.text)
    assert approved(place) is False
    assert visitor.post(link, data=form(late.text)).status_code == 303


def test_a_link_that_is_revoked_or_made_up_opens_nothing(place: Office) -> None:
    ops, visitor = place.signed_in(OPS), place.visitor()
    link = link_from(ops)
    page = visitor.get(link).text
    back = ops.post("/console/proofs/1/revoke", data={"kind": "line_item", "of": ITEM})
    assert back.headers["location"] == f"/console/catalog/line_item/{ITEM}"
    assert "Link 1" not in ops.get(back.headers["location"]).text
    for answer in (
        visitor.get(link),
        visitor.get(f"{link}/{CREATIVE}"),
        visitor.post(link, data=form(page)),
        visitor.get("/console/proof/x"),
    ):
        assert answer.status_code == 404
    assert approved(place) is False


def test_a_link_opens_its_own_creatives_only_and_no_foreign_page_answers_by_it(place: Office) -> None:
    api = place.with_token(ADMIN, "write")
    copy = {"kind": "line_item", "name": ITEM, "to": "other", "set": {"paused": True}}
    assert api.post("/api/v1/copy", json=copy).status_code == 200
    link, visitor = link_from(place.signed_in(OPS), name="other"), place.visitor()
    page = visitor.get(link).text
    assert visitor.get(f"{link}/{CREATIVE}").status_code == 404
    assert visitor.post(link, data=form(page, creative=CREATIVE)).status_code == 404
    foreign = visitor.post(link, data=form(page), headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403 and approved(place) is False


def test_who_may_not_change_makes_no_links(place: Office) -> None:
    for email in (BANK, BOSS):
        browser = place.signed_in(email)
        made = browser.post("/console/proofs", data={"kind": "line_item", "of": ITEM, "days": "7"})
        assert made.status_code == (403 if email == BANK else 404)
        asked = {"kind": "line_item", "name": ITEM}
        answer = place.with_token(email, "write").post("/api/v1/proofs", json=asked)
        assert answer.status_code == (403 if email == BANK else 404)
    link_from(place.signed_in(OPS))
    assert place.signed_in(BANK).post("/console/proofs/1/revoke").status_code == 403
    assert place.signed_in(BOSS).post("/console/proofs/1/revoke").status_code == 404
    api = place.with_token(OPS, "write")
    assert api.post("/api/v1/proofs", json={"kind": "line_item", "name": ITEM, "days": 91}).status_code == 422
    made = api.post("/api/v1/proofs", json={"kind": "line_item", "name": ITEM}).json()
    assert place.visitor().get(made["url"].partition("8000")[2]).status_code == 200
    assert api.delete(f"/api/v1/proofs/{made['id']}").status_code == 204
    assert api.delete("/api/v1/proofs/99").status_code == 404
