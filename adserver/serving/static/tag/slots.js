// The page's slot elements → what is known of each, and space for it before anything is answered.

import { SITE, dimensions, list, safely, tell } from "./page.js";

export const LABEL_HEIGHT_PX = 20;
/* global CATALOG_SIZES */
/** Slot → sizes of this site's catalog, as `data-sizes` has them; the server puts them in place of the name. */
const catalogSizes = CATALOG_SIZES[SITE] || {};

/** What is known of each slot on the page, by its element, in the order of the page. */
export const slots = new Map();

/** Lets go of slots that left the page, and finds those that came → the new ones. */
export const findSlots = () => {
  for (const slot of slots.values()) {
    const { element, name } = slot;
    if (!element.isConnected || element.dataset.adSlot !== name) release(slot);
  }
  const found = [];
  // AdSense's own elements have an attribute of the same name.
  for (const element of document.querySelectorAll("[data-ad-slot]:not(ins)")) {
    if (slots.has(element)) continue;
    const name = element.dataset.adSlot;
    // `stops` end whatever watches the creative that is drawn; `unit` is that creative with its label.
    const slot = { element, name, stops: [], minHeight: element.style.minHeight };
    slots.set(element, slot);
    found.push(slot);
  }
  return found;
};

/** "1024: 970x250, 728x90; 0: 320x100" → the sizes for a viewport of this width; without widths, for any. */
const sizesFor = (mapping) => {
  let widest = -1;
  let sizes;
  for (const part of mapping.split(";")) {
    const [, width = 0, names] = /^\s*(?:(\d+):)?(.*)/s.exec(part);
    if (width > innerWidth || width <= widest) continue;
    widest = Number(width);
    sizes = names;
  }
  return list(sizes);
};

/** Slots → each as high as its tallest creative and the label, never lower than the page's own CSS wants it. */
export const reserve = (chosen) => {
  for (const { element, fitting, minHeight } of chosen) {
    if (!fitting) continue; // nothing to undo yet
    element.style.minHeight = minHeight;
    element.style.display = ""; // it may have been collapsed
  }
  // All are measured before any is changed, so that the browser lays the page out once.
  const minHeights = chosen.map((slot) => {
    const { element } = slot;
    const css = getComputedStyle(element);
    const width = element.clientWidth - parseFloat(css.paddingLeft) - parseFloat(css.paddingRight);
    const sizes = sizesFor(element.dataset.sizes || catalogSizes[slot.name] || "");
    slot.fitting = sizes.filter((size) => dimensions(size)?.[0] <= width);
    if (!slot.fitting.length) return slot.minHeight;
    slot.height = Math.max(...slot.fitting.map((size) => dimensions(size)[1])) + LABEL_HEIGHT_PX;
    let wanted = `${slot.height}px`;
    if (css.boxSizing === "border-box") {
      const borders = element.offsetHeight - element.clientHeight;
      wanted = `${slot.height + borders + parseFloat(css.paddingTop) + parseFloat(css.paddingBottom)}px`;
    }
    return /\d/.test(css.minHeight) ? `max(${css.minHeight}, ${wanted})` : wanted;
  });
  chosen.forEach(({ element }, index) => (element.style.minHeight = minHeights[index]));
};

/** Ends whatever watches the creative of now. */
export const halt = (slot) => slot.stops.splice(0).forEach((stop) => stop());

const release = (slot) => {
  halt(slot);
  if (slot.unit) slot.unit.remove();
  slots.delete(slot.element);
};

/**
 * A slot that stays empty gives its space back once it is below the viewport: nothing that the reader looks at moves.
 * One that shows a creative already keeps it.
 */
export const leaveEmpty = safely((slot, reason) => {
  if (slot.unit) return;
  tell(slot, "empty", { slot: slot.name, reason });
  const observer = new IntersectionObserver(safely(() => {
    if (slot.element.getBoundingClientRect().top < innerHeight) return;
    halt(slot);
    slot.element.style.cssText += ";display:none!important";
  }));
  observer.observe(slot.element);
  slot.stops.push(() => observer.disconnect());
});
