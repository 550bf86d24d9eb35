// The tag's attributes, the page's <meta> and its JSON-LD → what the page says about itself, in this order.

import { list, script } from "./page.js";

/** What the page's code said with `adserver.page({…})`: it goes before all else. */
let told = {};

export const tellFacts = (facts) => {
  told = facts;
};

/** Contents of the first of these <meta> properties or names that the page has. */
const metas = (...names) => {
  for (const name of names) {
    const found = [...document.querySelectorAll(`meta[property="${name}"],meta[name="${name}"]`)];
    if (found.length) return found.map(({ content }) => content);
  }
  return [];
};

/** The article of the page's JSON-LD (schema.org), or an empty object. */
const article = () => {
  for (const { textContent } of document.querySelectorAll('script[type="application/ld+json"]')) {
    try {
      for (const part of [JSON.parse(textContent)].flat()) {
        const found = [].concat(part["@graph"] || part).find((thing) => /Article|Posting/.test(thing["@type"]));
        if (found) return found;
      }
    } catch {
      continue; // the page's own mistake
    }
  }
  return {};
};

export const facts = () => {
  const own = script.dataset;
  const written = article();
  const [author] = [written.author].flat();
  const values = {};
  for (const [key, text] of Object.entries(own)) {
    const name = /^value([A-Z].*)/.exec(key); // data-value-edition="asia" → edition
    if (name) values[name[1].toLowerCase()] = text;
  }
  const by = own.author || metas("author")[0] || (author && (author.name || author));
  if (by) values.author = by;
  const tagged = metas("article:tag");
  const keywords = tagged.length ? tagged : list(metas("news_keywords", "keywords")[0]);
  const topics = own.topics ? list(own.topics) : keywords.length ? keywords : [written.keywords || []].flat();
  const section = own.section || metas("article:section")[0] || [written.articleSection].flat()[0];
  const page = { url: location.href.split("#")[0], topics: topics.flatMap(list), values };
  if (section) page.section = section;
  return { ...page, ...told };
};
