"""The way into the console over a real server: forms, cookies, links, and what keeps others out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest

from adserver.accounts.accounts import Accounts
from adserver.clock import system_clock
from adserver.console.sign_in import browser_of, next_of
from adserver.engines.account_store import AccountStore
from adserver.engines.sql import sqlite_url
from adserver.settings import Settings
from tests.console.office import PASSWORD, PEOPLE, Office, office, text_of

ADMIN = "admin@news.example"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("console") / "ads.db") as open_office:
        yield open_office


def test_nobody_is_sent_to_sign_in_and_comes_back(place: Office) -> None:
    visitor = place.visitor()
    sent = visitor.get("/console/account")
    assert (sent.status_code, sent.headers["location"]) == (303, "/console/sign-in?next=/console/account")
    form = visitor.get(sent.headers["location"])
    assert 'value="/console/account"' in form.text
    wrong = visitor.post("/console/sign-in", data={"email": ADMIN, "password": "not this one at all"})
    assert wrong.status_code == 401
    assert "do not match an account" in wrong.text
    given = {"email": ADMIN, "password": PASSWORD, "next": "/console/account"}
    right = visitor.post("/console/sign-in", data=given)
    assert (right.status_code, right.headers["location"]) == (303, "/console/account")
    assert ADMIN in visitor.get("/console/account").text


def test_the_cookie_is_for_this_server_only_and_new_at_each_sign_in(place: Office) -> None:
    browser = place.visitor()
    cookies = []
    for _ in range(2):
        answer = browser.post("/console/sign-in", data={"email": ADMIN, "password": PASSWORD})
        cookies.append(answer.headers["set-cookie"])
    assert all("HttpOnly" in cookie and "SameSite=lax" in cookie for cookie in cookies)
    first, second = (re.match("adserver=([^;]+)", cookie)[1] for cookie in cookies)  # type: ignore[index]
    assert first != second
    old = place.visitor()
    old.cookies.set("adserver", first)
    assert old.get("/console/").status_code == 303  # ended by the second
    tls = place.visitor()
    tls.headers["x-forwarded-proto"] = "https"
    answer = tls.post("/console/sign-in", data={"email": ADMIN, "password": PASSWORD})
    assert re.match("__Host-adserver=.*; Secure", answer.headers["set-cookie"])


def test_signing_out_ends_the_session(place: Office) -> None:
    browser = place.signed_in(ADMIN)
    kept = dict(browser.cookies)
    assert browser.post("/console/sign-out").status_code == 303
    again = place.visitor()
    again.cookies.update(kept)
    assert again.get("/console/").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
        {"sec-fetch-site": "", "origin": "null"},
    ],
)
@pytest.mark.parametrize("path", ["/console/sign-out", "/console/sign-in", "/console/account/token"])
def test_a_form_of_another_site_is_refused(place: Office, headers: dict[str, str], path: str) -> None:
    browser = place.signed_in(ADMIN)
    if not headers["sec-fetch-site"]:
        del browser.headers["sec-fetch-site"]
        headers = {name: value for name, value in headers.items() if value}
    answer = browser.post(path, data={"email": ADMIN, "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert browser.get("/console/", headers={"sec-fetch-site": "cross-site"}).status_code == 200  # still in


@pytest.mark.parametrize("email", PEOPLE)
def test_every_page_has_its_strict_headers(place: Office, email: str) -> None:
    browser = place.signed_in(email)
    for path in ("/console/", "/console/account", "/console/sign-in", "/console/password/x"):
        answer = browser.get(path)
        assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=", answer.text), path


def test_a_second_factor_is_set_up_and_asked_for(place: Office) -> None:
    email = "bank@bank.example"
    browser = place.signed_in(email)
    offered = browser.get("/console/account?totp=1").text
    secret = re.search(r'name="secret" value="([A-Z2-7]+)"', offered)[1]  # type: ignore[index]
    wrong = browser.post("/console/account/totp", data={"secret": secret, "code": "12345"})
    assert wrong.status_code == 400
    now = system_clock()
    code = pyotp.TOTP(secret).at(now)
    assert browser.post("/console/account/totp", data={"secret": secret, "code": code}).status_code == 200
    other = place.visitor()
    asked = other.post("/console/sign-in", data={"email": email, "password": PASSWORD})
    assert 'name="code"' in asked.text
    later = pyotp.TOTP(secret).at(now, counter_offset=1)
    given = {"email": email, "password": PASSWORD, "code": later}
    assert other.post("/console/sign-in", data=given).status_code == 303


def test_a_token_is_shown_once_and_revoked(place: Office) -> None:
    browser = place.signed_in(ADMIN)
    made = browser.post(
        "/console/account/token", data={"name": "<b>nightly", "days": "9", "scopes": ["read"]}
    )
    token = re.search(r"adsrv_[\w-]+", made.text)[0]  # type: ignore[index]
    page = browser.get("/console/account").text
    assert token not in page
    assert "&lt;b&gt;nightly" in page
    program = place.visitor()
    program.headers["authorization"] = f"Bearer {token}"
    assert program.get("/console/").status_code == 200
    number = re.search(r'name="token" value="(\d+)"', page)[1]  # type: ignore[index]
    browser.post("/console/account/revoke", data={"token": number})
    assert program.get("/console/").status_code != 200
    refused = browser.post("/console/account/token", data={"name": "", "days": "x"})
    assert refused.status_code == 400
    assert "is missing: what the token is for" in text_of(refused.text).replace("Is", "is")


def test_a_token_does_only_what_its_scopes_say(place: Office) -> None:
    assert place.with_token(ADMIN, "reports").get("/console/").status_code == 403
    assert place.with_token(ADMIN, "read").get("/console/").status_code == 200
    assert place.with_token(ADMIN, "read").post("/console/sign-out").status_code == 403
    writes = place.with_token(ADMIN, "write")
    more = {"name": "x", "days": "300", "scopes": ["read", "write", "reports"]}
    assert writes.post("/console/account/token", data=more).status_code == 403
    assert writes.get("/console/account?totp").status_code == 403


def test_an_invitation_sets_a_password_by_its_page(place: Office) -> None:
    async def invite() -> str:
        store = await AccountStore.open(sqlite_url(place.db))
        _, token = await Accounts(store, system_clock, Settings()).add_user("new@news.example", "", "admin")
        await store.close()
        return token

    path = f"/console/password/{asyncio.run(invite())}"
    visitor = place.visitor()
    assert "new@news.example" in visitor.get(path).text
    weak = visitor.post(path, data={"password": "short"})
    assert (weak.status_code, "15 to 256 characters" in weak.text) == (400, True)
    assert visitor.post(path, data={"password": PASSWORD}).headers["location"] == "/console/sign-in"
    assert visitor.get(path).status_code == 404
    assert place.signed_in("new@news.example").get("/console/").status_code == 200


def test_while_nobody_has_an_account_only_this_machine_is_let_in(tmp_path: Path) -> None:
    with office(tmp_path / "ads.db", people=False) as empty:
        visitor = empty.visitor()
        assert "this machine" in visitor.get("/console/").text
        assert visitor.get("/console/", headers={"x-forwarded-for": "203.0.113.9"}).status_code == 403
        assert visitor.get("/console/", headers={"host": "rebound.example"}).status_code == 403


@pytest.mark.parametrize(
    "given",
    ["", "//evil.example", "https://evil.example/console/", "/console/\\evil", "/console/\r\nx: y", "/v1/"],
)
def test_after_signing_in_nobody_is_sent_elsewhere(given: str) -> None:
    assert next_of(given) == "/console/"


def test_pages_of_ours_may_follow() -> None:
    assert next_of("/console/account") == "/console/account"
    assert next_of("/reports/?period=7d") == "/reports/?period=7d"


def test_browsers_are_called_what_people_call_them() -> None:
    firefox = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0"
    assert browser_of(firefox) == "Firefox on macOS"
    assert browser_of("curl/8") == ""
