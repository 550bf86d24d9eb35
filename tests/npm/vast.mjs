// VAST documents on standard input, a JSON list → what a player's own parser makes of each, as JSON.
import { VASTParser } from "./node_modules/@dailymotion/vast-client/dist/vast-client-node.js";
import { DOMParser } from "./node_modules/@xmldom/xmldom/lib/index.js";

let text = "";
for await (const piece of process.stdin) text += piece;
const parsed = [];
for (const document of JSON.parse(text)) {
  const faults = [];
  const note = (_level, message) => faults.push(String(message));
  const xml = new DOMParser({ onError: note, errorHandler: note }).parseFromString(document, "text/xml");
  const parser = new VASTParser();
  try {
    parsed.push({ ...(await parser.parseVAST(xml, {})), faults });
  } catch (error) {
    parsed.push({ ads: [], thrown: String(error), faults });
  }
}
console.log(JSON.stringify(parsed));
