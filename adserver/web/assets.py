"""Folders of scripts and styles → responses that browsers keep for good.

The address of an asset holds a hash of its content: a new version is a new address, so nothing is ever stale.
Bodies are compressed once; large ones may lie in the folder compressed already, as `.br` and `.gz`.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

OWN = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file by the name in its address, and its body in each encoding that there is."""

    name: str
    media_type: str
    bodies: Mapping[str, bytes]

    def encoding_for(self, accepted: str) -> str:
        """The best encoding that an `Accept-Encoding` header admits; `identity` when it admits no other."""
        names = _admitted(accepted)
        return next((name for name in ("br", "gzip") if name in self.bodies and name in names), "identity")


class Assets:
    """All files of some folders. Read once: a server does not change its own files."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.by_plain_name = {name: asset for folder in folders for name, asset in _assets(folder)}
        self._by_name = {asset.name: asset for asset in self.by_plain_name.values()}

    def path(self, name: str) -> str:
        """Plain file name, such as `base.css` → path below the root of the pages."""
        return f"static/{self.by_plain_name[name].name}"

    def find(self, name: str) -> Asset | None:
        """The asset by the name in its address."""
        return self._by_name.get(name)

    def route(self) -> Route:
        """`static/{file}` → the asset, to be kept for a year; 404 for any other name."""
        return Route("/static/{file}", self._answer)

    async def _answer(self, request: Request) -> Response:
        asset = self.find(request.path_params["file"])
        if asset is None:
            return PlainTextResponse("There is no such file.\n", 404)
        encoding = asset.encoding_for(request.headers.get("accept-encoding", ""))
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if encoding != "identity":
            headers["Content-Encoding"] = encoding
        return Response(asset.bodies[encoding], headers=headers, media_type=asset.media_type)


def _assets(folder: Path) -> Iterator[tuple[str, Asset]]:
    for path in sorted(folder.iterdir()):
        if path.suffix in TYPES:
            body = path.read_bytes()
            yield path.name, _asset(path.name, {"identity": body, "gzip": gzip.compress(body, mtime=0)})
        elif path.suffix == ".br":
            gzipped = path.with_suffix(".gz").read_bytes()
            bodies = {"identity": gzip.decompress(gzipped), "gzip": gzipped, "br": path.read_bytes()}
            yield path.stem, _asset(path.stem, bodies)


def _asset(plain: str, bodies: Mapping[str, bytes]) -> Asset:
    digest = hashlib.sha256(bodies["identity"]).hexdigest()[:16]
    stem, suffix = Path(plain).stem, Path(plain).suffix
    return Asset(f"{stem}.{digest}{suffix}", TYPES[suffix], bodies)


def _admitted(accepted: str) -> set[str]:
    """Codings named in an `Accept-Encoding` header (RFC 9110, 12.5.3) and not refused by a weight of 0."""
    parts = [part.partition(";") for part in accepted.lower().replace(" ", "").split(",")]
    return {name for name, _, weight in parts if weight.rstrip("0.") != "q="}
