// The page's own switch or the reader's system → light or dark, and images that follow it in place.

import { rootElement, safely, script } from "./page.js";

const ATTRIBUTE = script.dataset.themeAttribute;
const darkQuery = matchMedia("(prefers-color-scheme: dark)");

/** Image creatives on the page: their element and its two variants. */
export const images = [];

export const theme = () => {
  const chosen = ATTRIBUTE && rootElement.getAttribute(ATTRIBUTE);
  if (chosen === "dark" || chosen === "light") return chosen;
  return darkQuery.matches ? "dark" : "light";
};

/** The image of the theme of now, in place. */
export const paint = (unit) => {
  const url = (theme() === "dark" && unit.dark) || unit.light;
  if (unit.img.src !== url) unit.img.src = url;
};

export const followTheme = () => {
  const repaint = safely(() => images.forEach(paint));
  darkQuery.addEventListener("change", repaint);
  if (!ATTRIBUTE) return;
  new MutationObserver(repaint).observe(rootElement, { attributes: true, attributeFilter: [ATTRIBUTE] });
};
