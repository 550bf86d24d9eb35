"""JSON of an OpenRTB 2.6 bid request → what of it is looked at, or one sentence that says what is wrong.

Fields are those of the specification (IAB Tech Lab, "OpenRTB 2.6", April 2022, section 3.2); whatever is not
named here is ignored. Two dialects are read: that of exchanges, who name us in `imp.ext.bidder`, and that of
Prebid.js, which takes us for a Prebid Server and names bidders in `imp.ext.prebid.bidder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from adserver.serving.wire import Unreadable, decode

Count = Annotated[int, msgspec.Meta(ge=0)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Texts = list[str]
#: The key in `imp.ext` under which an exchange's server says something to the bidder that it asks.
_FROM_EXCHANGE = "bidder"
#: Among factors by bidder the one key that is none: factors by kind of ad.
_BY_MEDIA = "mediatypes"


class Format(msgspec.Struct):
    """One size, or a ratio with its least width (flexible sizes, which no slot offers)."""

    w: Count | None = None
    h: Count | None = None
    wratio: Count | None = None
    hratio: Count | None = None
    wmin: Count | None = None


class Banner(msgspec.Struct):
    """What may be drawn; the sizes are those of `format`, and `w` × `h`."""

    format: list[Format] | None = None
    w: Count | None = None
    h: Count | None = None
    battr: list[int] = []
    wmin: Count | None = None
    """Limits of sizes, which OpenRTB had until 2.3."""
    hmin: Count | None = None
    wmax: Count | None = None
    hmax: Count | None = None


class Video(msgspec.Struct):
    """Looked at only to say what is wrong with it."""

    w: Count | None = None
    h: Count | None = None


class Audio(msgspec.Struct):
    """Looked at only to say what is wrong with it."""

    mimes: Annotated[Texts, msgspec.Meta(min_length=1)]
    sequence: Count | None = None


class Metric(msgspec.Struct):
    """Something measured about the slot."""

    type: str
    value: float


class Deals(msgspec.Struct):
    """The private marketplace of an impression. We have no deals."""

    private_auction: int = 0


class Params(msgspec.Struct):
    """What the page or exchange says to a bidder: here which site and slot it means."""

    site: Any = None
    slot: Any = None
    placement: str | int | None = msgspec.field(default=None, name="placementId")


class ImpPrebid(msgspec.Struct):
    """Prebid's own part of an impression: each bidder that is asked, with what is said to it."""

    bidder: Annotated[dict[str, Params], msgspec.Meta(min_length=1)] | None = None


class Impression(msgspec.Struct):
    """One ad that is wanted. `bidfloor` is a CPM."""

    id: Id
    banner: Banner | None = None
    video: Video | None = None
    audio: Audio | None = None
    native: dict[str, Any] | None = None
    tagid: str | None = None
    bidfloor: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    bidfloorcur: str = "USD"
    metric: list[Metric] = []
    pmp: Deals | None = None
    ext: dict[str, msgspec.Raw] | None = None


class Publisher(msgspec.Struct):
    """Whose site it is, by the exchange's own id."""

    id: str | None = None
    domain: str | None = None


class Extra(msgspec.Struct):
    """First-party facts: Prebid's place for what a page says of itself."""

    facts: Any = msgspec.field(default=None, name="data")


class Site(msgspec.Struct):
    """The page, or the app's screen."""

    id: str | None = None
    domain: str | None = None
    page: str | None = None
    keywords: str | None = None
    kwarray: Texts = []
    publisher: Publisher | None = None
    ext: Extra | None = None


class Geo(msgspec.Struct):
    """Where the reader is."""

    country: str | None = None
    accuracy: Count | None = None


class Device(msgspec.Struct):
    """The reader's browser."""

    ua: str | None = None
    ip: str | None = None
    ipv6: str | None = None
    devicetype: int | None = None
    geo: Geo | None = None


class Dsa(msgspec.Struct):
    """What the Digital Services Act asks for on this page; from 2 on, bids must say who is behind them."""

    required: int = msgspec.field(default=0, name="dsarequired")


class RegsExtra(msgspec.Struct):
    dsa: Dsa | None = None


class Regs(msgspec.Struct):
    """The law that holds. That of consent changes nothing here: nothing is stored, and no profile is used."""

    dsa: Dsa | None = None
    ext: RegsExtra | None = None


class Node(msgspec.Struct):
    """One seller that the request passed through."""

    asi: str
    sid: str


class SupplyChain(msgspec.Struct):
    """Who sells the impression, from the publisher on (OpenRTB SupplyChain object 1.0)."""

    complete: int
    nodes: list[Node]
    ver: str


class SourceExtra(msgspec.Struct):
    """Where OpenRTB 2.5 has the chain."""

    schain: SupplyChain | None = None


class Source(msgspec.Struct):
    """Where the request comes from."""

    schain: SupplyChain | None = None
    ext: SourceExtra | None = None


class UserPrebid(msgspec.Struct):
    """Ids of the reader with bidders; never looked at."""

    buyeruids: dict[str, Any] = {}


class UserExtra(msgspec.Struct):
    prebid: UserPrebid | None = None


class User(msgspec.Struct):
    """The reader. Nothing of this is used."""

    ext: UserExtra | None = None


class RequestPrebid(msgspec.Struct):
    """Prebid's own part of a request."""

    aliases: dict[str, Any] = {}
    factors: dict[str, Any] = msgspec.field(default_factory=dict, name="bidadjustmentfactors")


class RequestExtra(msgspec.Struct):
    prebid: RequestPrebid | None = None


class Auction(msgspec.Struct):
    """A bid request."""

    id: Id
    imp: Annotated[list[Impression], msgspec.Meta(min_length=1)]
    site: Site | None = None
    app: Site | None = None
    device: Device | None = None
    regs: Regs | None = None
    source: Source | None = None
    user: User | None = None
    tmax: Count | None = None
    test: int = 0
    cur: Texts = []
    wseat: Texts = []
    bseat: Texts = []
    bcat: Texts = []
    badv: Texts = []
    ext: RequestExtra | None = None


class Wanted(NamedTuple):
    """An impression, and the names of the bidders that it asks with what it says to them."""

    imp: Impression
    bidders: Sequence[tuple[str, Params]]


_decoder = msgspec.json.Decoder(Auction)
_prebid_decoder = msgspec.json.Decoder(ImpPrebid)
_params_decoder = msgspec.json.Decoder(Params)


def read_auction(body: bytes) -> tuple[Auction, list[Wanted]]:
    """Decode and check a bid request. Raises Unreadable.

    An exchange that gives two impressions one id is not refused, since exchanges throttle who does that; but
    nothing is wanted for these two, because a bid could not say which of them it is for.
    """
    auction = decode(_decoder, body)
    if auction.site and auction.app:
        raise Unreadable("The request has both a site and an app.")
    wanted: list[Wanted] = []
    seen: set[str] = set()
    unclear: set[str] = set()
    for number, imp in enumerate(auction.imp):
        where = f"imp[{number}]"
        if imp.id in seen:
            if _FROM_EXCHANGE not in (imp.ext or {}):
                raise Unreadable(f"The id of {where} is that of an impression before it.")
            unclear.add(imp.id)
        seen.add(imp.id)
        prebid, bidders = _read_ext(imp, f"{where}.ext")
        _check_media(imp, where, told=prebid)
        wanted.append(Wanted(imp, bidders))
    if all(imp.audio and not (imp.banner or imp.video or imp.native) for imp in auction.imp):
        raise Unreadable("The request is for audio alone, which is not sold here.")
    _check_bidders(auction, {name for one in wanted for name, _ in one.bidders})
    return auction, [one for one in wanted if one.imp.id not in unclear]


def _read_ext(imp: Impression, where: str) -> tuple[bool, list[tuple[str, Params]]]:
    """Whether Prebid.js asks, and whom: in `ext.prebid.bidder`, and by any other key that holds an object."""
    asked, others = None, []
    for key, raw in (imp.ext or {}).items():
        text = bytes(raw)
        if not text.startswith(b"{"):
            continue
        if key == "prebid":
            asked = decode(_prebid_decoder, text, f"{where}.prebid").bidder
        else:
            others.append((key, decode(_params_decoder, text, f"{where}.{key[:50]}")))
    return asked is not None, [*(asked or {}).items(), *others]


def _check_media(imp: Impression, where: str, *, told: bool) -> None:
    """`told`: sizes must be given, as to a Prebid Server (its documentation of `imp.banner`)."""
    if not (imp.banner or imp.video or imp.audio or imp.native):
        raise Unreadable(f"{where} has neither banner, video, audio nor native.")
    if imp.banner is None:
        return
    banner = imp.banner
    if any(limit is not None for limit in (banner.wmin, banner.hmin, banner.wmax, banner.hmax)):
        raise Unreadable(f"{where}.banner limits its sizes by wmin, hmin, wmax or hmax: list them in format.")
    for number, size in enumerate(banner.format or ()):
        place = f"{where}.banner.format[{number}]"
        fixed, flexible = (size.w, size.h), (size.wratio, size.hratio, size.wmin)
        if any(fixed) and any(flexible):
            raise Unreadable(f"{place} has both a size and a ratio.")
        if any(flexible) and not all(flexible):
            raise Unreadable(f"{place} needs all of wratio, hratio and wmin, above 0.")
    if (told or banner.format == []) and not (banner.format or (banner.w and banner.h)):
        raise Unreadable(f"{where}.banner has no sizes: give w and h, or format.")


def _check_bidders(auction: Auction, asked: set[str]) -> None:
    """What is set for bidders by name is set for bidders that are asked."""
    prebid = (auction.ext and auction.ext.prebid) or RequestPrebid()
    user = (auction.user and auction.user.ext and auction.user.ext.prebid) or UserPrebid()
    for name, factor in prebid.factors.items():
        if name != _BY_MEDIA and not (isinstance(factor, int | float) and factor > 0):
            raise Unreadable(f"ext.prebid.bidadjustmentfactors.{name[:50]} is not a number above 0.")
    places = {"ext.prebid.bidadjustmentfactors": prebid.factors, "user.ext.prebid.buyeruids": user.buyeruids}
    for place, names in places.items():
        for name in names:
            if name != _BY_MEDIA and name not in asked and name not in prebid.aliases:
                raise Unreadable(f"{place} names {name[:50]!r}, which no impression asks.")
