"""E-mail, password and code → a session's cookie; a link → a new password. The pages before the door."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.accounts.accounts import Accounts, Refusal, SignedIn
from adserver.console.forms import form_of, one
from adserver.console.pages import by_key, go_to, lone, message
from adserver.engines.account_store import UserRow
from adserver.errors import Fault, InvalidInput
from adserver.settings import Settings
from adserver.web.door import FOREIGN_PAGE, from_own_page, keep_session, session_of

SIGN_IN = "/console/sign-in"
_SENTENCES: Mapping[Refusal, str] = {
    Refusal.WRONG: "E-mail and password do not match an account.",
    Refusal.CODE_NEEDED: "",
    Refusal.WRONG_CODE: "That code is not right, or was used already. Wait for the next one.",
    Refusal.TOO_MANY: "Too many attempts. Try again in a quarter of an hour.",
}
_STATUS = {Refusal.TOO_MANY: 429, Refusal.CODE_NEEDED: 200}


def refuse(request: HTTPConnection, status: int, sentence: str, headers: Mapping[str, str]) -> Response:
    """What the door says in the console: whoever is not signed in shall sign in, and come back."""
    if status == 401:
        target = request.url.path if request.scope.get("method") == "GET" else "/console/"
        return go_to(f"{SIGN_IN}?next={quote(target)}")
    response = message("This is not open to you", sentence, status)
    response.headers.update(headers)
    return response


class SignIn:
    """Signing in and setting a password, open to everybody."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts = accounts
        self._settings = settings

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        return [
            Route("/sign-in", self._show, methods=["GET"]),
            Route("/sign-in", self._sign_in, methods=["POST"]),
            Route("/forgotten", self._ask_for_link, methods=["GET", "POST"]),
            Route("/password/{token}", self._show_password, methods=["GET"]),
            Route("/password/{token}", self._set_password, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        return _form(next_of(request.query_params.get("next", "")))

    async def _sign_in(self, request: Request) -> Response:
        if not from_own_page(request):
            return message("Not signed in", FOREIGN_PAGE, 403)
        given = await form_of(request)
        email, following = one(given, "email"), next_of(one(given, "next"))
        outcome = await self._accounts.sign_in(
            email,
            one(given, "password"),
            one(given, "code"),
            address=request.client.host if request.client else "",
            agent=browser_of(request.headers.get("user-agent", "")),
        )
        if not isinstance(outcome, SignedIn):
            return _form(following, outcome, email, code="code" in given)
        before = session_of(request)
        if before:
            await self._accounts.sign_out(before)
        response = go_to(following)
        keep_session(request, response, outcome.token, self._settings.session_days)
        return response

    async def _ask_for_link(self, request: Request) -> Response:
        """The same answer to everybody, whether they have an account or not."""
        if request.method == "POST":
            if not from_own_page(request):
                return message("Not sent", FOREIGN_PAGE, 403)
            email = one(await form_of(request), "email")
            await self._accounts.ask_for_link(email, request.client.host if request.client else "")
        return lone(
            "forgotten.html",
            "A new password",
            sent=request.method == "POST",
            mails=self._accounts.mail.is_there,
            hours=self._settings.link_hours,
        )

    async def _show_password(self, request: Request) -> Response:
        return _password_form(await self._accounts.link(request.path_params["token"]))

    async def _set_password(self, request: Request) -> Response:
        token = request.path_params["token"]
        user = await self._accounts.link(token)
        if user is None or not from_own_page(request):
            return _password_form(None)
        try:
            done = await self._accounts.set_password(token, one(await form_of(request), "password"))
        except InvalidInput as error:
            return _password_form(user, error.faults)
        return go_to(SIGN_IN) if done else _password_form(None)


def _password_form(user: UserRow | None, faults: list[Fault] | None = None) -> Response:
    status = 404 if user is None else 400 if faults else 200
    return lone("password.html", "Set your password", status, user=user, faults=by_key(faults or []))


def _form(following: str, refusal: Refusal | None = None, email: str = "", *, code: bool = False) -> Response:
    needed = code or refusal in (Refusal.CODE_NEEDED, Refusal.WRONG_CODE)
    return lone(
        "sign_in.html",
        "Sign in",
        200 if refusal is None else _STATUS.get(refusal, 401),
        sentence=_SENTENCES[refusal] if refusal else "",
        email=email,
        next=following,
        code_needed=needed,
    )


def next_of(given: str) -> str:
    """Where to go after signing in: a page of ours that was asked for, and nothing else."""
    parts = urlsplit(given)
    own = given.startswith(("/console/", "/reports/")) and not (parts.scheme or parts.netloc)
    plain = given.isascii() and given.isprintable() and "\\" not in given
    return given if own and plain else "/console/"


def browser_of(agent: str) -> str:
    """A user agent in the few words by which people know their browsers."""
    browsers = {
        "Edg/": "Edge",
        "OPR/": "Opera",
        "Firefox/": "Firefox",
        "Chrome/": "Chrome",
        "Safari/": "Safari",
    }
    systems = {
        "Android": "Android",
        "iPhone": "iPhone",
        "iPad": "iPad",
        "Windows": "Windows",
        "Mac OS": "macOS",
        "Linux": "Linux",
    }
    browser = next((name for mark, name in browsers.items() if mark in agent), "")
    system = next((name for mark, name in systems.items() if mark in agent), "")
    return " on ".join(word for word in (browser, system) if word)
