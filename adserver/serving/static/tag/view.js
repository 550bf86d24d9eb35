// A creative that was drawn → its impression, and its one second in view by the rule of the MRC.

import { safely } from "./page.js";
import { report } from "./report.js";

// MRC Viewable Ad Impression Measurement Guidelines: half of the pixels for one continuous second in a focused
// tab; 30 % of them for large units, 242,500 pixels or more (970x250).
const VIEWABLE_MS = 1000;
const VIEWABLE_RATIO = 0.5;
const LARGE_RATIO = 0.3;
const LARGE_AREA_PX = 242500;

/** Creatives that are not viewable yet: each is a function that looks again and starts or stops its second. */
const watched = new Set();

/** Reports the impression with the next frame that the browser paints, then watches whether it is viewed. */
export const drawn = (token, element, area) => {
  requestAnimationFrame(safely(() => {
    report(token, "impression");
    if (!window.IntersectionObserver) return;
    report(token, "measurable");
    watch(token, element, area >= LARGE_AREA_PX ? LARGE_RATIO : VIEWABLE_RATIO);
  }));
};

const watch = (token, element, ratio) => {
  let inView = false;
  let timer = 0;
  const look = () => {
    const seen = inView && document.visibilityState === "visible" && document.hasFocus();
    if (seen && !timer) timer = setTimeout(safely(finish), VIEWABLE_MS);
    if (seen) return;
    clearTimeout(timer); // whatever leaves begins a new second when it comes back
    timer = 0;
  };
  const observer = new IntersectionObserver(
    safely((entries) => {
      for (const entry of entries) inView = entry.intersectionRatio >= ratio;
      look();
    }),
    { threshold: ratio },
  );
  const finish = () => {
    observer.disconnect();
    watched.delete(look);
    report(token, "viewable");
  };
  observer.observe(element);
  watched.add(look);
};

export const lookAgain = safely(() => watched.forEach((look) => look()));
