"""`GET /v1/vast/{site}/{slot}` → VAST 4.2: one video for a player, and addresses for what becomes of it.

Source: IAB Tech Lab, "Video Ad Serving Template (VAST) 4.2" (2019), and its schema, whose order of elements
is kept here because some players insist on it. A video is viewable by MRC's rule for video: half of its
pixels in view for two continuous seconds while it plays; the player judges that and reports it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from html import escape
from urllib.parse import urljoin

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.catalog.creative import Creative, MediaFile
from adserver.catalog.fields import VIDEO
from adserver.clock import to_ms
from adserver.decision.context import Ask
from adserver.errors import Overloaded
from adserver.measurement.event import Kind, event_of
from adserver.serving.disclosure import Said, said_of
from adserver.serving.parts import Parts
from adserver.serving.single import Filled, fill_one, request_in
from adserver.serving.trackers import base_of, pixel
from adserver.serving.visitor import visitor_of

_log = structlog.get_logger()
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
#: What a player tells of a video as it plays (section 3.14.1) that is counted.
_QUARTILES = ("start", "firstQuartile", "midpoint", "thirdQuartile", "complete")
#: A random number in place of this keeps a player's cache from answering for us.
_UNCACHED = "cb=[CACHEBUSTING]"
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def routes(parts: Parts) -> list[BaseRoute]:
    """The document, and two addresses that only it has."""

    async def vast(request: Request) -> Response:
        return Response(_answer(parts, request), headers=_open_to(request), media_type="application/xml")

    async def clicked(request: Request) -> Response:
        return _clicked(parts, request)

    async def error(request: Request) -> Response:
        """A player says why it showed nothing where there was nothing to show; there is nothing to count."""
        return pixel()

    return [
        Route("/v1/vast/error", error),
        Route("/v1/vast/clicked/{token}", clicked),
        Route("/v1/vast/{site}/{slot}", vast),
    ]


def _open_to(request: Request) -> dict[str, str]:
    """Players ask with credentials, so the origin must be named; no cookie is looked at."""
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", "vary": "origin"}
    if origin := request.headers.get("origin"):
        headers |= {"access-control-allow-origin": origin, "access-control-allow-credentials": "true"}
    return headers


def _answer(parts: Parts, request: Request) -> str:
    """The document; without an ad where nothing fills the slot, and where that is a fault of ours."""
    site, slot = request.path_params["site"], request.path_params["slot"]
    base = base_of(request.scope, parts.settings)
    if request.method == "HEAD":
        return _nothing(base)  # nobody will see anything
    parts.counts.page_requests += 1
    try:
        ask = Ask(slot[:200], (VIDEO,))
        made = fill_one(parts, request_in(site, ask, request.query_params, parts.settings), request.scope)
        return _document(parts, made, base) if isinstance(made, Filled) else _nothing(base)
    except Exception:
        parts.counts.errors += 1
        _log.exception("video request failed", site=site)
        return _nothing(base)


def _vast(inner: str) -> str:
    return f'{_HEAD}<VAST version="4.2" xmlns="http://www.iab.com/VAST">{inner}</VAST>'


def _nothing(base: str) -> str:
    return _vast(_tag("Error", f"{base}/v1/vast/error?code=[ERRORCODE]"))


def _document(parts: Parts, filled: Filled, base: str) -> str:
    """The one ad of a fill, in the order of the schema."""
    fill, token = filled
    index, choice = parts.live.index, fill.choice
    advertiser, _ = index.owners[choice.position]
    proof = parts.key.read(token)
    assert proof, "a token that was signed just now is read"
    number = f"{proof.fill:x}"
    inline = (
        _tag("AdSystem", "adserver"),
        _tag("Error", f"{base}/v1/events/error/{token}?code=[ERRORCODE]"),
        _extensions(said_of(index, fill)),
        _tag("Impression", f"{base}/v1/events/impression/{token}?{_UNCACHED}", id="impression"),
        _viewable(base, token, number),
        _tag("AdServingId", number),
        _tag("AdTitle", choice.creative.alt or choice.creative.name),
        _tag("Advertiser", advertiser.name),
        _creatives(choice.creative, choice.creative_id, base, token),
        _tag("Expires", str(parts.settings.impression_window_seconds)),
    )
    return _vast(f'<Ad id="{number}" adType="video"><InLine>{"".join(inline)}</InLine></Ad>')


def _viewable(base: str, token: str, number: str) -> str:
    seen = _tag("Viewable", f"{base}/v1/events/viewable/{token}?{_UNCACHED}")
    unseen = _tag("NotViewable", f"{base}/v1/events/measurable/{token}?{_UNCACHED}")
    return f'<ViewableImpression id="{number}">{seen}{unseen}</ViewableImpression>'


def _extensions(said: Said) -> str:
    """The label, and who is behind the ad, for players that can show it."""
    lines = [_tag("Line", who[0], name=what, url=who[1] if len(who) > 1 else "") for what, *who in said.lines]
    told = f'<Extension type="disclosure">{_tag("Label", said.label)}{"".join(lines)}</Extension>'
    return f"<Extensions>{told}</Extensions>"


def _creatives(creative: Creative, creative_id: int, base: str, token: str) -> str:
    assert creative.media and creative.duration_seconds, "only videos have this size"
    tracking = "".join(
        _tag("Tracking", f"{base}/v1/events/{event}/{token}?{_UNCACHED}", event=event) for event in _QUARTILES
    )
    skip = creative.skip_after_seconds
    offset = "" if skip is None else f' skipoffset="{_time(skip)}"'
    click = _tag("ClickThrough", f"{base}/v1/click/{token}", id="click")
    click += _tag("ClickTracking", f"{base}/v1/vast/clicked/{token}", id="clicked")
    files = "".join(_file(number, file, base) for number, file in enumerate(creative.media, 1))
    linear = (
        f"<Linear{offset}><TrackingEvents>{tracking}</TrackingEvents>"
        f"{_tag('Duration', _time(creative.duration_seconds))}"
        f"<MediaFiles>{files}</MediaFiles><VideoClicks>{click}</VideoClicks></Linear>"
    )
    universal = _tag("UniversalAdId", creative.name, idRegistry="unknown")
    named = f'<Creative id="{creative_id}" sequence="1">'
    return f"<Creatives>{named}{universal}{linear}</Creative></Creatives>"


def _file(number: int, file: MediaFile, base: str) -> str:
    delivery = "streaming" if file.streams else "progressive"
    rate = {} if file.bitrate is None else {"bitrate": str(file.bitrate)}
    size = {"width": str(file.width), "height": str(file.height)}
    url = urljoin(f"{base}/", file.url)
    return _tag("MediaFile", url, id=str(number), delivery=delivery, type=file.type, **size, **rate)


def _tag(element: str, text: str, /, **attributes: str) -> str:
    """An element with text in it; attributes that are empty are left out."""
    given = "".join(f' {key}="{_plain(value)}"' for key, value in attributes.items() if value)
    return f"<{element}{given}>{_plain(text)}</{element}>"


def _plain(text: str) -> str:
    """Text for XML, without the characters that XML 1.0 has no place for (section 2.2)."""
    return escape(_NOT_XML.sub("", text))


def _time(seconds: int) -> str:
    """HH:MM:SS."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _clicked(parts: Parts, request: Request) -> Response:
    """A click that a player tells of, beside the address that it opens: whichever comes first counts."""
    fill = parts.key.read(request.path_params["token"])
    if fill is None:
        parts.counts.forged += 1
        return pixel()
    if request.method != "GET":
        return pixel()
    now_ms = to_ms(parts.clock())
    found = parts.screen.click(visitor_of(request.scope), now_ms, head=False)
    parts.counts.count_invalid(found)
    # What is refused is counted as shed by the log.
    with suppress(Overloaded):
        parts.log.append([event_of(fill, Kind.CLICK, now_ms, parts.windows, parts.day_of, found)])
    return pixel()
