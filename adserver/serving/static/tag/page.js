// The tag's own script element → whose pages these are, who is asked, and the small tools that all parts share.

/** The element that loaded the tag; its `data-` attributes are the page's settings. */
export const script = document.currentScript;
/** What the page queued before the tag came, and its commands from then on. */
export const queue = (window.adserver = window.adserver || []);
// All of the tag is within one `try`: a second copy of it, or one without a site, ends here.
if (queue.loaded || !script.src || !script.dataset.site) throw 0;
queue.loaded = true;

export const ORIGIN = new URL(script.src).origin;
export const SITE = script.dataset.site;
export const rootElement = document.documentElement;

/** A function → the same one, except that its errors, also those of its promise, end here. */
export const safely = (fn) => async (...args) => {
  try {
    return await fn(...args);
  } catch {
    return undefined;
  }
};

/** "economy, budget" → ["economy", "budget"] */
export const list = (text) => (text || "").split(",").map((part) => part.trim()).filter(Boolean);

/** "970x250" → [970, 250]; anything else → undefined. */
export const dimensions = (size) =>
  /^[1-9]\d{0,3}x[1-9]\d{0,3}$/.test(size) ? size.split("x").map(Number) : undefined;

/** A URL of the answer, which may be a path on the server → an absolute http(s) URL, or "" if it is not one. */
export const webUrl = (text) =>
  /^https?:\/\//i.test(text) ? text : /^\/(?!\/)/.test(text) ? ORIGIN + text : "";

/** A new element, styled through CSSOM (a strict CSP allows that) and free of the page's own rules for its kind. */
export const create = (name, css) => {
  const element = document.createElement(name);
  element.style.cssText = `all:revert;display:block;margin:0 auto;${css}`;
  return element;
};

/** What the browser asks for where the page enforces Trusted Types: our text, as HTML or as the URL of a script. */
export const trust = (kind, text) => {
  const rules = { createHTML: (given) => given, createScriptURL: (given) => given };
  // Made when it is first needed: a page that does not allow its name is told so only then.
  policy = policy || (window.trustedTypes ? window.trustedTypes.createPolicy("adserver", rules) : rules);
  return policy[kind](text);
};
let policy;

/** Tells the page's own code, by an event that bubbles up from the slot; what its listeners throw stays theirs. */
export const tell = (slot, type, detail) =>
  slot.element.dispatchEvent(new CustomEvent(`adserver:${type}`, { bubbles: true, detail }));

/** Body as text/plain, so that the browser sends no preflight. */
export const post = (path, body, options) =>
  fetch(ORIGIN + path, { method: "POST", body: JSON.stringify(body), credentials: "omit", ...options });
