"""Bids of a bidder that is not ours → a page on which the real Prebid.js holds its auction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adserver.app import App
from adserver.settings import Settings
from tests.browser.article import Host, put
from tests.browser.servers import RealAds, apply_catalog, serve
from tests.newsroom import catalog_of, image
from tests.npm import npm_file

#: How much a bidder offers for a slot, and for an ad of what size.
Offer = tuple[float, int, int]

#: An adapter as Prebid.js takes them, of a bidder whose server is the page host.
_RIVAL = """
pbjs.registerBidAdapter(null, "rival", {
  code: "rival",
  supportedMediaTypes: ["banner"],
  isBidRequestValid: () => true,
  buildRequests: (requests) => [{ method: "GET", url: location.origin + "/rival", data: "", requests }],
  interpretResponse: ({ body }, { requests }) => requests.map(({ bidId, adUnitCode }) => ({
    requestId: bidId,
    creativeId: "rival-1",
    ttl: 300,
    netRevenue: true,
    ad: `<p id="rival" style="margin: 0; height: 100%; background: #ffd">${adUnitCode}</p>`,
    ...body[adUnitCode],
  })),
});
"""


@contextmanager
def direct_ads(db: Path, host: Host, **creative: Any) -> Iterator[RealAds]:
    """The real server with a line item that pays 4.50 in each of two slots; `creative` replaces keys."""
    settings = Settings(db=db)
    items: list[dict[str, object]] = [
        {
            "name": f"direct-{slot}",
            "tier": "price",
            "price": {"cpm": "4.50"},
            "target": {"slot": [slot]},
            "creative": [{**_image(host, slot, size), **creative}],
        }
        for slot, size in (("top", "728x90"), ("side", "300x250"))
    ]
    apply_catalog(settings.db, catalog_of(*items))
    with serve(App(settings)) as base:
        yield RealAds(base, settings.db)


def _image(host: Host, slot: str, size: str) -> dict[str, object]:
    url, _ = host
    place = {"image": f"{url}/image/{size}.svg", "click": f"{url}/advertiser?from={slot}"}
    return image(f"direct-{slot}", size, alt="Direct", **place)


def put_with_rival(
    host: Host, ads: RealAds, body: str, offers: Mapping[str, Offer], *, currency: str = "USD", tag: str = ""
) -> str:
    """Puts an article on the host whose header bidding has one bidder, offering so much by slot → its URL."""
    units = [_unit(slot, offer, {"bidder": "rival", "params": {}}) for slot, offer in offers.items()]
    auction = f"{_RIVAL} pbjs.requestBids({{ adUnits: {json.dumps(units)}, timeout: 2000 }});"
    head = _head(host, offers, auction, currency)
    return put(host, ads, body, head=head, tag=tag or 'data-prebid-timeout-ms="5000"')


def put_with_us_as_bidder(host: Host, ads: RealAds, offer: Offer) -> str:
    """Puts a page without our tag on the host: Prebid.js asks us and a rival for `top` → its URL.

    The page draws the winner in a frame, as those do that have no ad server.
    """
    url, pages = host
    us = {"bidder": "adserver", "params": {"site": "daily", "slot": "top"}}
    unit = _unit("top", offer, us, {"bidder": "rival", "params": {}})
    endpoint = f"{ads.url}/openrtb2/auction"
    s2s = {
        "accountId": "daily",
        "bidders": ["adserver"],
        "enabled": True,
        "timeout": 1500,
        "endpoint": endpoint,
    }
    draw = """() => {
      const [bid] = pbjs.getHighestCpmBids("top");
      pbjs.renderAd(document.getElementById("top").contentDocument, bid.adId);
    }"""
    auction = f"""{_RIVAL} pbjs.setConfig({{ s2sConfig: [{json.dumps(s2s)}] }});
    pbjs.requestBids({{ adUnits: [{json.dumps(unit)}], timeout: 2000, bidsBackHandler: {draw} }});"""
    html = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Article</title>
    {_head(host, {"top": offer}, auction)}</head>
    <body><iframe id="top" width="800" height="150" title="Advertisement"></iframe></body></html>"""
    pages.pages["/prebid"] = (html, {})
    return f"{url}/prebid"


def _unit(slot: str, offer: Offer, *bids: dict[str, Any]) -> dict[str, Any]:
    return {"code": slot, "mediaTypes": {"banner": {"sizes": [list(offer[1:])]}}, "bids": list(bids)}


def _head(host: Host, offers: Mapping[str, Offer], auction: str, currency: str = "USD") -> str:
    """Loads Prebid.js, which then runs the auction; what the rival offers is put on the host."""
    _, pages = host
    text = npm_file("prebid.js/dist/not-for-prod/prebid.js").read_text(encoding="utf-8")
    pages.pages["/prebid.js"] = (text, {"content-type": "text/javascript"})
    bids = {
        slot: {"cpm": cpm, "width": width, "height": height, "currency": currency}
        for slot, (cpm, width, height) in offers.items()
    }
    pages.pages["/rival"] = (json.dumps(bids), {"content-type": "application/json"})
    return f"""<script async src="/prebid.js"></script>
    <script>var pbjs = {{ que: [] }}; pbjs.que.push(() => {{ {auction} }});</script>"""
