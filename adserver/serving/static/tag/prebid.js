// Prebid.js's auction on the page → offers to the server; a header bid that won → drawn by Prebid.js in its slot.

import { frameOf, show } from "./draw.js";
import { safely, script } from "./page.js";

/**
 * The best header bid for each slot, when the auction ends or so many ms have passed as `data-prebid-timeout-ms` says;
 * ad units are named as their slots. Without that attribute there is none, and nothing is waited for.
 */
export const headerBids = safely(async (asked) => {
  const patience = Number(script.dataset.prebidTimeoutMs);
  if (!(patience > 0)) return [];
  const pbjs = (window.pbjs = window.pbjs || {});
  pbjs.que = pbjs.que || [];
  await new Promise((ended) => {
    setTimeout(ended, patience);
    pbjs.que.push(safely(() => {
      if (pbjs.getEvents().some(({ eventType }) => eventType === "auctionEnd")) ended();
      else pbjs.onEvent("auctionEnd", ended);
    }));
  });
  if (!pbjs.getHighestCpmBids) return []; // it was not loaded in time
  const offer = ({ adUnitCode: slot, adId: bid, cpm, currency, width, height }) =>
    ({ slot, bid, cpm: cpm.toFixed(6), currency, size: `${width}x${height}` });
  return asked.flatMap(({ name }) => pbjs.getHighestCpmBids(name)).map(offer);
});

/** Whoever made the bid learns of it from Prebid.js. */
export const drawBid = (slot, fill) => {
  const frame = frameOf(fill);
  show(slot, fill, frame);
  frame.contentDocument.body.style.margin = "0";
  window.pbjs.renderAd(frame.contentDocument, fill.bid);
};
