"""A request → passed on with the principal who asks (`scope["principal"]`), or refused.

Somebody is known by the cookie of a session, by an API token (`Authorization: Bearer`), or, while nobody has
an account, by sitting at this very machine. What is theirs is asked behind the door, in `accounts.ownership`.

A request that changes something and comes with a cookie must come from our own pages: browsers say where from
in `Sec-Fetch-Site` (Fetch Metadata, W3C), older ones in `Origin`. A token is never sent by a browser unasked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adserver.accounts.accounts import Accounts
from adserver.accounts.model import THIS_MACHINE, Principal
from adserver.accounts.model import Scope as TokenScope
from adserver.errors import StorageFailed
from adserver.settings import Settings

#: Whatever has one of these came through a proxy, so that the other end may be anyone.
PROXY_HEADERS = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
#: What a browser asks its user for where there is one password for all.
BASIC = 'Basic realm="reports", charset="UTF-8"'
NOT_SIGNED_IN = "Sign in first."
BAD_TOKEN = "The API token is unknown, revoked or over."  # noqa: S105  (not a secret)
NOT_IN_SCOPE = "The API token is not for this: its scopes leave it out."
UNREADABLE = "The database cannot be read just now; try again in a moment."
FOREIGN_PAGE = "This request came from a page of another site."
ONLY_HERE = (
    "Nobody has an account yet. Until then this is answered on the server's own machine only; "
    "`adserver user add` makes the first account."
)

_log = structlog.get_logger()

#: (request, status, sentence, headers) → a refusal in the form that its reader expects.
Refuse = Callable[[HTTPConnection, int, str, Mapping[str, str]], Response]
#: Another way to be known, such as a password for reports; None: not by this.
Known = Callable[[Headers], Awaitable[Principal | None]]


class Door:
    """Who asks? Answers 401 for nobody, 403 for what a token is not for or a foreign page sends."""

    def __init__(
        self,
        app: ASGIApp,
        accounts: Accounts,
        settings: Settings,
        refuse: Refuse,
        scopes: Mapping[bool, TokenScope],
        known: Known | None = None,
    ) -> None:
        """`scopes`: what a token must be for to read (False) and to change something (True).

        With `known`, even this very machine has to be known.
        """
        self._app = app
        self._accounts = accounts
        self._settings = settings
        self._refuse = refuse
        self._scopes = scopes
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            found = await self._who(request)
        except StorageFailed as error:
            _log.error("nobody can be let in", error=str(error))
            found = self._refuse(request, 503, UNREADABLE, {"Retry-After": "1"})
        if isinstance(found, Response):
            await found(scope, receive, send)
            return
        scope["principal"] = found
        await self._app(scope, receive, send)

    async def _who(self, request: Request) -> Principal | Response:
        changes = request.method not in _SAFE_METHODS
        bearer = bearer_of(request.headers)
        if bearer is not None:
            principal = await self._accounts.by_bearer(bearer)
            if principal is None:
                challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
                return self._refuse(request, 401, BAD_TOKEN, challenge)
            if not principal.may(self._scopes[changes]):
                return self._refuse(request, 403, NOT_IN_SCOPE, {})
            return principal
        if changes and not from_own_page(request):
            return self._refuse(request, 403, FOREIGN_PAGE, {})
        token = session_of(request)
        principal = await self._accounts.by_session(token) if token else None
        if principal is None and self._known is not None:
            principal = await self._known(request.headers)
        if principal is not None:
            return principal
        if self._known is not None or await self._accounts.any_users():
            scheme = "Bearer" if self._known is None else BASIC
            return self._refuse(request, 401, NOT_SIGNED_IN, {"WWW-Authenticate": scheme})
        if is_here(request.headers, self._settings.host):
            return THIS_MACHINE
        return self._refuse(request, 403, ONLY_HERE, {})


def principal_of(request: HTTPConnection) -> Principal:
    """Who the door let in."""
    principal = request.scope.get("principal")
    assert isinstance(principal, Principal), f"{request.url.path} is not behind the door"
    return principal


def bearer_of(headers: Headers) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750)."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def cookie_name(request: HTTPConnection) -> str:
    """The name of the session's cookie; over TLS one that only this very host can set (RFC 6265bis)."""
    return "__Host-adserver" if request.url.scheme == "https" else "adserver"


def session_of(request: HTTPConnection) -> str | None:
    """The text of the session's cookie."""
    return request.cookies.get(cookie_name(request))


def keep_session(request: HTTPConnection, response: Response, token: str, days: int) -> None:
    """Give a browser its session; an empty token takes it away."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=days * 86_400 if token else 0,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def from_own_page(request: HTTPConnection) -> bool:
    """Whether a request was made by a page of this server, or by no page at all."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return True
    return urlsplit(origin).netloc == request.headers.get("host", "")


def is_here(headers: Headers, listens_on: str) -> bool:
    """Whether a request comes from the server's own machine: no proxy, no other name (DNS rebinding)."""
    hosts = headers.getlist("host")
    proxied = any(name in headers for name in PROXY_HEADERS)
    return not proxied and len(hosts) == 1 and is_loopback(host_of(hosts[0])) and is_loopback(listens_on)


def host_of(header: str) -> str:
    """`Host` without its port: `[::1]:8000` → `::1`."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine and nothing else."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
