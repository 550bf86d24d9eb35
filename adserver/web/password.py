"""The one password for reports (`ADSERVER_REPORTS_PASSWORD`) → a reader of all sites' reports.

For installations that want no accounts; HTTP Basic (RFC 7617), with any user name.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import quote

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from adserver.accounts.model import EVERY_SITE, Principal, Role
from adserver.web.door import ONLY_HERE, Known, Refuse

READER = Principal(0, "", "reports", Role.PUBLISHER, frozenset((EVERY_SITE,)))
_ALONE = "ADSERVER_REPORTS_PASSWORD opens the reports alone."


def by_password(password: SecretStr | None) -> Known | None:
    """Who knows the password; None while there is none."""
    if password is None:
        return None

    async def known(headers: Headers) -> Principal | None:
        given = basic_password(headers.get("authorization", ""))
        right = given is not None and hmac.compare_digest(given, password.get_secret_value().encode())
        return READER if right else None

    return known


def refusal_of_reports(password: SecretStr | None) -> Refuse:
    """What nobody is told at the reports: the browser asks for the password, or they sign in."""

    def refuse(request: HTTPConnection, status: int, sentence: str, headers: Mapping[str, str]) -> Response:
        if status == 401 and password is not None:
            return PlainTextResponse("The reports need their password.\n", 401, dict(headers))
        if status == 401 and request.url.path.endswith("/"):
            return RedirectResponse(f"/console/sign-in?next={quote(request.url.path)}", 303)
        text = f"{sentence} {_ALONE}" if sentence == ONLY_HERE else sentence
        if request.url.path.endswith(".json"):
            return JSONResponse({"error": text}, status, dict(headers))
        return PlainTextResponse(f"{text}\n", status, dict(headers))

    return refuse


def basic_password(authorization: str) -> bytes | None:
    """The password of an `Authorization: Basic` header, any user name; None when it is not one."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(credentials.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    _, colon, password = pair.partition(b":")
    return password if colon else None
