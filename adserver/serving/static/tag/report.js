// Events of fills → the server, together, again after a failure, and at the latest when the reader leaves.

import { ORIGIN, post, safely } from "./page.js";

const EVENT_DELAY_MS = 100; // events of creatives drawn together travel together
const RETRY_DELAYS_MS = [1000, 4000];
const MAX_EVENTS = 50;

/** Events not yet acknowledged and not on their way, each with the number of times it was sent. */
const waiting = [];
let sendTimer = 0;

export const report = (fill, type) => {
  waiting.push({ event: { fill, type }, tries: 0 });
  sendSoon(EVENT_DELAY_MS);
};

const sendSoon = (delay) => {
  if (!sendTimer) sendTimer = setTimeout(safely(() => batches().forEach(send)), delay);
};

/** Takes all that waits, in as many requests as it needs. */
const batches = () => {
  clearTimeout(sendTimer);
  sendTimer = 0;
  const taken = [];
  while (waiting.length) taken.push(waiting.splice(0, MAX_EVENTS));
  return taken;
};

const eventsBody = (batch) => ({ events: batch.map(({ event }) => event) });

/** Sent again after a failure of the network or the server; safe, because the server counts an event once. */
const send = safely(async (batch) => {
  const failed = await post("/v1/events", eventsBody(batch), { keepalive: true }).then(
    ({ status }) => status >= 500,
    () => true,
  );
  if (!failed) return;
  const again = batch.filter((one) => one.tries++ < RETRY_DELAYS_MS.length);
  waiting.push(...again);
  if (again.length) sendSoon(RETRY_DELAYS_MS[again[0].tries - 1]);
});

/** The page may be gone in a moment: what waits, also for another try, goes with the browser's own courier. */
export const sendNow = safely(() => {
  for (const batch of batches()) {
    if (navigator.sendBeacon(`${ORIGIN}/v1/events`, JSON.stringify(eventsBody(batch)))) continue;
    waiting.push(...batch);
    sendSoon(EVENT_DELAY_MS);
  }
});
