/** The state in words: in the bar, over the picture, and aloud when it changes. */

const TONES = { starting: "idle", running: "good", paused: "idle", degraded: "warn", draining: "idle", stopped: "idle" };
const STATES = { source_lost: "source lost" };
const FRESH_MS = 2000;
/** A picture that is no newer, and this many times as old as pictures usually get, is not live. */
const PATIENCE = 4;

export class Words {
  #state = document.getElementById("state");
  #text = document.getElementById("state-text");
  #trouble = document.getElementById("trouble");
  #announce = document.getElementById("announce");
  #wall = document.getElementById("wall");
  #status = null;
  #lost = null;
  #cameAt = null;
  #interval = 0;

  constructor() {
    setInterval(() => this.#tell(), 500);
  }

  /** The daemon says how it goes. */
  hear(status) {
    this.#status = status;
    this.#tell();
  }

  /** A picture came. */
  came() {
    const now = Date.now();
    this.#interval = now - (this.#cameAt ?? now);
    this.#cameAt = now;
  }

  /** The connection is there (null), or was lost. */
  link(lost) {
    this.#lost = lost;
    this.#tell();
  }

  #tell() {
    const { state, tone, trouble } = this.#found();
    this.#state.dataset.tone = tone;
    set(this.#text, state);
    set(this.#trouble, trouble);
    this.#trouble.hidden = !trouble;
    this.#trouble.dataset.tone = tone;
    this.#wall.classList.toggle("old", this.#isOld);
    set(this.#announce, this.#lost ? "connection lost" : `${state}. ${reasons(this.#status)}`);
  }

  #found() {
    if (this.#lost) {
      const why = this.#lost.why ? `: ${this.#lost.why}` : "";
      const ago = seconds(Date.now() - this.#lost.since);
      return { state: "no connection", tone: "bad", trouble: `connection lost ${ago} ago, trying again${why}` };
    }
    if (!this.#status) return { state: "connecting", tone: "idle", trouble: "" };
    const { state, text, troubles } = this.#status;
    const told = troubles.length ? text : this.#silence();
    return { state: STATES[state] ?? state, tone: TONES[state] ?? "bad", trouble: told };
  }

  /** Return what is to be said of a picture that does not move though nothing is wrong. */
  #silence() {
    if (this.#status.paused) return "paused: no frames are painted";
    return this.#isOld ? `no new picture for ${seconds(Date.now() - this.#cameAt)}` : "";
  }

  /** Whether the picture that is shown is not live. */
  get #isOld() {
    if (this.#cameAt === null) return false;
    if (this.#lost || this.#status?.state === "source_lost") return true;
    return Date.now() - this.#cameAt > Math.max(FRESH_MS, PATIENCE * this.#interval);
  }
}

function reasons(status) {
  return status?.troubles.map(({ part, reason }) => `${part}: ${reason}`).join("; ") ?? "";
}

function seconds(milliseconds) {
  const whole = Math.round(milliseconds / 1000);
  return whole < 120 ? `${whole} s` : `${Math.round(whole / 60)} min`;
}

/** Screen readers speak again when a text is set again. */
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
