// A network's creative → an AdSense unit in the slot, and what becomes of it: filled, or the next in the chain.
//
//   asked ──filled────────────────→ an impression of the network
//     ├─────unfilled──────────────→ `unfilled` ──┐
//     └─────blocked, or no answer─→ `no_answer` ─┴→ asked for again without networks: a passback
//
// AdSense runs in the page itself, so only a line item that is `trusted` may have such a creative.

import { ask } from "./ask.js";
import { show } from "./draw.js";
import { create, safely, script, trust } from "./page.js";
import { report } from "./report.js";
import { halt } from "./slots.js";
import { drawn } from "./view.js";

const ADSENSE = "https://pagead2.googlesyndication.com/pagead/js/adsbygoogle.js";
const ANSWER_MS = 5000;

/** Resolved once AdSense's script is there; the page may have it already. */
let loaded;

const load = (client) =>
  new Promise((resolve, reject) => {
    if (document.querySelector(`script[src^="${ADSENSE}"]`)) return resolve();
    const element = document.createElement("script");
    const src = trust("createScriptURL", `${ADSENSE}?client=${client}`);
    Object.assign(element, { async: true, crossOrigin: "anonymous", nonce: script.nonce, src });
    element.onload = resolve;
    element.onerror = reject;
    document.head.append(element);
  });

export const renderNetwork = (slot, fill, width, height) => {
  const { client, unit } = fill.creative;
  window.adsbygoogle = window.adsbygoogle || [];
  const element = create("ins", `width:${width}px;height:${height}px`);
  element.className = "adsbygoogle";
  Object.assign(element.dataset, { adClient: client, adSlot: unit });
  let timer = 0;
  const outcome = (state) => {
    if (!state || !timer) return;
    clearTimeout(timer);
    timer = 0;
    observer.disconnect();
    if (state === "filled") return drawn(slot, fill, element, width * height);
    report(fill.fill, state);
    halt(slot);
    slot.unit.remove();
    slot.unit = null;
    ask([slot], { passback: true });
  };
  const observer = new MutationObserver(safely(() => {
    const { adStatus } = element.dataset;
    outcome(adStatus && adStatus !== "filled" ? "unfilled" : adStatus);
  }));
  observer.observe(element, { attributeFilter: ["data-ad-status"] });
  show(slot, fill, element);
  const missing = () => outcome("no_answer");
  timer = setTimeout(safely(missing), ANSWER_MS);
  slot.stops.push(() => {
    clearTimeout(timer);
    timer = 0;
    observer.disconnect();
  });
  if (fill.network === "non_personalised") window.adsbygoogle.requestNonPersonalizedAds = 1;
  loaded = loaded || load(client);
  loaded.then(() => window.adsbygoogle.push({})).catch(safely(missing));
};
