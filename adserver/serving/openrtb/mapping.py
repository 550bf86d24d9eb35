"""A bid request → our site, the facts of its page, and for each impression the slot to ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from starlette.types import Scope

from adserver.decision.auction import AuctionAsk
from adserver.decision.context import Context
from adserver.decision.index import Index, IndexedSite
from adserver.money import MICROS
from adserver.serving.agents import agent_of
from adserver.serving.openrtb.countries import country_of
from adserver.serving.openrtb.request import Auction, Impression, Params, Regs, Site, Wanted
from adserver.serving.visitor import CountryOf, Visitor
from adserver.serving.wire import MAX_BID_MICROS, MAX_URL_CHARS
from adserver.settings import Settings

#: AdCOM 1.0, "Device Types", as far as they are ours; 1 is a phone or a tablet.
_DEVICES = {2: "desktop", 4: "mobile", 5: "tablet"}
_MOST_SIZES = 50
#: From this value of `dsarequired` on, bids without `dsa` are not taken.
DSA_REQUIRED = 2


class Place(NamedTuple):
    """An impression that we may bid on."""

    imp: Impression
    ask: AuctionAsk
    seat: str
    """The name by which we were asked."""


def visitor_in(auction: Auction, visitor: Visitor) -> Visitor:
    """The reader that the request tells of; `visitor` is who sent it, the reader's browser or a server."""
    device = auction.device
    if device is None:
        return visitor
    agent = device.ua.encode("utf-8", "replace") if device.ua else None
    return visitor._replace(
        agent=visitor.agent if agent is None else agent_of(agent),
        told=visitor.told if agent is None else bool(agent.strip()),
        address=device.ip or device.ipv6 or visitor.address,
    )


def site_in(auction: Auction, wanted: Sequence[Wanted], index: Index) -> IndexedSite | None:
    """The site that is meant: by its name where we are told one, by its domain, or by the publisher's id."""
    page = auction.site or auction.app or Site()
    publisher = page.publisher
    named = [params.site for one in wanted for _, params in one.bidders]
    named += [one.imp.tagid.partition("/")[0] for one in wanted if one.imp.tagid and "/" in one.imp.tagid]
    domains = [page.domain, page.page, publisher.domain if publisher else None]
    ids = [publisher.id if publisher else None, page.id]
    names = [name for name in named if isinstance(name, str)]
    names += [index.domains.get(host_of(text), "") for text in domains if text]
    names += [text for text in ids if text]
    return next((index.sites[name] for name in names if name in index.sites), None)


def host_of(text: str) -> str:
    """The host of an address or domain, however it is written, without "www." and port."""
    host = text.rpartition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    return host.partition(":")[0].lower().removeprefix("www.")


def places_in(
    auction: Auction, wanted: Sequence[Wanted], site: IndexedSite, index: Index, settings: Settings
) -> Iterator[Place]:
    """Each impression for which we know the slot, have a size to look for and could pay in its currency.

    Of more than a page may have slots only the first are looked at.
    """
    if auction.cur and site.site.currency not in auction.cur:
        return
    regs = auction.regs or Regs()
    dsa = regs.dsa or (regs.ext.dsa if regs.ext else None)
    disclosed = dsa is not None and dsa.required >= DSA_REQUIRED
    unwanted = {"domain": [text.lower() for text in auction.badv], "category": auction.bcat}
    for imp, bidders in wanted[: settings.max_slots_per_page]:
        slot = _slot_in(imp, bidders, site)
        if imp.banner is None or slot is None or (imp.pmp and imp.pmp.private_auction):
            continue
        seat = next((name for name, _ in bidders if name != "bidder"), "adserver")
        if seat in auction.bseat or (auction.wseat and seat not in auction.wseat):
            continue
        floor = ceil(min(imp.bidfloor * MICROS, MAX_BID_MICROS + 1.0))
        if floor and imp.bidfloorcur != site.site.currency:
            continue
        sizes = [(size.w, size.h) for size in imp.banner.format or ()]
        sizes.append((imp.banner.w, imp.banner.h))
        names = tuple(dict.fromkeys(f"{w}x{h}" for w, h in sizes if w and h))[:_MOST_SIZES]
        blocked = {**unwanted, "attribute": map(str, imp.banner.battr)}
        yield Place(imp, index.auctions.ask(slot, names, floor, blocked, disclosed=disclosed), seat)


def _slot_in(imp: Impression, bidders: Sequence[tuple[str, Params]], site: IndexedSite) -> str | None:
    """The slot that is meant, by whatever an ad unit is called: first what was set for us alone.

    A global placement id (GPID) is a path that ends with the ad unit, and perhaps `#` and its element.
    """
    gpid = imp.ext.get("gpid") if imp.ext else None
    names: list[Any] = [params.slot for _, params in bidders]
    names += [params.placement for _, params in bidders]
    if imp.tagid:
        names += [imp.tagid, imp.tagid.removeprefix(f"{site.site.name}/")]
    if gpid is not None:
        names.append(bytes(gpid).decode("utf-8", "replace").strip('"').partition("#")[0].rpartition("/")[2])
    names.append(imp.id)
    return next((name for name in names if isinstance(name, str) and name in site.slots), None)


def context_in(
    auction: Auction, site: IndexedSite, visitor: Visitor, country: str | None, settings: Settings
) -> Context:
    """The facts of the page and its reader, as far as the request tells them."""
    page = auction.site or auction.app or Site()
    given = page.ext.facts if page.ext and isinstance(page.ext.facts, dict) else {}
    bound = settings.max_facts_per_page
    keywords = [*(page.keywords or "").split(","), *page.kwarray]
    topics = [*_texts(given.get("topics")), *(word.strip() for word in keywords if word.strip())]
    section = given.get("section")
    return Context(
        site.site.name,
        section=section if isinstance(section, str) else None,
        topics=topics[:bound],
        values=dict(list(_values(given))[:bound]),
        country=country,
        device=visitor.agent.device or _device_in(auction),
        url=page.page if page.page and len(page.page) <= MAX_URL_CHARS else None,
    )


def _values(given: Mapping[str, Any]) -> Iterator[tuple[str, str | list[str]]]:
    for key, value in given.items():
        if isinstance(value, str):
            yield key, value
        elif texts := _texts(value):
            yield key, texts


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _device_in(auction: Auction) -> str | None:
    kind = auction.device.devicetype if auction.device else None
    return None if kind is None else _DEVICES.get(kind)


def country_in(auction: Auction, visitor: Visitor, scope: Scope, country_at: CountryOf) -> str | None:
    """What the exchange says of the reader, or what is known of the address that it gives.

    Headers that a proxy adds tell where the sender is, which is the reader only where a browser sends, with
    its origin.
    """
    device = auction.device
    if device and device.geo and (told := country_of(device.geo.country)):
        return told
    addressed = device is not None and (device.ip or device.ipv6)
    direct = not addressed and any(name == b"origin" for name, _ in scope["headers"])
    return country_at(scope["headers"] if direct else (), visitor.address)
