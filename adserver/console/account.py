"""A user → the page of their own account: where they are signed in, second factor, API tokens."""

from __future__ import annotations

from typing import Any

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.accounts import credentials
from adserver.accounts.accounts import Accounts
from adserver.accounts.model import Scope
from adserver.clock import from_ms
from adserver.console.forms import form_of, number, one
from adserver.console.pages import Answer, by_key, go_to, only, page
from adserver.console.sign_in import SIGN_IN
from adserver.errors import Fault, InvalidInput
from adserver.web.door import keep_session, principal_of, session_of

_ACCOUNT = "/console/account"
_WRONG_CODE = Fault("", "code", "is not right; wait for the next one")


class Account:
    """Behind the door, for somebody with an account."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        forms = {
            "totp": self._totp_on,
            "totp-off": self._totp_off,
            "sign-out-others": self._sign_out_others,
            "token": self._make_token,
            "revoke": self._revoke,
        }
        posts = [
            Route(f"/account/{name}", _in_person(answer), methods=["POST"]) for name, answer in forms.items()
        ]
        own = Route("/account", _in_person(self._open))
        return [own, Route("/sign-out", self._sign_out, methods=["POST"]), *posts]

    async def _open(self, request: Request) -> Response:
        setting_up = "totp" in request.query_params
        return await self._show(request, secret=credentials.new_totp_secret() if setting_up else "")

    async def _totp_on(self, request: Request) -> Response:
        form = await form_of(request)
        secret = one(form, "secret")
        if await self._accounts.begin_totp(principal_of(request).user_id, secret, one(form, "code")):
            return await self._show(request, notice="The second factor is on.")
        return await self._show(request, faults=[_WRONG_CODE], secret=secret)

    async def _totp_off(self, request: Request) -> Response:
        user = await self._accounts.store.user(principal_of(request).user_id)
        secret, code = user.totp_secret if user else None, one(await form_of(request), "code")
        if user and secret and await self._accounts.begin_totp(user.id, secret, code):
            await self._accounts.end_totp(user.id)
            return await self._show(request, notice="The second factor is off.")
        return await self._show(request, faults=[_WRONG_CODE])

    async def _sign_out_others(self, request: Request) -> Response:
        own = credentials.digest_of(session_of(request) or "")
        await self._accounts.store.end_sessions(principal_of(request).user_id, but=own)
        return await self._show(request, notice="All other browsers are signed out.")

    async def _make_token(self, request: Request) -> Response:
        form = await form_of(request)
        user_id, days = principal_of(request).user_id, number(form, "days") or 0
        try:
            _, token = await self._accounts.new_token(
                user_id, one(form, "name"), form.get("scopes", []), days
            )
        except InvalidInput as error:
            return await self._show(request, faults=error.faults)
        return await self._show(request, token=token)

    async def _revoke(self, request: Request) -> Response:
        token = number(await form_of(request), "token")
        if token is not None:
            await self._accounts.store.remove_token(principal_of(request).user_id, token)
        return go_to(_ACCOUNT)

    async def _sign_out(self, request: Request) -> Response:
        await self._accounts.sign_out(session_of(request) or "")
        response = go_to(SIGN_IN)
        keep_session(request, response, "", 0)
        return response

    async def _show(
        self,
        request: Request,
        *,
        notice: str = "",
        token: str = "",
        secret: str = "",
        faults: list[Fault] | None = None,
    ) -> Response:
        user = await self._accounts.store.user(principal_of(request).user_id)
        if user is None:
            return go_to("/console/")
        own = credentials.digest_of(session_of(request) or "")
        shown: dict[str, Any] = {
            "has_totp": user.totp_secret is not None,
            "secret": secret,
            "qr": _qr(credentials.totp_address(secret, user.email, "adserver")) if secret else "",
            "sessions": [
                {
                    "agent": row.agent,
                    "current": row.digest == own,
                    "since": _when(row.created_at_ms),
                    "seen": _when(row.seen_at_ms),
                }
                for row in await self._accounts.store.sessions_of(user.id)
            ],
            "tokens": [
                {"id": row.id, "name": row.name, "scopes": row.scopes, "until": _when(row.expires_at_ms)}
                for row in await self._accounts.store.tokens_of(user.id)
            ],
            "scopes": list(Scope),
            "notice": notice,
            "token": token,
            "faults": by_key(faults or []),
        }
        return page(request, "account.html", "Your account", 400 if faults else 200, **shown)


def _in_person(answer: Answer) -> Answer:
    """A program with a token must not get more than the token gives, such as another token."""
    sentence = "An account is for whoever signs in, not for API tokens."
    return only(answer, lambda asking: asking.scopes is None, sentence, "Sign in first")


def _qr(text: str) -> Markup:
    return Markup(segno.make(text, micro=False).svg_inline(border=3, omitsize=True))  # noqa: S704  (drawn by us)


def _when(ms: int) -> str:
    return f"{from_ms(ms):%Y-%m-%d %H:%M} UTC"
