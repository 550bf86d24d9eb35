// A page that arrives → its slots found and their space reserved at once, and all of them asked for when it is there.
//
//   <script async src="https://ads.example/tag.js?site=daily" data-site="daily" data-section="world"
//           data-topics="economy,budget" data-author="x" data-theme-attribute="data-theme" data-consent-timeout-ms="1500"
//           data-prebid-timeout-ms="1000"></script>
//   <div data-ad-slot="article-top" data-sizes="970x250,728x90"></div>
//
// Nothing is drawn by HTML text in the page's own document, and no failure of ours reaches the page: its slots then
// stay empty.

import { askFor, askNow } from "./ask.js";
import { tellFacts } from "./facts.js";
import { queue, rootElement, safely } from "./page.js";
import { sendNow } from "./report.js";
import { findSlots, halt, reserve, slots } from "./slots.js";
import { followTheme } from "./theme.js";
import { lookAgain } from "./view.js";

/** Whether the page is there: before that, slots are found and not asked for. */
let complete = false;

const followVisibility = () => {
  addEventListener("focus", lookAgain);
  addEventListener("blur", lookAgain);
  addEventListener("pagehide", sendNow);
  document.addEventListener("visibilitychange", () => {
    lookAgain();
    if (document.hidden) sendNow();
  });
};

/** What a page that goes on in the same document brings and takes away: single-page navigation, endless scrolling. */
const followPage = () => {
  const changed = new MutationObserver(safely(() => {
    const found = findSlots();
    reserve(found);
    if (complete) found.forEach(askFor);
  }));
  changed.observe(rootElement, { childList: true, subtree: true, attributeFilter: ["data-ad-slot"] });
};

/** The page's own code: `adserver.push((ads) => ads.refresh())`. What it throws is for its own developers to see. */
const takeCommands = () => {
  const run = (command) => {
    try {
      command(queue);
    } catch (error) {
      reportError(error);
    }
  };
  queue.page = tellFacts;
  /**
   * Asks anew for these elements' slots, or for all: their creatives stand until others take their place. AdSense does
   * not allow that for its units.
   */
  queue.refresh = safely((...elements) => {
    const chosen = [...slots.values()].filter(
      ({ element }) => (!elements.length || elements.includes(element)) && !element.querySelector("ins"),
    );
    chosen.filter(({ unit }) => !unit).forEach(halt);
    reserve(chosen);
    chosen.forEach(askNow);
  });
  queue.push = (...commands) => commands.forEach(run);
  queue.splice(0).forEach(run);
};

followPage();
followTheme();
followVisibility();
// The first frame after the document: widths are final only when its stylesheets are there, and the browser
// paints no frame before that, nor for a page that is only prerendered or opened in the background.
const parsed = () => requestAnimationFrame(safely(() => {
  complete = true;
  findSlots();
  reserve([...slots.values()]);
  slots.forEach(askFor);
  takeCommands();
}));
if (document.readyState === "loading") {
  reserve(findSlots());
  document.addEventListener("DOMContentLoaded", parsed);
} else parsed();
