"""Stand-ins for a page's consent tools, as a script for its head."""

from __future__ import annotations

#: A consent tool as its specification has it (IAB CMP API v2; GPP CMP API 1.1): a stub, which keeps calls and
#: whose place the tool takes after `after_ms`, or never where that is negative.
TOOLS = """
window.__left = {};
const tool = (name, { after_ms, say }) => {
  const tcf = name === "__tcfapi", listeners = new Map(), kept = [];
  let last = 0, loaded = false;
  const tell = (callback, listenerId) => callback({ ...say(loaded), listenerId }, true);
  const answer = (command, ...given) => {
    if (tcf && given.shift() !== 2) throw new Error("the version is missing");
    const [callback, id] = given;
    if (command === "removeEventListener") callback(listeners.delete(id), true);
    if (command === "addEventListener") { listeners.set(++last, callback); tell(callback, last); }
    window.__left[name] = listeners.size;
  };
  // A stub of GPP answers at once that nothing is ready; one of TCF keeps all for the tool.
  const now = (call) => !tcf && call[0] === "addEventListener";
  window[name] = (...call) => (now(call) ? answer(...call) : void kept.push(call));
  if (after_ms < 0) return;
  setTimeout(() => {
    loaded = true;
    window[name] = (...call) => answer(...call);
    listeners.forEach(tell);
    if (tcf) kept.forEach((call) => answer(...call)); // what GPP's stub could not do is lost
  }, after_ms);
};
"""
TCF = "tool('__tcfapi', { after_ms: %d, say: () => (%s) });"
GPP = """tool('__gpp', { after_ms: %d,
    say: (loaded) => ({ pingData: loaded ? %s : { signalStatus: 'not ready' } }) });"""
#: What a browser with Global Privacy Control tells scripts; its requests also have `Sec-GPC: 1`.
CONTROL = "Object.defineProperty(navigator, 'globalPrivacyControl', { value: true });"
