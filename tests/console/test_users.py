"""The administrators' pages of users, over a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.console.office import PASSWORD, PEOPLE, Office, office, text_of
from tests.dashboards.payloads import OWN

ADMIN, OPS, BOSS = "admin@news.example", "ops@news.example", "boss@news.example"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("users") / "ads.db") as open_office:
        yield open_office


def address(browser: httpx.Client, email: str) -> str:
    """Where somebody's page is."""
    found = re.search(rf'href="(/console/users/\d+)">{re.escape(email)}<', browser.get("/console/users").text)
    assert found, f"{email} is not listed"
    return found[1]


def link_of(page: str) -> str:
    found = re.search(r"/console/password/[\w-]+", page)
    assert found, text_of(page)
    return found[0]


def test_the_list_tells_role_what_it_is_for_and_state(place: Office) -> None:
    said = text_of(place.signed_in(ADMIN).get("/console/users").text)
    assert re.search(r"ops@news\.example ops Ad ops daily active", said)
    assert re.search(r"bank@bank\.example bank Advertiser himal-bank active", said)
    assert re.search(r"admin@news\.example admin Administrator you everything active", said)


@pytest.mark.parametrize("email", [email for email in PEOPLE if email != ADMIN])
def test_users_are_for_administrators_only(place: Office, email: str) -> None:
    target = address(place.signed_in(ADMIN), BOSS)
    browser = place.signed_in(email)
    assert "/console/users" not in browser.get("/console/").text
    for path in ("/console/users", "/console/users/new", target):
        assert browser.get(path).status_code == 403
    for path in (
        "/console/users/new",
        *(f"{target}/{word}" for word in ("rights", "disable", "enable", "link")),
    ):
        assert browser.post(path, data={"role": "admin", "email": "x@y.example"}).status_code == 403
    assert place.signed_in(BOSS).get("/console/").status_code == 200


def test_an_invitation_shows_its_link_once_and_it_works(place: Office) -> None:
    admin = place.signed_in(ADMIN)
    given = {"email": "sita@news.example", "name": "Sita", "role": "ad_ops", "sites": ["daily"]}
    made = admin.post("/console/users/new", data=given)
    link = link_of(made.text)
    own = address(admin, "sita@news.example")
    assert "/console/password/" not in admin.get(own).text
    assert "invited" in admin.get(own).text
    assert place.visitor().post(link, data={"password": PASSWORD}).status_code == 303
    assert place.signed_in("sita@news.example").get("/console/history").status_code == 200


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(place: Office) -> None:
    admin = place.signed_in(ADMIN)
    wrong = admin.post("/console/users/new", data={"email": "nobody", "name": "Nobody", "role": "publisher"})
    assert wrong.status_code == 400
    said = unescape(text_of(wrong.text))
    assert "'nobody' is not an e-mail address" in said
    assert "needs the sites that it is for" in said
    assert 'value="Nobody"' in wrong.text
    taken = admin.post("/console/users/new", data={"email": OPS, "role": "admin"})
    assert (taken.status_code, "has an account already" in taken.text) == (400, True)
    assert admin.post("/console/users/new", data={"email": "a@b.example", "role": "king"}).status_code == 400


def test_rights_change_from_the_next_request_on(place: Office) -> None:
    admin, ops = place.signed_in(ADMIN), place.signed_in(OPS)
    own = address(admin, OPS)
    changed = admin.post(f"{own}/rights", data={"role": "publisher", "sites": ["daily", "*"]})
    assert changed.status_code == 200
    assert ops.get("/console/history").status_code == 403
    refused = admin.post(f"{own}/rights", data={"role": "advertiser", "sites": ["daily"]})
    assert (refused.status_code, "needs the advertisers" in refused.text) == (400, True)
    assert "Publisher daily" in text_of(admin.get("/console/users").text)
    assert admin.post(f"{own}/rights", data={"role": "ad_ops", "sites": ["daily"]}).status_code == 200
    assert ops.get("/console/history").status_code == 200


def test_who_is_disabled_is_out_at_once_and_comes_back_enabled(place: Office) -> None:
    admin, boss = place.signed_in(ADMIN), place.signed_in(BOSS)
    own = address(admin, BOSS)
    assert admin.post(f"{own}/disable").status_code == 200
    assert boss.get("/console/").status_code == 303
    assert admin.post(f"{own}/link").status_code == 409
    assert admin.post(f"{own}/enable").status_code == 200
    assert place.signed_in(BOSS).get("/console/").status_code == 200
    first, second = (link_of(admin.post(f"{own}/link").text) for _ in range(2))
    assert (place.visitor().get(first).status_code, place.visitor().get(second).status_code) == (404, 200)


def test_nobody_changes_their_own_rights(place: Office) -> None:
    admin = place.signed_in(ADMIN)
    own = address(admin, ADMIN)
    assert f"{own}/rights" not in admin.get(own).text
    for word in ("rights", "disable", "enable"):
        assert admin.post(f"{own}/{word}", data={"role": "publisher", "sites": ["daily"]}).status_code == 409
    assert admin.get("/console/users").status_code == 200
    for absent in ("/console/users/999", f"/console/users/{2**70}"):
        assert admin.get(absent).status_code == 404
        assert admin.post(f"{absent}/disable").status_code == 404


def test_the_first_account_is_an_administrators(tmp_path: Path) -> None:
    with office(tmp_path / "ads.db", people=False) as empty:
        here = empty.visitor()
        assert "Invite yourself first" in here.get("/console/users").text
        given = {"email": OPS, "role": "ad_ops", "sites": ["daily"]}
        assert here.post("/console/users/new", data=given).status_code == 400
        link = link_of(here.post("/console/users/new", data={"email": ADMIN, "role": "admin"}).text)
        assert empty.visitor().post(link, data={"password": PASSWORD}).status_code == 303
        assert empty.signed_in(ADMIN).get("/console/users").status_code == 200


def test_names_that_were_typed_are_text(place: Office) -> None:
    admin = place.signed_in(ADMIN)
    for number, text in enumerate(OWN):
        given = {"email": f"p{number}@news.example", "name": text, "role": "publisher", "sites": [text]}
        assert admin.post("/console/users/new", data=given).status_code == 200
    for path in (
        "/console/users",
        *(address(admin, f"p{number}@news.example") for number in range(len(OWN))),
    ):
        inner = admin.get(path).text.partition("<main")[2]
        assert not re.search(r"<(script|img|svg|b)\b", inner), path
    assert "{{ 7 * 7 }}" in admin.get("/console/users").text
