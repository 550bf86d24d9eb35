"""Folders of scripts and styles → responses that browsers keep for good.

The address of an asset holds a hash of its content: a new version is a new address, so nothing is ever stale.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

OWN = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file under its name with a hash, as it is and compressed."""

    name: str
    media_type: str
    body: bytes
    gzipped: bytes


class Assets:
    """All files of some folders. Read once: a server does not change its own files."""

    def __init__(self, folders: Sequence[Path]) -> None:
        found = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in TYPES]
        self._assets = {path.name: _asset(path) for path in found}
        self._by_name = {asset.name: asset for asset in self._assets.values()}

    def path(self, name: str) -> str:
        """Plain file name, such as `base.css` → path below the root of the pages."""
        return f"static/{self._assets[name].name}"

    def route(self) -> Route:
        """`static/{file}` → the asset, to be kept for a year; 404 for any other name."""
        return Route("/static/{file}", self._answer)

    async def _answer(self, request: Request) -> Response:
        asset = self._by_name.get(request.path_params["file"])
        if asset is None:
            return PlainTextResponse("There is no such file.\n", 404)
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                asset.gzipped, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.media_type
            )
        return Response(asset.body, headers=headers, media_type=asset.media_type)


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:16]
    name = f"{path.stem}.{digest}{path.suffix}"
    return Asset(name, TYPES[path.suffix], body, gzip.compress(body, mtime=0))
