// A creative that was drawn → its impression, its second in view by the rule of the MRC, and when it is replaced.

import { askNow } from "./ask.js";
import { safely, tell } from "./page.js";
import { report } from "./report.js";

// MRC Viewable Ad Impression Measurement Guidelines: half of the pixels for one continuous second in a focused
// tab; 30 % of them for large units, 242,500 pixels or more (970x250).
const VIEWABLE_MS = 1000;
const VIEWABLE_RATIO = 0.5;
const LARGE_RATIO = 0.3;
const LARGE_AREA_PX = 242500;

/** Creatives that are watched: each is a function that looks again and starts or stops their time. */
const watched = new Set();

/** Reports the impression with the next frame that the browser paints, then watches whether it is viewed. */
export const drawn = (slot, fill, element, area) => {
  requestAnimationFrame(safely(() => {
    if (!element.isConnected) return;
    report(fill.fill, "impression");
    report(fill.fill, "measurable");
    const ratio = area >= LARGE_AREA_PX ? LARGE_RATIO : VIEWABLE_RATIO;
    watch(slot, element, ratio, VIEWABLE_MS, false, () => {
      report(fill.fill, "viewable");
      tell(slot, "viewable", fill);
    });
    // A click into another's frame shows only in that it takes the focus away.
    const left = () => setTimeout(() => {
      if (element.contains(document.activeElement)) tell(slot, "click", fill);
    });
    addEventListener("blur", left);
    slot.stops.push(() => removeEventListener("blur", left));
    // Again and again: where nothing else is found, this one stands for as long once more.
    const refresh = () => watch(slot, element, ratio, fill.refresh_seconds * 1000, true, () => {
      askNow(slot);
      refresh();
    });
    if (fill.refresh_seconds) refresh();
  }));
};

/** Calls `then` once an element was in view for so long: in one go, or with `summed` all in all. */
const watch = (slot, element, ratio, ms, summed, then) => {
  let inView = false;
  let timer = 0;
  let since = 0;
  let missing = ms;
  const look = () => {
    const seen = inView && !document.hidden && document.hasFocus();
    if (seen && !timer) {
      since = performance.now();
      timer = setTimeout(safely(finish), missing);
    }
    if (seen || !timer) return;
    clearTimeout(timer);
    timer = 0;
    if (summed) missing -= performance.now() - since; // else whatever leaves begins anew when it comes back
  };
  const observer = new IntersectionObserver(
    safely((entries) => {
      for (const entry of entries) inView = entry.intersectionRatio >= ratio;
      look();
    }),
    { threshold: ratio },
  );
  const stop = () => {
    clearTimeout(timer);
    observer.disconnect();
    watched.delete(look);
  };
  const finish = () => {
    stop();
    then();
  };
  observer.observe(element);
  watched.add(look);
  slot.stops.push(stop);
};

export const lookAgain = safely(() => watched.forEach((look) => look()));
