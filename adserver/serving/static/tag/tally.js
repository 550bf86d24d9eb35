// What the server gives the browser to keep → one text in the page's localStorage, and back.
//
// The tally says how often in which minutes an ad was shown that may be shown only so often. It holds no id and
// identifies nobody. It is neither read nor sent where the reader did not allow it, as far as the page can tell; the
// server, which reads the consent strings, answers "" to have it removed. With Global Privacy Control it is removed.

import { ORIGIN, SITE, safely } from "./page.js";

const KEY = `adserver:tally:${ORIGIN}:${SITE}`;

/** What the server last gave to keep, or ""; undefined where nothing can or may be read. */
export const tally = (stores) => {
  try {
    if (stores) return localStorage.getItem(KEY) || "";
    if (navigator.globalPrivacyControl) localStorage.removeItem(KEY);
  } catch {
    // blocked storage, or a sandbox
  }
  return undefined;
};

/** Keeps what an answer gives; "" means that nothing may be kept. Of two tabs the last one wins. */
export const keepTally = safely((text) => {
  if (text && typeof text === "string" && !navigator.globalPrivacyControl) localStorage.setItem(KEY, text);
  else if (text === "") localStorage.removeItem(KEY);
});
