"""Files of the pages (script, style, plotly.js) → responses that browsers keep for good.

The address of an asset holds a hash of its content: a new version is a new address, so nothing is ever stale.
Bodies are compressed once, plotly.js before it came into the repository.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

HERE = Path(__file__).parent
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
PLOTLY = HERE / "vendor" / "plotly.js"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file by the name in its address, and its body in each encoding that there is."""

    name: str
    media_type: str
    bodies: dict[str, bytes]

    def encoding_for(self, accepted: str) -> str:
        """The best encoding that an `Accept-Encoding` header admits; `identity` when it admits no other."""
        names = _admitted(accepted)
        return next((name for name in ("br", "gzip") if name in self.bodies and name in names), "identity")


def _admitted(accepted: str) -> set[str]:
    """Codings named in an `Accept-Encoding` header (RFC 9110, 12.5.3) and not refused by a weight of 0."""
    parts = [part.partition(";") for part in accepted.lower().replace(" ", "").split(",")]
    return {name for name, _, weight in parts if weight.rstrip("0.") != "q="}


def _asset(path: Path, content: bytes, compressed: dict[str, bytes]) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:16]
    name = f"{path.stem}.{digest}{path.suffix}"
    return Asset(name, TYPES[path.suffix], {"identity": content, **compressed})


@cache
def assets() -> dict[str, Asset]:
    """Plain file name, such as `reports.css`, → its asset."""
    brotli = PLOTLY.with_suffix(".js.br").read_bytes()
    gzipped = PLOTLY.with_suffix(".js.gz").read_bytes()
    found = {"plotly.js": _asset(PLOTLY, gzip.decompress(gzipped), {"br": brotli, "gzip": gzipped})}
    own = [HERE / "vendor" / "plotly.css", *sorted((HERE / "static").iterdir())]
    for path in own:
        content = path.read_bytes()
        found[path.name] = _asset(path, content, {"gzip": gzip.compress(content, mtime=0)})
    return found


def asset_path(name: str) -> str:
    """Plain file name → path below the reports' root."""
    return f"static/{assets()[name].name}"


async def answer_asset(request: Request) -> Response:
    """`static/{file}` → the asset, to be kept for a year; 404 for any other name."""
    wanted = request.path_params["file"]
    asset = next((asset for asset in assets().values() if asset.name == wanted), None)
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
    return Response(asset.bodies[encoding], media_type=asset.media_type, headers=headers)
