// Seeded luck → `strings.json.gz`: consent strings, and what the reference implementations say of each.
//
//   cd tests/consent/reference && npm ci && node make.mjs
//
// TCF strings are put together here, bit by bit, whole and damaged, and read by @iabtcf/core; one that it refuses has
// null. GPP strings are written by @iabgpp/cmpapi from the values beside them.

import { GppModel } from "@iabgpp/cmpapi";
import { TCString } from "@iabtcf/core";
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const DICT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

let state = 20261125;
/** mulberry32: a number in [0, 1). */
const luck = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const upTo = (most) => Math.floor(luck() * (most + 1));
const one = (list) => list[upTo(list.length - 1)];
const times = (count, make) => Array.from({ length: count }, make);

const int = (value, bits) => value.toString(2).padStart(bits, "0");
const some = (bits, share) => times(bits, () => (luck() < share ? "1" : "0")).join("");
const base64 = (bits) =>
  bits.padEnd(Math.ceil(bits.length / 6) * 6, "0").match(/.{6}/g).map((six) => DICT[parseInt(six, 2)]).join("");

// ---- TCF ---------------------------------------------------------------------------------------------------------

const entry = (largest) => {
  const start = 1 + upTo(largest - 1);
  return luck() < 0.5 ? `0${int(start, 16)}` : `1${int(start, 16)}${int(start + upTo(largest - start), 16)}`;
};
const entries = (largest, most) => {
  const list = times(upTo(most), () => entry(largest));
  return int(list.length, 12) + list.join("");
};
const vendors = (version) => {
  const size = one([0, 1, 7, 40, 130, 800]);
  if (!size || luck() < 0.5) return `${int(size, 16)}0${some(size, luck())}`;
  return `${int(size, 16)}1${version === 1 ? "0" : ""}${entries(size, 6)}`;
};
const restrictions = () => {
  const list = times(one([0, 0, 1, 4]), () => int(1 + upTo(10), 6) + int(upTo(2), 2) + entries(300, 3));
  return int(list.length, 12) + list.join("");
};
const language = () => int(upTo(25), 6) + int(upTo(25), 6);
const dates = () => int(15e9 + upTo(4e9), 36) + int(15e9 + upTo(4e9), 36);

const core = (version) => {
  const head = int(version, 6) + dates() + int(2 + upTo(4093), 12) + int(upTo(4095), 12) + int(upTo(63), 6);
  const rest = head + language() + int(upTo(4095), 12);
  if (version === 1) return rest + some(24, luck()) + vendors(1);
  const flags = int(one([2, 4, 5]), 6) + some(2, 0.5) + some(12, 0.2) + some(24, luck()) + some(24, luck());
  return rest + flags + some(1, 0.3) + language() + vendors() + vendors() + restrictions();
};
const publisher = () => {
  const custom = one([0, 0, 3, 12]);
  return "011" + some(24, luck()) + some(24, luck()) + int(custom, 6) + some(2 * custom, 0.5);
};
const segment = { disclosed: () => "001" + vendors(), allowed: () => "010" + vendors(), publisher };

const whole = () => {
  const version = luck() < 0.12 ? 1 : 2;
  const others = version === 1 ? [] : one([[], ["publisher"], ["disclosed"], ["disclosed", "publisher"],
    ["publisher", "disclosed"], ["disclosed", "allowed", "publisher"]]);
  return [core(version), ...others.map((name) => segment[name]())].map(base64).join(".");
};

/** One way to damage a string. */
const damaged = (text) => {
  const at = upTo(text.length - 1);
  const parts = text.split(".");
  return one([
    () => text.slice(0, at),
    () => text.slice(0, at) + one([...DICT]) + text.slice(at + 1),
    () => text.slice(0, at) + one([...DICT]) + text.slice(at),
    () => text.slice(0, at) + text.slice(at + 1),
    () => text.slice(0, at) + one([..." +/=~.%\n\u00e9", "..", "."]) + text.slice(at),
    () => parts.toReversed().join("."),
    () => [...parts, one(parts)].join("."),
    () => [...parts, base64(segment[one(Object.keys(segment))]())].join("."),
    () => one([...DICT]) + text.slice(1),
    () => parts.map((part) => part.slice(0, 1 + upTo(part.length - 1))).join("."),
    () => text + times(1 + upTo(5), () => one([...DICT])).join(""),
    () => text.toLowerCase(),
  ])();
};

/** Ids → a hexadecimal number whose bits are the ids, the lowest for 0: shorter than a list. */
const set = (ids) => [...ids].reduce((bits, id) => bits | (1n << BigInt(id)), 0n).toString(16);

/** What the reference reads, under its own names; null where it refuses. */
const read = (text) => {
  let model;
  try {
    model = TCString.decode(text);
  } catch {
    return null;
  }
  const found = {};
  for (const name of ["version", "cmpId", "cmpVersion", "consentScreen", "consentLanguage", "vendorListVersion",
    "policyVersion", "isServiceSpecific", "useNonStandardStacks", "purposeOneTreatment", "publisherCountryCode",
    "numCustomPurposes"]) found[name] = model[name];
  for (const name of ["created", "lastUpdated"]) found[name] = model[name].toISOString();
  for (const name of ["specialFeatureOptins", "purposeConsents", "purposeLegitimateInterests", "vendorConsents",
    "vendorLegitimateInterests", "vendorsDisclosed", "vendorsAllowed", "publisherConsents",
    "publisherLegitimateInterests", "publisherCustomConsents", "publisherCustomLegitimateInterests"]) {
    found[name] = set(model[name].values());
  }
  found.publisherRestrictions = model.publisherRestrictions.getRestrictions().map((restriction) => ({
    purposeId: restriction.purposeId,
    type: restriction.restrictionType,
    vendors: set(model.publisherRestrictions.getVendors(restriction)),
  }));
  return found;
};

const wholes = times(100, whole);
const damages = times(400, () => damaged(one(wholes)));
const tcf = [...new Set([...wholes, ...damages, ""])].map((text) => ({ text, read: read(text) }));

// ---- GPP ---------------------------------------------------------------------------------------------------------

const US = ["usnat", "usca", "usva", "usco", "usut", "usct", "usfl", "usmt", "usor", "ustx", "usde", "usia", "usne",
  "usnh", "usnj", "ustn", "usmn", "usmd", "usin", "usky", "usri"];
const FIELDS = ["SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut", "KnownChildSensitiveDataConsents"];

const gppString = () => {
  const model = new GppModel();
  const said = {};
  for (const name of new Set(times(1 + upTo(2), () => one([...US, "usnat", "usnat", "uspv1"])))) {
    if (name === "uspv1") {
      const letters = times(3, () => one(["Y", "N", "-"]));
      ["Notice", "OptOutSale", "LspaCovered"].forEach((field, i) => model.setFieldValue(name, field, letters[i]));
      said[name] = { OptOutSale: letters[1] };
      continue;
    }
    model.setFieldValue(name, "SaleOptOut", 0);
    const section = model.getSection(name);
    if (name === "usnat") model.setFieldValue(name, "Version", one([1, 2]));
    for (const field of Object.keys(section)) {
      const value = section[field];
      const drawn = (was) => (Array.isArray(was) ? was.map(() => upTo(2)) : upTo(2));
      if (/Notice$|OptOut$|SensitiveDataProcessing$|Personal|Additional|Mode$/.test(field)) {
        model.setFieldValue(name, field, drawn(value));
      }
      if (/KnownChild/.test(field) && luck() < 0.3) model.setFieldValue(name, field, drawn(value));
      if (field === "Gpc") model.setFieldValue(name, field, luck() < 0.3);
    }
    const now = model.getSection(name);
    said[name] = Object.fromEntries([...FIELDS, "Gpc"].filter((f) => f in now).map((f) => [f, model.getFieldValue(name, f)]));
  }
  const text = model.encode();
  return { text, ids: model.getSectionIds(), said };
};

const gpp = times(200, gppString);
const refused = tcf.filter((one) => !one.read).length;
writeFileSync("strings.json.gz", gzipSync(JSON.stringify({ tcf, gpp }), { level: 9 }));
console.log(`${tcf.length} TCF strings, ${refused} of them refused; ${gpp.length} GPP strings`);
