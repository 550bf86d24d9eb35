"""Users, sessions, tokens and links over a real file, on virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pyotp
import pytest

from adserver.accounts.accounts import Accounts, Refusal, SignedIn
from adserver.accounts.model import Principal, Role, Scope
from adserver.engines.account_store import AccountStore
from adserver.engines.sql import sqlite_url
from adserver.errors import InvalidInput
from adserver.settings import Settings

Result = TypeVar("Result")
START = datetime(2026, 11, 25, 9, tzinfo=UTC)
PASSWORD = "seven rivers meet below"


class Office:
    """Accounts over one file, and the hands of the clock."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.now = START

    async def hire(self, email: str, role: Role = Role.ADMIN, sites: tuple[str, ...] = ()) -> int:
        """Somebody with a password → their id."""
        user, link = await self.accounts.add_user(email, "", role, sites)
        assert await self.accounts.set_password(link, PASSWORD)
        return user.id

    async def enter(self, email: str, password: str = PASSWORD, code: str = "") -> SignedIn | Refusal:
        return await self.accounts.sign_in(email, password, code, address="203.0.113.9", agent="Firefox")

    async def token_of(self, email: str) -> str:
        signed_in = await self.enter(email)
        assert isinstance(signed_in, SignedIn)
        return signed_in.token


def in_office(url: str, use: Callable[[Office], Awaitable[Result]], **settings: int) -> Result:
    async def opened() -> Result:
        store = await AccountStore.open(url)
        try:
            office: Office
            accounts = Accounts(store, lambda: office.now, Settings(**settings))  # type: ignore[arg-type]
            office = Office(accounts)
            return await use(office)
        finally:
            await store.close()

    return asyncio.run(opened())


def test_an_invited_person_sets_a_password_once_and_signs_in(url: str) -> None:
    async def use(office: Office) -> None:
        user, link = await office.accounts.add_user(" Sita@News.example ", "Sita", "ad_ops", ["daily"])
        assert user.email == "sita@news.example"
        assert await office.enter("sita@news.example") is Refusal.WRONG  # no password yet
        assert await office.accounts.set_password(link, PASSWORD)
        assert await office.accounts.set_password(link, PASSWORD) is None
        signed_in = await office.enter("SITA@news.example")
        assert isinstance(signed_in, SignedIn)
        expected = Principal(user.id, "sita@news.example", "Sita", Role.AD_OPS, frozenset({"daily"}))
        assert signed_in.principal == await office.accounts.by_session(signed_in.token) == expected

    in_office(url, use)


def test_no_secret_is_in_the_file(tmp_path: Path) -> None:
    db = tmp_path / "accounts.db"

    async def use(office: Office) -> list[str]:
        user_id = await office.hire("sita@news.example")
        _, token = await office.accounts.new_token(user_id, "export", [Scope.REPORTS], 10)
        return [await office.token_of("sita@news.example"), token, await office.accounts.new_link(user_id)]

    secrets = [PASSWORD, *in_office(sqlite_url(db), use)]
    with closing(sqlite3.connect(db)) as connection:
        stored = "\n".join(connection.iterdump())
    assert "$argon2id$" in stored
    assert [secret for secret in secrets if secret in stored] == []


@pytest.mark.parametrize("spoil", ["sign out", "idle", "old", "disabled", "new password"])
def test_a_session_ends(url: str, spoil: str) -> None:
    async def use(office: Office) -> None:
        accounts, user_id = office.accounts, await office.hire("sita@news.example")
        token = await office.token_of("sita@news.example")
        if spoil == "sign out":
            await accounts.sign_out(token)
        elif spoil == "idle":
            office.now += timedelta(hours=73)
        elif spoil == "old":
            for _ in range(31):
                assert await accounts.by_session(token)
                office.now += timedelta(days=1)
        elif spoil == "disabled":
            await accounts.disable(user_id)
        else:
            link = await accounts.new_link(user_id)
            assert await accounts.set_password(link, "another river, far away")
        assert await accounts.by_session(token) is None

    in_office(url, use)


def test_after_too_many_failures_not_even_the_right_password_is_tried(url: str) -> None:
    async def use(office: Office) -> None:
        await office.hire("sita@news.example")
        await office.hire("ram@news.example")
        tries = [await office.enter("sita@news.example", "a wrong password") for _ in range(4)]
        assert tries == [Refusal.WRONG] * 3 + [Refusal.TOO_MANY]
        assert await office.enter("sita@news.example") is Refusal.TOO_MANY
        assert isinstance(await office.enter("ram@news.example"), SignedIn)
        office.now += timedelta(minutes=15)
        assert isinstance(await office.enter("sita@news.example"), SignedIn)

    in_office(url, use, max_sign_in_failures=3)


def test_attempts_side_by_side_do_not_slip_through(url: str) -> None:
    async def use(office: Office) -> None:
        await office.hire("sita@news.example")
        tries = await asyncio.gather(*(office.enter("sita@news.example", "a wrong one") for _ in range(6)))
        assert sorted(map(str, tries)) == sorted(["wrong"] * 2 + ["too_many"] * 4)

    in_office(url, use, max_sign_in_failures=2)


def test_one_address_may_not_try_many_accounts(url: str) -> None:
    async def use(office: Office) -> None:
        tries = [await office.enter(f"user-{n}@news.example") for n in range(4)]
        assert tries == [Refusal.WRONG] * 3 + [Refusal.TOO_MANY]

    in_office(url, use, max_sign_in_failures_per_address=3)


def test_a_second_factor_is_asked_for_and_each_code_is_good_for_once(url: str) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

    def code(at: datetime) -> str:
        return pyotp.TOTP(secret).at(at)

    async def use(office: Office) -> None:
        user_id = await office.hire("sita@news.example")
        assert not await office.accounts.begin_totp(user_id, secret, "000000")
        assert not await office.accounts.begin_totp(user_id, "no secret", code(office.now))
        assert await office.accounts.begin_totp(user_id, secret, code(office.now))
        assert await office.enter("sita@news.example") is Refusal.CODE_NEEDED
        assert await office.enter("sita@news.example", code=code(office.now)) is Refusal.WRONG_CODE  # used
        office.now += timedelta(seconds=30)
        spaced = f"{code(office.now)[:3]} {code(office.now)[3:]}"
        assert isinstance(await office.enter("sita@news.example", code=spaced), SignedIn)
        assert await office.enter("sita@news.example", code=code(office.now)) is Refusal.WRONG_CODE
        assert await office.enter("sita@news.example", "a wrong one", code=code(office.now)) is Refusal.WRONG
        await office.accounts.end_totp(user_id)
        assert isinstance(await office.enter("sita@news.example"), SignedIn)

    in_office(url, use)


def test_a_link_holds_for_its_hours_and_only_the_newest(url: str) -> None:
    async def use(office: Office) -> None:
        user, first = await office.accounts.add_user("sita@news.example", "", "admin")
        second = await office.accounts.new_link(user.id)
        assert await office.accounts.link(first) is None
        assert await office.accounts.link(second) == user
        office.now += timedelta(hours=72)
        assert await office.accounts.set_password(second, PASSWORD) is None

    in_office(url, use)


def test_a_token_is_narrowed_to_its_scopes_and_ends(url: str) -> None:
    async def use(office: Office) -> None:
        accounts, user_id = office.accounts, await office.hire("sita@news.example", Role.AD_OPS, ("daily",))
        row, token = await accounts.new_token(user_id, "nightly", [Scope.WRITE], 10)
        found = await accounts.by_bearer(token)
        assert found
        assert [found.may(scope) for scope in Scope] == [True, True, False, False]
        assert found.sites == {"daily"}
        assert await accounts.by_bearer(token + "x") is None
        office.now += timedelta(days=10)
        assert await accounts.by_bearer(token) is None
        row, token = await accounts.new_token(user_id, "nightly", [Scope.WRITE], 10)
        assert await accounts.by_bearer(token)
        assert await accounts.store.remove_token(user_id, row.id)
        assert await accounts.by_bearer(token) is None
        assert not await accounts.store.remove_token(user_id, row.id)

    in_office(url, use)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (("no address", "", "admin", (), ()), {"email"}),
        (("a@b.example", "", "owner", (), ()), {"role"}),
        (("a@b.example", "", "publisher", (), ()), {"sites"}),
        (("a@b.example", "", "publisher", ("*",), ()), {"sites"}),
        (("a@b.example", "", "admin", ("daily",), ()), {"sites"}),
        (("a@b.example", "", "advertiser", ("daily",), ()), {"sites", "advertisers"}),
        (("a@b.example", "", "ad_ops", ("daily",), ("bank",)), {"advertisers"}),
        (("taken@b.example", "", "admin", (), ()), {"email"}),
    ],
)
def test_what_is_wrong_with_a_new_user_is_said_at_once(
    url: str, given: tuple[str, str, str, tuple[str, ...], tuple[str, ...]], wrong: set[str]
) -> None:
    async def use(office: Office) -> None:
        await office.accounts.add_user("taken@b.example", "", "admin")
        with pytest.raises(InvalidInput) as caught:
            await office.accounts.add_user(*given)
        assert {fault.key for fault in caught.value.faults} == wrong
        assert len(await office.accounts.store.users()) == 1

    in_office(url, use)


@pytest.mark.parametrize("password", ["short", "x" * 257, "aaaaaaaaaaaaaaaa", "sita-sita-sita-sita"])
def test_a_weak_password_is_refused_and_the_link_stays_good(url: str, password: str) -> None:
    async def use(office: Office) -> None:
        _, link = await office.accounts.add_user("sita@news.example", "", "admin")
        with pytest.raises(InvalidInput, match="password"):
            await office.accounts.set_password(link, password)
        assert await office.accounts.set_password(link, PASSWORD)

    in_office(url, use)
