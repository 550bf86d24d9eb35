// The page's own switch or the reader's system → light or dark, and creatives that follow it in place.

import { rootElement, safely, script } from "./page.js";
import { slots } from "./slots.js";

/** An attribute of <html> that is "dark" or "light", or a class that it has while the page is dark. */
const { themeAttribute: ATTRIBUTE, themeClass: CLASS } = script.dataset;
const darkQuery = matchMedia("(prefers-color-scheme: dark)");

export const theme = () => {
  const chosen = ATTRIBUTE && rootElement.getAttribute(ATTRIBUTE);
  if (chosen === "dark" || chosen === "light") return chosen;
  return (CLASS ? rootElement.classList.contains(CLASS) : darkQuery.matches) ? "dark" : "light";
};

export const followTheme = () => {
  const repaint = safely(() => slots.forEach(({ paint }) => paint && paint()));
  darkQuery.addEventListener("change", repaint);
  const observed = { attributeFilter: [ATTRIBUTE, "class"] };
  new MutationObserver(repaint).observe(rootElement, observed);
};
