/** What stands on the wall before there is a picture: how to connect a camera. */

import { say } from "./notice.js";

export class Empty {
  #card = document.getElementById("empty");

  constructor() {
    for (const place of this.#card.querySelectorAll("[data-copy]")) offer(place, place.dataset.copy);
  }

  /** There is a picture. */
  hide() {
    this.#card.hidden = true;
  }

  /** There is none. */
  show(status, source) {
    this.#card.hidden = false;
    const isLost = status.state === "source_lost";
    document.getElementById("empty-title").textContent = isLost ? "The source does not come" : "No picture yet";
    document.getElementById("empty-source").textContent = source;
  }
}

/** Put a command there, and a button that copies it. */
function offer(place, command) {
  const code = Object.assign(document.createElement("code"), { textContent: command });
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Copy" });
  button.setAttribute("aria-label", `Copy ${command}`);
  button.addEventListener("click", () => copy(code, command));
  place.append(code, button);
}

async function copy(code, command) {
  try {
    await navigator.clipboard.writeText(command);
    say("copied");
  } catch {
    // Without TLS browsers have no clipboard for pages: mark it, so that Ctrl-C is enough.
    getSelection().selectAllChildren(code);
    say("marked: copy it with Ctrl-C");
  }
}
