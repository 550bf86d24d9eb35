// A page that arrives → its slots found and their space reserved at once, and all of them asked for when it is there.
//
//   <script async src="https://ads.example/tag.js" data-site="daily" data-section="world" data-topics="economy,budget"
//           data-author="x" data-theme-attribute="data-theme" data-consent-timeout-ms="1500"
//           data-prebid-timeout-ms="1000"></script>
//   <div data-ad-slot="article-top" data-sizes="970x250,728x90"></div>
//
// Nothing is drawn by HTML text in the page's own document, and no failure of ours reaches the page: its slots then
// stay empty.

import { ask } from "./ask.js";
import { rootElement, safely } from "./page.js";
import { sendNow } from "./report.js";
import { findSlots, reserve, slots } from "./slots.js";
import { followTheme } from "./theme.js";
import { lookAgain } from "./view.js";

const followVisibility = () => {
  addEventListener("focus", lookAgain);
  addEventListener("blur", lookAgain);
  addEventListener("pagehide", sendNow);
  document.addEventListener("visibilitychange", () => {
    lookAgain();
    if (document.visibilityState === "hidden") sendNow();
  });
};

const parsed = new MutationObserver(safely(findSlots));
parsed.observe(rootElement, { childList: true, subtree: true });
findSlots();
followTheme();
followVisibility();
// The first frame after the document: widths are final only when its stylesheets are there, and the browser
// paints no frame before that, nor for a page that is only prerendered or opened in the background.
const complete = () => requestAnimationFrame(safely(() => {
  parsed.disconnect();
  findSlots();
  reserve([...slots.values()]);
  ask();
}));
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", complete);
else complete();
