"""An order that an advertiser reports, from its server or by a pixel on its thank-you page → the log.

The fill token comes with the reader: where a creative's click URL has `{fill}`, the redirect puts it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from adserver.clock import to_ms
from adserver.errors import Overloaded, StorageFailed
from adserver.measurement.conversion import Order
from adserver.measurement.event import Kind, Validity, event_of
from adserver.money import parse_micros
from adserver.serving.parts import Parts
from adserver.serving.visitor import visitor_of
from adserver.serving.wire import ConversionAsk, Unreadable

#: One transparent pixel (GIF89a).
_PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
_HEADERS = {
    "cache-control": "no-store",
    "access-control-allow-origin": "*",
    "x-content-type-options": "nosniff",
}
SENTENCES = {
    HTTPStatus.NOT_FOUND: "There is no such fill.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The order could not be written; send it again.",
}


def order_of(ask: ConversionAsk, max_chars: int) -> Order:
    """What was reported, checked. Raises Unreadable."""
    order = ask.order.strip()
    if not 0 < len(order) <= max_chars or not order.isprintable():
        raise Unreadable(f"An order is 1 to {max_chars} printable characters.")
    try:
        return Order(order, None if ask.value is None else parse_micros(ask.value))
    except ValueError as error:
        raise Unreadable(f"The value {error}.") from None


async def record(parts: Parts, fill: str, order: Order, found: Validity) -> HTTPStatus:
    """Write an order down; 204 when it is on disk, counted or not.

    `found`: what the request that reports it is by the rules of `measurement.invalid`.
    """
    token = parts.key.read(fill)
    if token is None:
        parts.counts.forged += 1
        return HTTPStatus.NOT_FOUND
    event = event_of(token, Kind.CONVERSION, to_ms(parts.clock()), parts.windows, parts.day_of, found)
    conversion = parts.live.terms.conversion(event, order)
    if conversion is None:
        return HTTPStatus.NOT_FOUND
    parts.counts.conversions += 1
    try:
        await parts.log.append((), [conversion])
    except (Overloaded, StorageFailed):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.NO_CONTENT


async def answer_pixel(parts: Parts, request: Request) -> Response:
    """`GET /v1/conversion.gif?fill=…&order=…&value=…`: the image once the order is on disk."""
    query = request.query_params
    found = parts.screen.click(visitor_of(request.scope), to_ms(parts.clock()), head=request.method == "HEAD")
    parts.counts.count_invalid(found)
    try:
        order = _pixel_order(query, parts.settings.max_order_chars)
    except Unreadable as error:
        parts.counts.unreadable += 1
        return PlainTextResponse(str(error), HTTPStatus.BAD_REQUEST, _HEADERS)
    status = await record(parts, query.get("fill", ""), order, found)
    if status in SENTENCES:
        return PlainTextResponse(SENTENCES[status], status, _HEADERS)
    return Response(_PIXEL, media_type="image/gif", headers=_HEADERS)


def _pixel_order(query: Mapping[str, str], max_chars: int) -> Order:
    """A value that cannot be read must not cost the order: nobody sees what a pixel is answered."""
    order = order_of(ConversionAsk(query.get("fill", ""), query.get("order", "")), max_chars)
    try:
        return Order(order.id, parse_micros(query["value"]))
    except (KeyError, ValueError):
        return order
