"""`GET /v1/events/{type}/{token}` → the event, from wherever no script can report it: an image's address.

It is judged and counted as one from a beacon, and answered with an empty image once it is on disk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from adserver.clock import to_ms
from adserver.errors import Overloaded, StorageFailed
from adserver.measurement.event import Kind, event_of
from adserver.serving.parts import Parts
from adserver.serving.visitor import visitor_of
from adserver.settings import Settings

#: A transparent GIF of one pixel.
_GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_HEADERS = {
    "cache-control": "no-store",
    "access-control-allow-origin": "*",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
}
#: Type in an address → the kinds of events that it tells of.
KINDS: Mapping[str, tuple[Kind, ...]] = {
    "impression": (Kind.IMPRESSION,),
    "measurable": (Kind.MEASURABLE,),
    # A player that says that a video was seen could tell.
    "viewable": (Kind.MEASURABLE, Kind.VIEWABLE),
    "start": (Kind.VIDEO_START,),
    "firstQuartile": (Kind.VIDEO_FIRST_QUARTILE,),
    "midpoint": (Kind.VIDEO_MIDPOINT,),
    "thirdQuartile": (Kind.VIDEO_THIRD_QUARTILE,),
    "complete": (Kind.VIDEO_COMPLETE,),
    "error": (Kind.VIDEO_ERROR,),
}
#: What an address of ours may be put together from; a `Host` header can be anything.
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


def routes(parts: Parts) -> list[BaseRoute]:
    """The one route."""

    async def track(request: Request) -> Response:
        return await record(parts, request, request.path_params["type"], request.path_params["token"])

    return [Route("/v1/events/{type}/{token}", track)]


async def record(parts: Parts, request: Request, kind: str, token: str) -> Response:
    """Write what an address tells of; the image once it is on disk."""
    fill, kinds = parts.key.read(token), KINDS.get(kind)
    if kinds is None:
        return Response("There is no such type of event.", 404, _HEADERS, "text/plain")
    if fill is None:
        parts.counts.forged += 1
    elif request.method == "GET":
        now_ms = to_ms(parts.clock())
        found = parts.screen.events(visitor_of(request.scope), now_ms, len(kinds))
        parts.counts.count_invalid(found)
        try:
            await parts.log.append(
                [event_of(fill, one, now_ms, parts.windows, parts.day_of, found) for one in kinds]
            )
        except (Overloaded, StorageFailed):
            return Response("The event could not be written.", 503, _HEADERS, "text/plain")
    return pixel()


def pixel(status: int = 200) -> Response:
    """The empty image."""
    return Response(_GIF, status, _HEADERS, "image/gif")


def system_in(base: str) -> str:
    """The domain by which this server is known as an advertising system: that of where it is reached."""
    return base.partition("://")[2].partition(":")[0]


def base_of(scope: Scope, settings: Settings) -> str:
    """Where browsers reach this server: as set, or as this request reached it, without a slash at the end."""
    if settings.public_url:
        return settings.public_url
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    if not _HOST.fullmatch(host):
        host = "{}:{}".format(*(scope.get("server") or ("localhost", 80)))
    return f"{scope['scheme']}://{host}"
