/** Pause, paint afresh, snapshot, record. */

import { get, post, send } from "./api.js";
import { attempt, say } from "./notice.js";

/** A bulletin that was on its way while something changed shows the old state. */
const SETTLE_MS = 2000;

export class Actions {
  #pause = document.getElementById("pause");
  #record = document.getElementById("record");
  #film = document.getElementById("recording");
  #name;
  #status = { paused: false, recording: null };
  #settledAt = 0;

  /** @param name of the stream, for the names of files. */
  constructor(name) {
    this.#name = name;
    this.#pause.addEventListener("click", () => this.pause());
    this.#record.addEventListener("click", () => this.record());
    document.getElementById("reset").addEventListener("click", () => this.reset());
    document.getElementById("snapshot").addEventListener("click", () => this.snapshot());
  }

  /** Show what a bulletin says, unless we know better. */
  hear(status) {
    if (performance.now() > this.#settledAt) this.#show(status);
  }

  /** Pause, or go on. */
  async pause() {
    const paused = !this.#status.paused;
    this.#know({ ...this.#status, paused }); // at once, so that pressing twice is what it looks like
    await attempt(() => post(paused ? "pause" : "resume"));
  }

  /** Begin a picture of its own. */
  async reset() {
    if (await attempt(() => post("reset"))) say("the next frame begins a new picture");
  }

  /** Save the next frame. */
  async snapshot() {
    say("waiting for the next frame …");
    const response = await attempt(() => send("POST", "snapshot"));
    if (!response) return;
    const name = `${this.#name()}_${stamp(new Date())}.png`;
    save(await response.blob(), name);
    say(`saved as ${name}`);
  }

  /** Begin a film, or end it. */
  async record() {
    const film = this.#status.recording;
    const done = await attempt(() => post("record", { on: !film }));
    if (!done) return;
    if (film) say(`the film is ${film}, in the daemon’s folder for recordings`);
    this.#know(await attempt(() => get("status")));
  }

  #know(status) {
    if (!status) return;
    this.#settledAt = performance.now() + SETTLE_MS;
    this.#show(status);
  }

  #show(status) {
    this.#status = status;
    this.#pause.textContent = status.paused ? "Go on" : "Pause";
    this.#record.setAttribute("aria-pressed", status.recording !== null);
    document.getElementById("record-text").textContent = status.recording ? "End the film" : "Record";
    this.#film.hidden = !status.recording;
    this.#film.textContent = `recording ${status.recording}, in the daemon’s folder for recordings`;
  }
}

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function stamp(date) {
  const part = (number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), part(date.getMonth() + 1), part(date.getDate())].join("-");
  return `${day}_${[date.getHours(), date.getMinutes(), date.getSeconds()].map(part).join("-")}`;
}
