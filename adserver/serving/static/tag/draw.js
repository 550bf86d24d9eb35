// A fill → its creative and label in the middle of the slot's space: images from facts, HTML in a sandboxed frame.

import { labelOf } from "./label.js";
import { renderNetwork } from "./network.js";
import { create, dimensions, tell, trust, webUrl } from "./page.js";
import { drawBid } from "./prebid.js";
import { halt } from "./slots.js";
import { theme } from "./theme.js";
import { drawn } from "./view.js";

/** Throws, or rejects, where nothing can be drawn. */
export const render = async (slot, fill) => {
  const { bid, creative, size } = fill;
  if (fill.slot !== slot.name || !slot.fitting.includes(size)) throw 0;
  if (bid) return drawBid(slot, fill);
  if (!fill.fill) throw 0;
  const draw = { image: renderImage, html: renderFrame, network: renderNetwork }[creative.kind];
  return draw(slot, fill, ...dimensions(size));
};

/**
 * Shows the label and under it the creative, in the middle of the space that was reserved, where another stood too.
 * `paint` makes it that of the theme of now.
 */
export const show = (slot, fill, drawing, paint) => {
  const css = `display:flex;flex-direction:column;justify-content:center;min-height:${slot.height}px`;
  const unit = create("div", css);
  unit.append(labelOf(fill), drawing);
  halt(slot);
  if (slot.unit) slot.unit.replaceWith(unit);
  else slot.element.append(unit);
  slot.unit = unit;
  slot.paint = paint;
  tell(slot, "render", fill);
};

const renderImage = async (slot, fill, width, height) => {
  const { image, image_dark: imageDark, alt, click } = fill.creative;
  const light = webUrl(image);
  const dark = webUrl(imageDark);
  const href = webUrl(click);
  if (!light || !href) throw 0;
  const wide = `width:${width}px;max-width:100%`;
  const link = create("a", wide);
  Object.assign(link, { href, target: "_blank", rel: "noopener sponsored nofollow" });
  link.addEventListener("click", () => tell(slot, "click", fill));
  const img = create("img", `${wide};height:auto;aspect-ratio:${width}/${height}`);
  img.alt = alt || "";
  let painted;
  const paint = () => {
    const url = (theme() === "dark" && dark) || light;
    if (painted !== url) img.src = painted = url;
  };
  paint();
  link.append(img);
  // Drawn only once it has been decoded: an image that fails leaves an empty slot, not a broken picture.
  await img.decode().catch(() => {
    if (!img.naturalWidth) throw 0;
  });
  paint(); // the theme may have changed meanwhile
  show(slot, fill, link, paint);
  drawn(slot, fill, img, width * height);
};

/** A frame as large as the fill, on the ground that a frame of its own would have: its text must be readable. */
export const frameOf = ({ size, label }) => {
  const [width, height] = dimensions(size);
  const frame = create("iframe", `width:${width}px;max-width:100%;height:${height}px;border:0;background:Canvas`);
  return Object.assign(frame, { title: label, scrolling: "no" });
};

const renderFrame = (slot, fill, width, height) => {
  const { html, click, trusted } = fill.creative;
  const frame = frameOf(fill);
  // Without allow-same-origin the creative has an opaque origin: it can reach neither the page nor its cookies.
  if (!trusted) frame.setAttribute("sandbox", "allow-scripts allow-popups allow-popups-to-escape-sandbox");
  frame.referrerPolicy = "no-referrer";
  // The click's URL is absolute, because a path in a srcdoc document would lead to the page's own server.
  const url = webUrl(click);
  const filled = html.replace(/{click}/g, url).replace(/{click_encoded}/g, encodeURIComponent(url));
  frame.srcdoc = trust("createHTML", filled);
  /** The creative's own `prefers-color-scheme` follows the frame's. */
  const paint = () => {
    frame.style.colorScheme = theme();
  };
  paint();
  frame.addEventListener("load", () => drawn(slot, fill, frame, width * height), { once: true });
  show(slot, fill, frame, paint);
};
