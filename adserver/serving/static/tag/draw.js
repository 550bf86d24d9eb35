// A fill → its creative and label in the middle of the slot's space: images from facts, HTML in a sandboxed frame.

import { create, dimensions, safely, webUrl } from "./page.js";
import { drawBid } from "./prebid.js";
import { LABEL_HEIGHT_PX } from "./slots.js";
import { images, paint } from "./theme.js";
import { drawn } from "./view.js";

export const render = safely((slot, fill) => {
  const { bid, creative, size } = fill || {};
  if (!fill || fill.slot !== slot.name || !slot.fitting.includes(size)) return;
  if (bid) return drawBid(slot, fill);
  if (!creative || !fill.fill) return;
  const [width, height] = dimensions(size);
  const draw = { image: renderImage, html: renderFrame }[creative.kind];
  return draw && draw(slot, fill, width, height);
});

/** Shows the label and under it the creative, in the middle of the space that was reserved. */
export const show = (slot, fill, drawing) => {
  const label = create("div", {
    width: "100%",
    height: `${LABEL_HEIGHT_PX}px`,
    font: `11px/${LABEL_HEIGHT_PX}px system-ui, sans-serif`,
    textAlign: "center",
    overflow: "hidden",
    color: "inherit", // the page's own text colour, which its readers can read in light and dark
  });
  label.textContent = fill.label || "Advertisement";
  const unit = create("div", {
    display: "flex",
    flexDirection: "column",
    justifyContent: "center",
    minHeight: `${slot.height}px`,
  });
  unit.append(label, drawing);
  slot.element.append(unit);
};

const renderImage = async (slot, fill, width, height) => {
  const { image, image_dark: imageDark, alt, click } = fill.creative;
  const unit = { light: webUrl(image), dark: webUrl(imageDark) };
  const href = webUrl(click);
  if (!unit.light || !href) return;
  const link = create("a", { width: `${width}px`, maxWidth: "100%" });
  Object.assign(link, { href, target: "_blank", rel: "noopener sponsored nofollow" });
  const ratio = `${width} / ${height}`;
  unit.img = create("img", { width: `${width}px`, maxWidth: "100%", height: "auto", aspectRatio: ratio });
  Object.assign(unit.img, { width, height, alt: alt || "" });
  paint(unit);
  link.append(unit.img);
  // Drawn only once it has been decoded: an image that fails leaves an empty slot, not a broken picture.
  await unit.img.decode().catch(() => {
    if (!unit.img.naturalWidth) throw new Error("the image cannot be drawn");
  });
  images.push(unit);
  paint(unit); // the theme may have changed meanwhile
  show(slot, fill, link);
  drawn(fill.fill, unit.img, width * height);
};

const renderFrame = (slot, fill, width, height) => {
  const { html, click } = fill.creative;
  if (typeof html !== "string") return;
  // White, as a frame of its own would be: black text of a creative must not stand on a dark page.
  const box = { width: `${width}px`, maxWidth: "100%", height: `${height}px`, border: "0", background: "#fff" };
  const frame = create("iframe", box);
  // Without allow-same-origin the creative has an opaque origin: it can reach neither the page nor its cookies.
  frame.setAttribute("sandbox", "allow-scripts allow-popups allow-popups-to-escape-sandbox");
  const title = fill.label || "Advertisement";
  const attributes = { width, height, title, loading: "eager", scrolling: "no", referrerPolicy: "no-referrer" };
  // Absolute, because a path in a srcdoc document would lead to the page's own server.
  Object.assign(frame, attributes, { srcdoc: html.split("{click}").join(webUrl(click)) });
  frame.addEventListener("load", () => drawn(fill.fill, frame, width * height), { once: true });
  show(slot, fill, frame);
};
