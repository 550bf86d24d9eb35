// The page's consent tools → what `/v1/fill` is sent as `consent`, within a time.
//
// IAB CMP API v2 (`__tcfapi`), GPP CMP API 1.1 (`__gpp`) and Global Privacy Control. The strings are judged by the
// server. A tool that says that its law does not apply is as if it were not there. One that is there and has nothing
// to say, or not in time, gives "": nobody knows. While its dialog is open, nobody knows when it will be closed.

/** A tool → the first thing it says that `read` takes for an answer; "" after the time, undefined without a tool. */
const hear = (tool, version, timeoutMs, read) =>
  new Promise((resolve) => {
    if (!window[tool]) return resolve();
    setTimeout(resolve, timeoutMs, "");
    window[tool]("addEventListener", ...version, (said, success) => {
      const answer = success && said ? read(said) : undefined;
      if (answer === undefined) return;
      resolve(answer);
      window[tool]("removeEventListener", ...version, () => {}, said.listenerId); // the tool, no longer its stub
    });
  }).catch(() => "");

/** Longest wait in ms → a promise of what to send, and whether what is stored in the browser may be read for it. */
export const readConsent = async (timeoutMs) => {
  const gpc = navigator.globalPrivacyControl;
  let stores = !gpc;
  let sections = [];
  const [tcf, gpp] = await Promise.all([
    hear("__tcfapi", [2], timeoutMs, ({ gdprApplies, eventStatus, purpose, tcString }) => {
      if (gdprApplies === false) return null;
      if (!/^(tcloaded|useractioncomplete|cmpuishown)$/.test(eventStatus)) return;
      stores = stores && purpose?.consents?.[1] === true;
      return String(tcString || "");
    }),
    hear("__gpp", [], timeoutMs, ({ pingData }) => {
      if (pingData?.signalStatus !== "ready") return pingData?.cmpDisplayStatus === "visible" ? "" : undefined;
      sections = [].concat(pingData.applicableSections).filter(Number.isInteger);
      return sections.includes(-1) ? null : String(pingData.gppString || "");
    }),
  ]);
  const consent = {};
  if (tcf != null) consent.tcf = tcf;
  if (gpp != null) Object.assign(consent, { gpp, gpp_sid: sections });
  if (gpc) consent.gpc = true;
  return { consent, stores: stores && tcf !== "" && gpp !== "" };
};
