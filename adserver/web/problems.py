"""What is wrong with a request → problem details (RFC 9457), with every fault at its key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.responses import Response

from adserver.errors import Fault

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def problem(
    detail: str,
    status: int,
    headers: Mapping[str, str] | None = None,
    faults: Sequence[Fault] = (),
    **more: object,
) -> Response:
    """A refusal; `faults` say each what is wrong at which key, `more` are further members."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail.strip(),
        **more,
    }
    if faults:
        body["faults"] = [{"key": fault.key, "problem": fault.problem} for fault in faults]
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, status, {**_HEADERS, **(headers or {})}, media_type="application/problem+json")


def refuse(_: HTTPConnection, status: int, words: str, headers: Mapping[str, str]) -> Response:
    """What the door says to programs."""
    return problem(words, status, headers)


def sentence(faults: Sequence[Fault]) -> str:
    """All faults in one sentence."""
    return (
        "; ".join(f"{fault.key}: {fault.problem}" if fault.key else fault.problem for fault in faults) + "."
    )
