"""A bid request → the JSON of our bids, by the same decision that fills pages; None where there is no bid.

A bid's price is what its line item pays for an impression, not what it took to win here: that of `cpm` line
items exactly, and of those paid by views or clicks what an impression is expected to bring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import Scope

from adserver.catalog.model import PriceModel
from adserver.clock import bucket_of_ms, to_ms
from adserver.decision.auction import domains_of
from adserver.decision.context import Decision, Fill, NoFill, Reason
from adserver.decision.index import IndexedSite
from adserver.measurement.event import Validity
from adserver.measurement.log import AUCTION, BID, INVALID
from adserver.money import MICROS
from adserver.serving.disclosure import disclosure_of, dsa_of, said_of
from adserver.serving.fill import facts_on
from adserver.serving.openrtb.mapping import Place, context_in, country_in, places_in, site_in, visitor_in
from adserver.serving.openrtb.markup import markup_of
from adserver.serving.openrtb.request import Auction, Wanted
from adserver.serving.parts import Parts
from adserver.serving.trackers import system_in
from adserver.serving.visitor import visitor_of

#: `mtype` of a bid: a banner.
_BANNER = 1
Bid = dict[str, Any]


def answer_auction(
    parts: Parts, auction: Auction, wanted: Sequence[Wanted], scope: Scope, base: str
) -> bytes | None:
    """Decide on all impressions at once. `base`: where browsers reach this server."""
    index, decider, settings = parts.live.index, parts.steering.decider, parts.settings
    site = site_in(auction, wanted, index)
    places = list(places_in(auction, wanted, site, index, settings)) if site else []
    if site is None or not places:
        return None
    now = parts.clock()
    now_ms = to_ms(now)
    visitor = visitor_in(auction, visitor_of(scope))
    country = country_in(auction, visitor, scope, parts.country_of)
    context = context_in(auction, site, visitor, country, settings)
    # Nothing can be kept in the reader's browser from here, and so there is no tally.
    page = decider.decide(context, [place.ask for place in places], now, parts.rng, None)
    found = parts.screen.page(visitor)
    bucket = bucket_of_ms(now_ms)
    facts = facts_on(parts, context, visitor, bucket, found)
    maker = _Maker(parts, site, base, now_ms, facts, tracked=not auction.test)
    bids = {} if found else maker.bids(places, page.decisions)
    if not auction.test:
        parts.counts.count_invalid(found)
        _count(parts, page.decisions, bids, bucket, found)
        if not found:
            decider.serve(page, now, offered=True)
            parts.steering.note(context, [place.ask for place in places], now)
    return _encode(auction, site, places, bids, parts.ids.next(now_ms)) if bids else None


@dataclass(frozen=True, slots=True)
class _Maker:
    """What all bids of one answer have in common. `tracked`: what becomes of them is counted."""

    parts: Parts
    site: IndexedSite
    base: str
    now_ms: int
    facts: int
    tracked: bool

    def bids(self, places: Sequence[Place], decisions: Sequence[Decision]) -> dict[int, Bid]:
        """A bid by the number of its place, for each that was filled and pays the floor."""
        made = {}
        for number, (place, decision) in enumerate(zip(places, decisions, strict=True)):
            if isinstance(decision, Fill):
                price = self._price_micros(decision) / MICROS
                if price >= place.imp.bidfloor and price > 0:
                    made[number] = self._bid(place, decision, price)
        return made

    def _price_micros(self, fill: Fill) -> int:
        item = fill.choice.item
        assert item.price, "only who has a price may bid"
        if item.price.model is PriceModel.CPM:
            return item.price.micros
        rates = self.parts.steering.decider.standing.rates
        return round(rates.mean_ecpm(fill.slot_id, fill.choice.position) * MICROS)

    def _bid(self, place: Place, fill: Fill, price: float) -> Bid:
        choice, creative = fill.choice, fill.choice.creative
        index = self.parts.live.index
        advertiser, campaign = index.owners[choice.position]
        disclosure = disclosure_of(index, fill)
        number = self.parts.ids.next(self.now_ms)
        token = self.parts.key.sign(self.parts.live.fragments(fill).stem, number, self.facts).decode()
        width, height = map(int, creative.size.split("x"))
        bid: Bid = {
            "id": f"{number:x}",
            "impid": place.imp.id,
            "price": price,
            "adm": markup_of(fill, said_of(index, fill), self.base, token if self.tracked else None),
            "adomain": domains_of(advertiser, choice.item),
            "cid": campaign.name,
            "crid": creative.name,
            "w": width,
            "h": height,
            "mtype": _BANNER,
            "exp": self.parts.settings.bid_seconds,
            "ext": {"prebid": {"type": "banner"}},
        }
        if disclosure:
            bid["ext"]["dsa"] = dsa_of(disclosure, system_in(self.base))
        if choice.item.categories:
            bid["cat"] = choice.item.categories
        if creative.attributes:
            bid["attr"] = creative.attributes
        if self.tracked:
            bid["nurl"] = f"{self.base}/openrtb2/win/{token}"
            bid["burl"] = f"{self.base}/openrtb2/billed/{token}"
        return bid


def _count(
    parts: Parts, decisions: Sequence[Decision], bids: Mapping[int, Bid], bucket: int, found: Validity
) -> None:
    """Count each slot by what came of it. What filled it but pays too little after all is no bid."""
    for number, decision in enumerate(decisions):
        assert decision.slot_id is not None, "only slots of the catalog are asked for"
        if found:
            outcome = f"{INVALID}{found.name.lower()}"
        elif number in bids:
            outcome = AUCTION + BID
        else:
            outcome = AUCTION + (decision.reason if isinstance(decision, NoFill) else Reason.BELOW_FLOOR)
        parts.log.count_request(bucket, decision.slot_id, outcome)


def _encode(
    auction: Auction, site: IndexedSite, places: Sequence[Place], bids: Mapping[int, Bid], number: int
) -> bytes:
    seats: dict[str, list[Bid]] = {}
    for place, bid in bids.items():
        seats.setdefault(places[place].seat, []).append(bid)
    return msgspec.json.encode(
        {
            "id": auction.id,
            "bidid": f"{number:x}",
            "cur": site.site.currency,
            "seatbid": [{"seat": seat, "bid": made} for seat, made in seats.items()],
        }
    )
