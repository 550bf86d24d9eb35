// The page's slot elements → what is known of each, and space for it before anything is answered.

import { SITE, dimensions, list } from "./page.js";

export const LABEL_HEIGHT_PX = 20;
/* global CATALOG_SIZES */
/** Slot → sizes of this site's catalog; the server puts them in place of the name. */
const catalogSizes = CATALOG_SIZES[SITE] || {};

/** What is known of each slot on the page, by its element, in the order of the page. */
export const slots = new Map();

export const findSlots = () => {
  const found = [];
  for (const element of document.querySelectorAll("[data-ad-slot]")) {
    if (slots.has(element)) continue;
    const name = element.dataset.adSlot;
    const known = catalogSizes[name];
    const own = list(element.dataset.sizes);
    const sizes = (own.length ? own : Array.isArray(known) ? known : []).filter(dimensions);
    slots.set(element, { element, name, sizes, inlineMinHeight: element.style.minHeight, fitting: [], height: 0 });
    found.push(slots.get(element));
  }
  reserve(found);
};

/** Slots → each as high as its tallest creative and the label, never lower than the page's own CSS wants it. */
export const reserve = (chosen) => {
  for (const { element, inlineMinHeight } of chosen) element.style.minHeight = inlineMinHeight;
  const measured = chosen.map((slot) => [slot, getComputedStyle(slot.element), slot.element.clientWidth]);
  const minHeights = measured.map(([slot, css, clientWidth]) => {
    const edges = (...names) => names.reduce((sum, name) => sum + (parseFloat(css[name]) || 0), 0);
    const width = clientWidth - edges("paddingLeft", "paddingRight");
    slot.fitting = slot.sizes.filter((size) => dimensions(size)[0] <= width);
    if (!slot.fitting.length) return slot.inlineMinHeight;
    slot.height = Math.max(...slot.fitting.map((size) => dimensions(size)[1])) + LABEL_HEIGHT_PX;
    const frame = edges("paddingTop", "paddingBottom", "borderTopWidth", "borderBottomWidth");
    const wanted = `${slot.height + (css.boxSizing === "border-box" ? frame : 0)}px`;
    return /\d/.test(css.minHeight) ? `max(${css.minHeight}, ${wanted})` : wanted;
  });
  chosen.forEach(({ element }, index) => (element.style.minHeight = minHeights[index]));
};
