"""JSON bodies of pages → typed requests, decoded and validated in one pass."""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from adserver.decision.context import Ask
from adserver.settings import Settings

T = TypeVar("T")


class PageFacts(msgspec.Struct):
    """What a page says about itself. `values` are the publisher's own keys."""

    url: str = ""
    section: str | None = None
    topics: list[str] = []
    values: dict[str, str | list[str]] = {}


class FillRequest(msgspec.Struct):
    """Body of `POST /v1/fill`. Keys that this version does not act on are ignored."""

    site: str
    slots: list[Ask]
    page: PageFacts = msgspec.field(default_factory=PageFacts)


class EventAsk(msgspec.Struct):
    """One thing that a page saw happen to a fill. A click is counted where it passes, at `/v1/click`."""

    fill: str
    type: Literal["impression", "measurable", "viewable"]


class EventsRequest(msgspec.Struct):
    """Body of `POST /v1/events`."""

    events: list[EventAsk]


class Unreadable(Exception):
    """A body that is not what the endpoint takes; the message is one sentence for the page's developer."""


_fill_decoder = msgspec.json.Decoder(FillRequest)
_events_decoder = msgspec.json.Decoder(EventsRequest)


def read_fill(body: bytes, settings: Settings) -> FillRequest:
    """Decode a fill request and cut its facts to their bounds. Raises Unreadable."""
    request: FillRequest = _decode(_fill_decoder, body)
    page, bound = request.page, settings.max_facts_per_page
    if len(page.topics) > bound:
        page.topics = page.topics[:bound]
    if len(page.values) > bound:
        page.values = dict(list(page.values.items())[:bound])
    return request


def read_events(body: bytes, settings: Settings) -> list[EventAsk]:
    """Decode a beacon. Raises Unreadable, also for more events than one beacon may hold."""
    request: EventsRequest = _decode(_events_decoder, body)
    if len(request.events) > settings.max_events_per_beacon:
        raise Unreadable(f"A beacon may hold at most {settings.max_events_per_beacon} events.")
    return request.events


def _decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Unreadable(f"The body cannot be read: {error}.") from None
    except (RecursionError, UnicodeDecodeError):
        raise Unreadable("The body cannot be read: it is not UTF-8, or nested too deeply.") from None
