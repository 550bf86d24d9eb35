"""A request for a report → passed on when its reader may see it: by password, or from this very machine.

Without a password a report is answered only when the server listens on the loopback address and the request
names it in `Host`, which a page of another site cannot do by DNS rebinding, and no proxy stands in between.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

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
ONLY_HERE = (
    "Reports are shown on the server's own machine only; "
    "set ADSERVER_REPORTS_PASSWORD to open them to others.\n"
)


#: Text, status and headers → a refusal in the form that its reader expects.
Refuse = Callable[[str, int, Mapping[str, str]], Response]


class Access:
    """Passes a request on, or answers 401 (wrong password) or 403 (no password set, and not from here)."""

    def __init__(self, app: ASGIApp, settings: Settings, refuse: Refuse = PlainTextResponse) -> None:
        self._app = app
        self._refuse = refuse
        self._host = settings.host
        self._password = settings.reports_password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, headers: Headers) -> Response | None:
        if self._password is not None:
            given = basic_password(headers.get("authorization", ""))
            if given is not None and hmac.compare_digest(given, self._password.get_secret_value().encode()):
                return None
            challenge = {"WWW-Authenticate": 'Basic realm="reports", charset="UTF-8"'}
            return self._refuse("The reports need their password.\n", 401, challenge)
        hosts = headers.getlist("host")
        proxied = any(name in headers for name in PROXY_HEADERS)
        if not proxied and len(hosts) == 1 and is_loopback(host_of(hosts[0])) and is_loopback(self._host):
            return None
        return self._refuse(ONLY_HERE, 403, {})


def basic_password(authorization: str) -> bytes | None:
    """The password of an `Authorization: Basic` header (RFC 7617), any user name; None when it is not one."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(credentials.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    _, colon, password = pair.partition(b":")
    return password if colon else None


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
