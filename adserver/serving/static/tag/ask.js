// Slots → one request for all that are due together, and its answer → what is drawn in each.

import { readConsent } from "./consent.js";
import { render } from "./draw.js";
import { facts } from "./facts.js";
import { SITE, post, safely, script, tell } from "./page.js";
import { headerBids } from "./prebid.js";
import { leaveEmpty, slots } from "./slots.js";
import { keepTally, tally } from "./tally.js";
import { theme } from "./theme.js";

const FILL_TIMEOUT_MS = 5000;
const CONSENT_TIMEOUT_MS = Number(script.dataset.consentTimeoutMs || 1500);

const due = new Set();

/**
 * Has a slot asked for: now, or with `data-lazy` when the reader comes near it, which is a viewport's height away, or
 * as many pixels as the attribute says.
 */
export const askFor = (slot) => {
  const lazy = slot.element.dataset.lazy ?? script.dataset.lazy;
  if (lazy === undefined) return askNow(slot);
  const near = new IntersectionObserver(
    safely((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      near.disconnect();
      askNow(slot);
    }),
    { rootMargin: lazy > 0 ? `${lazy}px 0px` : "100% 0px" },
  );
  near.observe(slot.element);
  slot.stops.push(() => near.disconnect());
};

export const askNow = (slot) => {
  if (!due.size) {
    setTimeout(() => {
      ask([...due]);
      due.clear();
    });
  }
  due.add(slot);
};

const fillRequest = (asked, { consent, stores }, bids) => {
  const request = {
    site: SITE,
    page: facts(),
    slots: asked.map(({ name, fitting }) => ({ slot: name, sizes: fitting })),
    theme: theme(),
  };
  if (bids?.length) request.bids = bids;
  if (Object.keys(consent).length) request.consent = consent;
  request.tally = tally(stores); // left out of the JSON where it is undefined
  return request;
};

/** `more`: keys of the request beside the usual ones. */
export const ask = safely(async (wanted, more) => {
  const asked = wanted.filter((slot) =>
    slot.fitting.length ? slots.get(slot.element) === slot : void leaveEmpty(slot, "no_size"));
  if (!asked.length) return;
  let fills;
  let network;
  const [allowed, bids] = await Promise.all([readConsent(CONSENT_TIMEOUT_MS), headerBids(asked)]);
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), FILL_TIMEOUT_MS);
  try {
    const body = { ...fillRequest(asked, allowed, bids), ...more };
    const answer = await (await post("/v1/fill", body, { signal: timeout.signal })).json();
    keepTally(answer.tally);
    ({ fills, network } = answer);
  } finally {
    clearTimeout(timer);
    // Answers are in the order of the request.
    asked.forEach((slot, index) => settle(slot, { ...[].concat(fills)[index], network }));
  }
});

const settle = safely(async (slot, fill) => {
  if (slots.get(slot.element) !== slot) return; // it left the page meanwhile
  try {
    if (fill.fill || fill.bid) tell(slot, "fill", fill);
    await render(slot, fill);
  } catch {
    leaveEmpty(slot, fill.reason || "error");
  }
});
