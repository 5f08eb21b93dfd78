/** The last lines of the log. */

import { get } from "./api.js";

const EVERY_MS = 3000;
const SHOWN = 100;
const KNOWN = ["event", "level", "timestamp"];

/** Show the log, and go on doing so. */
export function followLog() {
  const list = document.getElementById("log");
  let last = "";
  const look = async () => {
    if (document.hidden) return;
    const { lines } = await get("logs").catch(() => ({ lines: [] })); // the bar says that nobody answers
    const text = JSON.stringify(lines.at(-1));
    if (!lines.length || text === last) return;
    last = text;
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
    list.replaceChildren(...lines.slice(-SHOWN).map(line));
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  };
  look();
  setInterval(look, EVERY_MS);
}

function line(entry) {
  const item = document.createElement("li");
  item.dataset.level = entry.level;
  const facts = Object.entries(entry).filter(([key]) => !KNOWN.includes(key));
  item.append(
    part("time", new Date(entry.timestamp).toLocaleTimeString("en-GB")),
    part("strong", String(entry.event).replaceAll("_", " ")),
    part("span", facts.map(([key, value]) => `${key}=${shown(value)}`).join("  ")),
  );
  return item;
}

function shown(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function part(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}
