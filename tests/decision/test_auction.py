"""Who may bid in an auction elsewhere, against the same rules asked of one line item after the other."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.catalog.model import Advertiser, Catalog, LineItem, PriceModel, Tier
from adserver.decision.auction import AuctionAsk, domains_of
from adserver.decision.bitmap import positions_in
from adserver.decision.context import Ask, Context, Fill
from adserver.decision.steering import Learned
from tests.decision.deciding import EXPECTED_CTR, index_of, steering_of
from tests.newsroom import NOW, catalog_of, line_item
from tests.strategies import catalogs

DOMAINS = ("bank.example", "shop.bank.example", "example", "nk.example", "other.example")
CATEGORIES = ("IAB13", "IAB13-4", "IAB7", "IAB1", "IAB13-5")
KINDS = {"domain": DOMAINS, "category": CATEGORIES, "attribute": ("1", "2", "9")}
unwanted = st.fixed_dictionaries({kind: st.lists(st.sampled_from(pool)) for kind, pool in KINDS.items()})
floors = st.sampled_from([0, 1, 500_000, 4_500_000, 10**9, 10**15]) | st.integers(0, 10**7)


def may_bid(
    advertiser: Advertiser, item: LineItem, floor_micros: int, banned: dict[str, Sequence[str]]
) -> bool:
    """The rules, the slow way."""
    price = item.price
    if price is None or item.tier not in (Tier.GUARANTEED, Tier.PRICE) or item.together:
        return False
    if price.model in (PriceModel.FLAT, PriceModel.CPA):
        return False
    worth = price.micros * 1000 * EXPECTED_CTR if price.model is PriceModel.CPC else price.micros
    if worth < floor_micros:
        return False
    for domain in domains_of(advertiser, item):
        if any(
            f".{domain}".endswith(f".{banned_one}") for banned_one in banned["domain"] if "." in banned_one
        ):
            return False
    for category in item.categories:
        if category in banned["category"] or category.split("-")[0] in banned["category"]:
            return False
    attributes = {str(number) for creative in item.creative for number in creative.attributes}
    return not attributes & set(banned["attribute"])


@settings(max_examples=60, deadline=None)
@given(catalog=catalogs(pages=True), floor_micros=floors, banned=unwanted)
def test_who_may_bid(catalog: Catalog, floor_micros: int, banned: dict[str, Sequence[str]]) -> None:
    index = index_of(catalog)
    ask = index.auctions.ask("sidebar", ("300x250",), floor_micros, banned)
    able = set(positions_in(index.auctions.able(ask)).tolist())
    expected = {
        position
        for position, (item, (advertiser, _)) in enumerate(zip(index.items, index.owners, strict=True))
        if may_bid(advertiser, item, floor_micros, banned)
    }
    assert able == expected


def test_floors_between_two_prices_are_alike_and_so_is_what_nobody_has() -> None:
    """What is remembered of auctions is bounded by the catalog, whatever exchanges send."""
    items = [line_item(name, "price", "728x90", price={"cpm": name[1:]}) for name in ("c1", "c3")]
    auctions = index_of(catalog_of(*items)).auctions
    asks = {
        auctions.ask("top", ("728x90",), floor, {"domain": [f"x{floor}.example"], "category": ["IAB26"]})
        for floor in range(0, 5_000_000, 1000)
    }
    assert {(ask.floor_micros, ask.blocked) for ask in asks} == {
        (1_000_000, ()),
        (3_000_000, ()),
        (1 << 62, ()),
    }


def test_the_asks_of_an_auction_and_of_a_page_are_not_mistaken_for_each_other() -> None:
    house = line_item("own", "house", "728x90")
    steering = steering_of(catalog_of(house), NOW, Learned())
    for ask, filled in ((Ask("top", ("728x90",)), True), (AuctionAsk("top", ("728x90",)), False)) * 2:
        page = steering.decider.decide(Context("daily"), [ask], NOW, Random(0), None)
        assert isinstance(page.decisions[0], Fill) is filled
