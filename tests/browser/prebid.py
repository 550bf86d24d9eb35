"""Bids of a bidder that is not ours → an article page on which the real Prebid.js holds its auction."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.browser.article import Host, put
from tests.browser.servers import RealAds
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


def put_with_rival(
    host: Host, ads: RealAds, body: str, offers: Mapping[str, Offer], *, currency: str = "USD", tag: str = ""
) -> str:
    """Puts an article on the host whose header bidding has one bidder, offering so much by slot → its URL."""
    _, pages = host
    pages.pages["/prebid.js"] = (_prebid(), {"content-type": "text/javascript"})
    bids = {
        slot: {"cpm": cpm, "width": width, "height": height, "currency": currency}
        for slot, (cpm, width, height) in offers.items()
    }
    pages.pages["/rival"] = (json.dumps(bids), {"content-type": "application/json"})
    units = [
        {
            "code": slot,
            "mediaTypes": {"banner": {"sizes": [[width, height]]}},
            "bids": [{"bidder": "rival", "params": {}}],
        }
        for slot, (_, width, height) in offers.items()
    ]
    auction = f"{_RIVAL} pbjs.requestBids({{ adUnits: {json.dumps(units)}, timeout: 2000 }});"
    head = f"""<script async src="/prebid.js"></script>
    <script>var pbjs = {{ que: [] }}; pbjs.que.push(() => {{ {auction} }});</script>"""
    return put(host, ads, body, head=head, tag=tag or 'data-prebid-timeout-ms="5000"')


def _prebid() -> str:
    return npm_file("prebid.js/dist/not-for-prod/prebid.js").read_text(encoding="utf-8")
