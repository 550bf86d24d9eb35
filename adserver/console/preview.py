"""A creative, saved or while it is typed → a document that draws it in its real size, on light and dark.

The document has no origin (`sandbox`): whatever an advertiser's HTML does, it does it to itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from adserver.catalog.plan import Path
from adserver.console.forms import form_of, one
from adserver.console.pages import TEMPLATES, message
from adserver.editing.objects import Objects, Seen
from adserver.web.door import principal_of

_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_MOST_PX = 3_000
_SANDBOX = "allow-scripts allow-popups allow-popups-to-escape-sandbox"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"sandbox {_SANDBOX}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Previews:
    """Behind the door."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        return [
            Route("/preview", self._typed, methods=["POST"]),
            Route("/preview/{name}", self._saved, methods=["GET"]),
        ]

    async def _typed(self, request: Request) -> Response:
        form = await form_of(request)
        keys = ("kind", "size", "image", "image_dark", "alt", "html")
        return draw({key: one(form, key).strip() for key in keys})

    async def _saved(self, request: Request) -> Response:
        seen = await self._objects.seen_by(principal_of(request))
        path: Path = ("creative", request.path_params["name"])
        if path not in seen.entries:
            return message("There is no such creative", "It is not there, or not yours to see.", 404)
        return draw(seen.entries[path].body, label_of(seen, path))


def label_of(seen: Seen, path: Path) -> str:
    """What stands above a creative on pages: the label of the first slot that has one of its own."""
    labels = [entry.body["label"] for entry in seen.of_kind("slot").values() if entry.body.get("label")]
    return labels[0] if labels else "Advertisement"


def draw(body: Mapping[str, Any], label: str = "Advertisement") -> Response:
    """The document. Of a body that says nothing to draw yet, one that says so."""
    width, height = size_of(body)
    shown = {
        "kind": body.get("kind", ""),
        "image": body.get("image") or "",
        "image_dark": body.get("image_dark") or body.get("image") or "",
        "alt": body.get("alt") or "",
        "html": (body.get("html") or "").replace("{click}", "#"),
        "width": width,
        "height": height,
        "label": label,
        "sandbox": _SANDBOX,
    }
    return HTMLResponse(TEMPLATES.get_template("preview.html").render(**shown), headers=_HEADERS)


def size_of(body: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height in px; 0 where the size cannot be read."""
    found = _SIZE.fullmatch(str(body.get("size") or "").strip())
    if found is None:
        return 0, 0
    return min(int(found[1]), _MOST_PX), min(int(found[2]), _MOST_PX)
