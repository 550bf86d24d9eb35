// Slots → one request for all of them, and its answer → what is drawn in each.

import { readConsent } from "./consent.js";
import { render } from "./draw.js";
import { SITE, list, post, safely, script } from "./page.js";
import { headerBids } from "./prebid.js";
import { slots } from "./slots.js";
import { keepTally, tally } from "./tally.js";
import { theme } from "./theme.js";

const FILL_TIMEOUT_MS = 5000;
const CONSENT_TIMEOUT_MS = Number(script.dataset.consentTimeoutMs || 1500);

const fillRequest = (asked, { consent, stores }, bids) => {
  const { section, topics, author } = script.dataset;
  const page = { url: location.href.split("#")[0], topics: list(topics), values: author ? { author } : {} };
  if (section) page.section = section;
  const request = {
    site: SITE,
    page,
    slots: asked.map(({ name, fitting }) => ({ slot: name, sizes: fitting })),
    theme: theme(),
  };
  if (bids?.length) request.bids = bids;
  if (Object.keys(consent).length) request.consent = consent;
  request.tally = tally(stores); // left out of the JSON where it is undefined
  return request;
};

export const ask = safely(async () => {
  const asked = [...slots.values()].filter(({ fitting }) => fitting.length);
  if (!asked.length) return;
  const [allowed, bids] = await Promise.all([readConsent(CONSENT_TIMEOUT_MS), headerBids(asked)]);
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), FILL_TIMEOUT_MS);
  try {
    const response = await post("/v1/fill", fillRequest(asked, allowed, bids), { signal: timeout.signal });
    if (!response.ok) return;
    const { fills, tally: given } = await response.json();
    keepTally(given);
    asked.forEach((slot, index) => render(slot, fills[index])); // answers are in the order of the request
  } finally {
    clearTimeout(timer);
  }
});
