"""A stand-in for AdSense's script, under its own address → units that are filled, unfilled or unanswered.

It does what pages see of the real one: it takes `push({})` calls, marks each unit as done, puts a frame of
another origin into it, and tells by `data-ad-status` whether it has an ad (AdSense help, "Ad units: hide
unfilled"). Which unit does what hangs on its number.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, Route

from adserver.catalog.model import Advertiser, Catalog

ADDRESS = "https://pagead2.googlesyndication.com/pagead/js/adsbygoogle.js"
CLIENT = "ca-pub-1234567890123456"
FILLED, UNFILLED, SILENT, LATE = "1111111111", "2222222222", "3333333333", "4444444444"
_SCRIPT = """
(() => {
  const queued = window.adsbygoogle || [];
  window.__adsense = { loads: (window.__adsense?.loads || 0) + 1, personal: [] };
  const answer = (unit, status) => {
    if (status === "filled") {
      const frame = document.createElement("iframe");
      frame.src = "https://googleads.g.doubleclick.net/pagead/ads?slot=" + unit.dataset.adSlot;
      Object.assign(frame, { width: unit.offsetWidth, height: unit.offsetHeight, title: "Advertisement" });
      Object.assign(frame.style, { border: "0", display: "block" });
      unit.append(frame);
    }
    unit.dataset.adStatus = status;
  };
  const take = () => {
    const unit = document.querySelector("ins.adsbygoogle:not([data-adsbygoogle-status])");
    if (!unit) throw new Error("TagError: all ins elements with class=adsbygoogle already have ads");
    unit.dataset.adsbygoogleStatus = "done";
    window.__adsense.personal.push(!queued.requestNonPersonalizedAds);
    const does = { 1: ["filled", 120], 2: ["unfilled", 120], 4: ["filled", 7000] }[unit.dataset.adSlot[0]];
    if (does) setTimeout(answer, does[1], unit, does[0]);
  };
  queued.push = take;
  window.adsbygoogle = queued;
  queued.splice(0).forEach(take);
})();
"""
_AD = '<!doctype html><body style="margin:0;background:#fc6"><p id="google">An ad of a network</p>'


def stand_in(page: Page, *, blocked: bool = False) -> list[str]:
    """Routes Google's addresses of a page → the addresses that it asks for, as they come."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if blocked:
            route.abort("blockedbyclient")
        elif route.request.url.startswith(ADDRESS):
            cors = {"Access-Control-Allow-Origin": "*"}
            route.fulfill(body=_SCRIPT, content_type="text/javascript", headers=cors)
        else:
            route.fulfill(body=_AD, content_type="text/html")

    for host in ("pagead2.googlesyndication.com", "googleads.g.doubleclick.net"):
        page.route(f"https://{host}/**", answer)
    return asked


def with_network(catalog: Catalog, unit: str, slot: str, size: str) -> Catalog:
    """The catalog with an ad unit that outbids all others in one of its slots."""
    creative = {"name": "adsense", "kind": "network", "size": size, "client": CLIENT, "unit": unit}
    item: dict[str, Any] = {
        "name": "adsense",
        "tier": "network",
        "trusted": True,
        "price": {"cpm": "90.00"},
        "target": {"slot": [slot]},
        "creative": [creative],
    }
    google = {"name": "google", "campaign": [{"name": "adsense", "line_item": [item]}]}
    return catalog.model_copy(update={"advertiser": (*catalog.advertiser, Advertiser.model_validate(google))})
