"""What an auction held elsewhere asks for → who may bid in it, beyond the rules of who may serve.

A bid promises one ad at a price to somebody who may turn it down. So it is left to those who are sold by the
event and to whoever pays most: no sponsor's turn and no set of slots can be promised, house ads have no
price, and a network's ads are for the publisher's own pages. Visitor caps need a tally, which an auction
does not bring, so whoever has any does not bid.

What buyers are not wanted is said in the exchange's terms, which may be anything; here only those are kept
that some line item has, so that what is remembered of requests is bounded by the catalog.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from adserver.catalog.model import Advertiser, Campaign, LineItem, PriceModel, Tier
from adserver.decision import bitmap
from adserver.decision.arrays import Floats
from adserver.decision.context import Ask

#: A kind ("domain", "category" or "attribute") and a value of it: what an exchange may not want of a bid.
Trait = tuple[str, str]
TIERS = frozenset((Tier.GUARANTEED, Tier.PRICE))
MODELS = frozenset((PriceModel.CPM, PriceModel.VCPM, PriceModel.CPC))
_MICROS = 1e6
_UNPAYABLE = 1 << 62


class AuctionAsk(Ask, frozen=True):
    """One slot that an auction asks for; made by `Auctions.ask`."""

    floor_micros: int = 0
    """CPM below which nobody bids."""
    blocked: tuple[Trait, ...] = ()
    disclosed: bool = False
    """Whether only those may bid who say on whose behalf they advertise."""


class Auctions:
    """Who of an index may bid at all, at which prices, and with which traits."""

    def __init__(
        self, owned: Sequence[tuple[Advertiser, Campaign, LineItem]], ecpms: Floats, together: int
    ) -> None:
        self._count = len(owned)
        self._ecpms = ecpms
        flags = [item.tier in TIERS and item.price is not None for _, _, item in owned]
        sold = [flag and _model(item) in MODELS for flag, (_, _, item) in zip(flags, owned, strict=True)]
        self._sold = bitmap.of_flags(sold) & ~together
        self._floors = sorted({round(ecpm * _MICROS) for ecpm, one in zip(ecpms, sold, strict=True) if one})
        told = [bool(item.disclosure or campaign.disclosure or a.disclosure) for a, campaign, item in owned]
        self._disclosed = bitmap.of_flags(told)
        self._holders: dict[Trait, list[int]] = {}
        for position, (advertiser, _, item) in enumerate(owned):
            if sold[position]:
                for trait in traits_of(advertiser, item):
                    self._holders.setdefault(trait, []).append(position)

    def ask(
        self,
        slot: str,
        sizes: tuple[str, ...],
        floor_micros: int,
        unwanted: Mapping[str, Iterable[str]],
        *,
        disclosed: bool = False,
    ) -> AuctionAsk:
        """Ask for a slot. `unwanted`: kind of trait → values of it. Floors between two prices are alike."""
        above = bisect_left(self._floors, floor_micros)
        floor = self._floors[above] if above < len(self._floors) else _UNPAYABLE
        traits = {(kind, value) for kind, values in unwanted.items() for value in values}
        return AuctionAsk(slot, sizes, None, floor, tuple(sorted(traits & self._holders.keys())), disclosed)

    def able(self, ask: AuctionAsk) -> int:
        """Bitmap of the line items that may bid."""
        bits = self._sold & (self._disclosed if ask.disclosed else self._sold)
        bits &= bitmap.of_flags(self._ecpms * _MICROS >= ask.floor_micros - 0.5)
        blocked = {position for trait in ask.blocked for position in self._holders.get(trait, ())}
        return bits & ~bitmap.of_positions(blocked, self._count) if blocked else bits


def _model(item: LineItem) -> PriceModel | None:
    return item.price.model if item.price else None


def traits_of(advertiser: Advertiser, item: LineItem) -> set[Trait]:
    """What an exchange may not want: domains with those above them, categories likewise, attributes."""
    traits: set[Trait] = set()
    for domain in domains_of(advertiser, item):
        labels = domain.split(".")
        traits.update(("domain", ".".join(labels[i:])) for i in range(max(len(labels) - 1, 1)))
    for category in item.categories:
        traits.update({("category", category), ("category", category.partition("-")[0])})
    for creative in item.creative:
        traits.update(("attribute", str(number)) for number in creative.attributes)
    return traits


@lru_cache(maxsize=100_000)
def _host(url: str) -> str | None:
    return urlsplit(url).hostname


def domains_of(advertiser: Advertiser, item: LineItem) -> list[str]:
    """The advertiser's domain or else those to which its creatives lead, without "www."."""
    if advertiser.domain:
        return [advertiser.domain]
    hosts = (_host(creative.click) for creative in item.creative if creative.click)
    return list(dict.fromkeys(host.removeprefix("www.") for host in hosts if host))
