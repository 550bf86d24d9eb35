// A fill → its label, and behind it, for whoever opens it by click or key, who is behind the ad.

import { create } from "./page.js";
import { LABEL_HEIGHT_PX } from "./slots.js";

/** What is told lies over the ad, so that nothing on the page moves. */
export const labelOf = ({ label, disclosure }) => {
  // The page's own text colour, which its readers can read in light and dark.
  const height = `height:${LABEL_HEIGHT_PX}px;font:11px/${LABEL_HEIGHT_PX}px system-ui,sans-serif`;
  const css = `width:100%;${height};text-align:center;color:inherit;position:relative`;
  const box = create(disclosure ? "details" : "div", css);
  if (!disclosure) {
    box.textContent = label;
    return box;
  }
  const summary = create("summary", "cursor:pointer");
  summary.textContent = `${label} ⓘ`;
  const told = create("div", "position:absolute;z-index:9;width:100%;background:Canvas;color:CanvasText");
  for (const [what, who, href] of disclosure) {
    const line = create("div", "");
    const name = create(href ? "a" : "b", "display:inline");
    Object.assign(name, { textContent: who, href, target: "_blank", rel: "noopener sponsored nofollow" });
    line.append(`${what}: `, name);
    told.append(line);
  }
  box.append(summary, told);
  return box;
};
