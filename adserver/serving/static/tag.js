/*
 * The ad slots on a page → drawn creatives, and events that say what was seen.
 *
 *   <script async src="https://ads.example/tag.js" data-site="daily" data-section="world" data-topics="economy,budget"
 *           data-author="x" data-theme-attribute="data-theme" data-prebid-timeout="1000"></script>
 *   <div data-ad-slot="article-top" data-sizes="970x250,728x90"></div>
 *
 * In this order: find the slots and reserve their space, ask the server once for all of them, draw what it answers,
 * report it. Nothing is drawn by HTML text in the page's own document, and no failure of ours reaches the page: its
 * slots then stay empty.
 *
 * One thing is stored in the browser, under one key of the page's localStorage, and only when an ad was shown that
 * may be shown only so often: the tally, which says how often in which minutes. It holds no id and identifies nobody.
 * With Global Privacy Control it is removed, and never sent or written.
 */
(() => {
  "use strict";

  const script = document.currentScript;
  const queue = (window.adserver = window.adserver || []);
  if (typeof queue !== "object" || queue.loaded) return; // a second copy of the tag does nothing
  if (!script || !script.src || !script.dataset.site) return;
  queue.loaded = true;

  /** Site → slot → sizes of the catalog; the server replaces this line. */
  const CATALOG_SIZES = {};
  const ORIGIN = new URL(script.src).origin;
  const SITE = script.dataset.site;
  const TALLY_KEY = `adserver:tally:${ORIGIN}:${SITE}`;
  const THEME_ATTRIBUTE = script.dataset.themeAttribute;
  const LABEL_HEIGHT_PX = 20;
  const FILL_TIMEOUT_MS = 5000;
  const EVENT_DELAY_MS = 100; // events of creatives drawn together travel together
  const RETRY_DELAYS_MS = [1000, 4000];
  const MAX_EVENTS = 50;
  // MRC Viewable Ad Impression Measurement Guidelines: half of the pixels for one continuous second in a focused
  // tab; 30 % of them for large units, 242,500 pixels or more (970x250).
  const VIEWABLE_MS = 1000;
  const VIEWABLE_RATIO = 0.5;
  const LARGE_RATIO = 0.3;
  const LARGE_AREA_PX = 242500;

  const darkQuery = matchMedia("(prefers-color-scheme: dark)");
  const rootElement = document.documentElement;

  const ignore = () => undefined;

  /** A function → the same one, except that its errors, also those of its promise, end here. */
  const safely = (fn) => (...args) => {
    try {
      const result = fn(...args);
      if (result instanceof Promise) result.catch(ignore);
    } catch {
      ignore();
    }
  };

  const list = (text) => (text || "").split(",").map((part) => part.trim()).filter(Boolean);

  /** "970x250" → [970, 250]; anything else → undefined. */
  const dimensions = (size) => {
    const match = /^([1-9]\d{0,3})x([1-9]\d{0,3})$/.exec(size);
    return match ? [Number(match[1]), Number(match[2])] : undefined;
  };

  /** A URL of the answer, which may be relative to the server → an absolute http(s) URL, or "" if it is not one. */
  const webUrl = (text) => {
    try {
      const url = new URL(text, ORIGIN);
      return text && /^https?:$/.test(url.protocol) ? url.href : "";
    } catch {
      return "";
    }
  };

  /** A new element, styled through CSSOM (a strict CSP allows that) and free of the page's own rules for its kind. */
  const create = (name, style) => {
    const element = document.createElement(name);
    Object.assign(element.style, { all: "revert", display: "block", margin: "0 auto", ...style });
    return element;
  };

  // ---- Slots: find them, reserve their space -------------------------------------------------------------------

  /** What is known of each slot on the page, by its element, in the order of the page. */
  const slots = new Map();

  const findSlots = () => {
    const found = [];
    for (const element of document.querySelectorAll("[data-ad-slot]")) {
      if (slots.has(element)) continue;
      const name = element.dataset.adSlot;
      const known = (CATALOG_SIZES[SITE] || {})[name];
      const own = list(element.dataset.sizes);
      const sizes = (own.length ? own : Array.isArray(known) ? known : []).filter(dimensions);
      slots.set(element, { element, name, sizes, inlineMinHeight: element.style.minHeight, fitting: [], height: 0 });
      found.push(slots.get(element));
    }
    reserve(found);
  };

  /** Slots → each as high as its tallest creative and the label, never lower than the page's own CSS wants it. */
  const reserve = (chosen) => {
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

  // ---- Asking ------------------------------------------------------------------------------------------------

  const theme = () => {
    const chosen = THEME_ATTRIBUTE && rootElement.getAttribute(THEME_ATTRIBUTE);
    if (chosen === "dark" || chosen === "light") return chosen;
    return darkQuery.matches ? "dark" : "light";
  };

  const fillRequest = (asked, bids) => {
    const { section, topics, author } = script.dataset;
    const page = { url: location.href.split("#")[0], topics: list(topics), values: author ? { author } : {} };
    if (section) page.section = section;
    const request = {
      site: SITE,
      page,
      slots: asked.map(({ name, fitting }) => ({ slot: name, sizes: fitting })),
      theme: theme(),
    };
    if (bids.length) request.bids = bids;
    if (navigator.globalPrivacyControl) request.consent = { gpc: true };
    request.tally = tally(); // left out of the JSON where it is undefined
    return request;
  };

  /** What the server last gave to keep, or ""; undefined where nothing can or may be kept. */
  const tally = () => {
    try {
      if (!navigator.globalPrivacyControl) return localStorage.getItem(TALLY_KEY) || "";
      localStorage.removeItem(TALLY_KEY);
    } catch {
      ignore(); // blocked storage, or a sandbox
    }
    return undefined;
  };

  /** Keeps what an answer gives; "" means that nothing may be kept. Of two tabs the last one wins. */
  const keepTally = safely((text) => {
    if (text && typeof text === "string" && !navigator.globalPrivacyControl) localStorage.setItem(TALLY_KEY, text);
    else if (text === "") localStorage.removeItem(TALLY_KEY);
  });

  /** Body as text/plain, so that the browser sends no preflight. */
  const post = (path, body, options) =>
    fetch(ORIGIN + path, { method: "POST", body: JSON.stringify(body), credentials: "omit", ...options });

  const ask = async () => {
    const asked = [...slots.values()].filter(({ fitting }) => fitting.length);
    if (!asked.length) return;
    const bids = await headerBids(asked).catch(() => []);
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), FILL_TIMEOUT_MS);
    try {
      const response = await post("/v1/fill", fillRequest(asked, bids), { signal: timeout.signal });
      if (!response.ok) return;
      const { fills, tally: given } = await response.json();
      keepTally(given);
      asked.forEach(safely((slot, index) => render(slot, fills[index]))); // answers are in the order of the request
    } finally {
      clearTimeout(timer);
    }
  };

  // ---- Header bidding: prebid.js stands here as it is served ---------------------------------------------------

  // ---- Drawing -----------------------------------------------------------------------------------------------

  /** Image creatives on the page: their element and its two variants. */
  const images = [];

  const render = (slot, fill) => {
    const { bid, creative, size } = fill || {};
    if (bid && fill.slot === slot.name && slot.fitting.includes(size)) return renderBid(slot, fill);
    if (!creative || !fill.fill || fill.slot !== slot.name || !slot.fitting.includes(size)) return;
    const [width, height] = dimensions(size);
    const draw = { image: renderImage, html: renderFrame }[creative.kind];
    return draw && draw(slot, fill, width, height);
  };

  /** Shows the label and under it the creative, in the middle of the space that was reserved. */
  const show = (slot, fill, drawing) => {
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

  /** The image of the theme of now, in place. */
  const paint = (unit) => {
    const url = (theme() === "dark" && unit.dark) || unit.light;
    if (unit.img.src !== url) unit.img.src = url;
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

  /** Reports the impression with the next frame that the browser paints, then watches whether it is viewed. */
  const drawn = (token, element, area) => {
    requestAnimationFrame(safely(() => {
      report(token, "impression");
      if (!window.IntersectionObserver) return;
      report(token, "measurable");
      watch(token, element, area >= LARGE_AREA_PX ? LARGE_RATIO : VIEWABLE_RATIO);
    }));
  };

  // ---- Viewability -------------------------------------------------------------------------------------------

  /** Creatives that are not viewable yet: each is a function that looks again and starts or stops its second. */
  const watched = new Set();

  const watch = (token, element, ratio) => {
    let inView = false;
    let timer = 0;
    const look = () => {
      const seen = inView && document.visibilityState === "visible" && document.hasFocus();
      if (seen && !timer) timer = setTimeout(safely(finish), VIEWABLE_MS);
      if (seen) return;
      clearTimeout(timer); // whatever leaves begins a new second when it comes back
      timer = 0;
    };
    const observer = new IntersectionObserver(
      safely((entries) => {
        for (const entry of entries) inView = entry.intersectionRatio >= ratio;
        look();
      }),
      { threshold: ratio },
    );
    const finish = () => {
      observer.disconnect();
      watched.delete(look);
      report(token, "viewable");
    };
    observer.observe(element);
    watched.add(look);
  };

  const lookAgain = safely(() => watched.forEach((look) => look()));

  // ---- Events ------------------------------------------------------------------------------------------------

  /** Events not yet acknowledged and not on their way, each with the number of times it was sent. */
  let waiting = [];
  let sendTimer = 0;

  const report = (fill, type) => {
    waiting.push({ event: { fill, type }, tries: 0 });
    sendSoon(EVENT_DELAY_MS);
  };

  const sendSoon = (delay) => {
    if (!sendTimer) sendTimer = setTimeout(safely(() => batches().forEach(safely(send))), delay);
  };

  /** Takes all that waits, in as many requests as it needs. */
  const batches = () => {
    clearTimeout(sendTimer);
    sendTimer = 0;
    const taken = waiting;
    waiting = [];
    return taken.flatMap((_, index) => (index % MAX_EVENTS ? [] : [taken.slice(index, index + MAX_EVENTS)]));
  };

  const eventsBody = (batch) => ({ events: batch.map(({ event }) => event) });

  /** Sent again after a failure of the network or the server; safe, because the server counts an event once. */
  const send = async (batch) => {
    const failed = await post("/v1/events", eventsBody(batch), { keepalive: true }).then(
      ({ status }) => status >= 500,
      () => true,
    );
    if (!failed) return;
    const again = batch.filter((one) => one.tries++ < RETRY_DELAYS_MS.length);
    if (!again.length) return;
    waiting.push(...again);
    sendSoon(RETRY_DELAYS_MS[again[0].tries - 1]);
  };

  /** The page may be gone in a moment: what waits, also for another try, goes with the browser's own courier. */
  const sendNow = safely(() => {
    for (const batch of batches()) {
      if (navigator.sendBeacon(`${ORIGIN}/v1/events`, JSON.stringify(eventsBody(batch)))) continue;
      waiting.push(...batch);
      sendSoon(EVENT_DELAY_MS);
    }
  });

  // ---- Start -------------------------------------------------------------------------------------------------

  const followTheme = () => {
    const repaint = safely(() => images.forEach(paint));
    darkQuery.addEventListener("change", repaint);
    if (!THEME_ATTRIBUTE) return;
    new MutationObserver(repaint).observe(rootElement, { attributes: true, attributeFilter: [THEME_ATTRIBUTE] });
  };

  const followVisibility = () => {
    addEventListener("focus", lookAgain);
    addEventListener("blur", lookAgain);
    addEventListener("pagehide", sendNow);
    document.addEventListener("visibilitychange", () => {
      lookAgain();
      if (document.visibilityState === "hidden") sendNow();
    });
  };

  const start = safely(() => {
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
      safely(ask)();
    }));
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", complete);
    else complete();
  });

  start();
})();
