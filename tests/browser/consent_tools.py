"""Stand-ins for a page's consent tools, as a script for its head."""

from __future__ import annotations

#: A consent tool as its specification has it (IAB CMP API v2; GPP CMP API 1.1): a stub keeps calls until the
#: tool is there after `after_ms`, or for ever where that is negative.
TOOLS = """
window.__left = {};
const tool = (name, { after_ms, say, asks }) => {
  const calls = [], listeners = new Map();
  let loaded = false, last = 0;
  const tell = (callback, listenerId) => callback({ ...say(loaded), listenerId }, true);
  window[name] = (command, ...given) => {
    const [callback, id] = name === "__tcfapi" ? given.slice(1) : given;
    if (name === "__tcfapi" && given[0] !== 2) throw new Error("the version is missing");
    if (!loaded && name === "__tcfapi") return void calls.push([command, ...given]);
    if (command === "removeEventListener") callback(listeners.delete(id), true);
    if (command === "addEventListener") { listeners.set(++last, callback); tell(callback, last); }
    window.__left[name] = listeners.size;
  };
  if (after_ms < 0) return;
  setTimeout(() => {
    loaded = true;
    listeners.forEach(tell);
    calls.forEach((call) => window[name](...call));
  }, after_ms);
};
"""
TCF = "tool('__tcfapi', { after_ms: %d, say: () => (%s) });"
GPP = """tool('__gpp', { after_ms: %d,
    say: (loaded) => ({ pingData: loaded ? %s : { signalStatus: 'not ready' } }) });"""
#: What a browser with Global Privacy Control tells scripts; its requests also have `Sec-GPC: 1`.
CONTROL = "Object.defineProperty(navigator, 'globalPrivacyControl', { value: true });"
