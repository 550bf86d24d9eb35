"""JSON bodies of pages → typed requests, decoded and validated in one pass."""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from adserver.decision.context import Ask, HeaderBid
from adserver.money import MICROS, parse_micros
from adserver.settings import Settings

T = TypeVar("T")

#: What is longer is not read: a tally counts as none, a URL as unknown, so that no page stays without ads.
MAX_TALLY_CHARS = 4_000
MAX_URL_CHARS = 2_048
#: A CPM above this, in any currency, is a slip of units.
MAX_BID_MICROS = 1_000_000 * MICROS
#: Longest name of a bid, its slot or its size, in characters.
MAX_BID_CHARS = 200


class PageFacts(msgspec.Struct):
    """What a page says about itself. `values` are the publisher's own keys."""

    url: str = ""
    section: str | None = None
    topics: list[str] = []
    values: dict[str, str | list[str]] = {}


class Consent(msgspec.Struct, frozen=True):
    """What the reader allowed, as the page knows it: IAB TCF and GPP strings, and Global Privacy Control.

    An empty string: the page has a consent tool, which did not answer in time, or whose dialog is open.
    """

    tcf: str | None = None
    gpp: str | None = None
    gpp_sid: tuple[int, ...] = ()
    """Ids of the sections of `gpp` that are in force; none, or 0: not known."""
    gpc: bool = False


class BidAsk(msgspec.Struct, frozen=True):
    """What the page's header bidding offers for one slot; `cpm` is decimal text such as "2.10".

    `currency` None: the site's.
    """

    slot: str
    bid: str
    cpm: str
    size: str
    currency: str | None = None


class FillRequest(msgspec.Struct):
    """Body of `POST /v1/fill`. Keys that this version does not act on are ignored."""

    site: str
    slots: list[Ask]
    page: PageFacts = msgspec.field(default_factory=PageFacts)
    tally: str | None = None
    """Empty for a browser that keeps none yet; None where none can or may be kept."""
    theme: str | None = None
    """"light" or "dark"; None for whatever else a page calls its themes."""
    consent: Consent | None = None
    passback: bool = False
    """A network had no ad for these slots: they are asked for once more, and networks are not."""
    bids: list[BidAsk] = []


class EventAsk(msgspec.Struct):
    """One thing that a page saw happen to a fill. A click is counted where it passes, at `/v1/click`."""

    fill: str
    type: Literal["impression", "measurable", "viewable", "unfilled", "no_answer"]


class EventsRequest(msgspec.Struct):
    """Body of `POST /v1/events`."""

    events: list[EventAsk]


class ConversionAsk(msgspec.Struct):
    """Body of `POST /v1/conversion`: an advertiser's order; `value` is decimal text such as "49.90"."""

    fill: str
    order: str
    value: str | None = None


class Unreadable(Exception):
    """A body that is not what the endpoint takes; the message is one sentence for the page's developer."""


_THEMES = ("light", "dark", None)
_fill_decoder = msgspec.json.Decoder(FillRequest)
_events_decoder = msgspec.json.Decoder(EventsRequest)
_conversion_decoder = msgspec.json.Decoder(ConversionAsk)


def read_fill(body: bytes, settings: Settings) -> FillRequest:
    """Decode a fill request and cut its facts to their bounds. Raises Unreadable."""
    return bounded(decode(_fill_decoder, body), settings)


def bounded(request: FillRequest, settings: Settings) -> FillRequest:
    """The same request, its facts cut to their bounds."""
    page, bound = request.page, settings.max_facts_per_page
    if len(page.url) > MAX_URL_CHARS:
        page.url = ""
    if request.tally and len(request.tally) > MAX_TALLY_CHARS:
        request.tally = ""
    if request.theme not in _THEMES:
        request.theme = None
    if len(page.topics) > bound:
        page.topics = page.topics[:bound]
    if len(page.values) > bound:
        page.values = dict(list(page.values.items())[:bound])
    return request


def bids_of(request: FillRequest, settings: Settings, currency: str) -> list[HeaderBid]:
    """The bids that can be believed, of the first ones: as many as a page may have slots.

    A price that is not a plain decimal above zero and up to `MAX_BID_MICROS` ("NaN", "-1", "1e3", ""), or in
    another `currency` than the site's, or an endless name, makes its bid none: what another's script offers
    must not cost the page its ads.
    """
    bids = []
    for ask in request.bids[: settings.max_slots_per_page]:
        if ask.currency not in (None, currency):
            continue
        try:
            micros = parse_micros(ask.cpm)
        except ValueError:
            continue
        if 0 < micros <= MAX_BID_MICROS and max(len(ask.slot), len(ask.bid), len(ask.size)) <= MAX_BID_CHARS:
            bids.append(HeaderBid(ask.slot, ask.bid, micros, ask.size))
    return bids


def read_events(body: bytes, settings: Settings) -> list[EventAsk]:
    """Decode a beacon. Raises Unreadable, also for more events than one beacon may hold."""
    request: EventsRequest = decode(_events_decoder, body)
    if len(request.events) > settings.max_events_per_beacon:
        raise Unreadable(f"A beacon may hold at most {settings.max_events_per_beacon} events.")
    return request.events


def read_conversion(body: bytes) -> ConversionAsk:
    """Decode a reported order. Raises Unreadable."""
    return decode(_conversion_decoder, body)


def decode(decoder: msgspec.json.Decoder[T], body: bytes, what: str = "The body") -> T:
    """Raises Unreadable, with a sentence about `what`."""
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Unreadable(f"{what} cannot be read: {error}.") from None
    except (RecursionError, UnicodeDecodeError):
        raise Unreadable(f"{what} cannot be read: it is not UTF-8, or nested too deeply.") from None
