/** The settings that act at the next frame. */

import { patchSettings } from "./api.js";
import { Knob } from "./knob.js";
import { attempt } from "./notice.js";

/** A bulletin that was on its way while something changed shows the old state. */
const SETTLE_MS = 2000;

export class Settings {
  #knobs;
  #blend = document.getElementById("blend");
  #mix = document.getElementById("mix");
  #colors = [...document.querySelectorAll("#color input")];
  #styles;
  #waiting = {};
  #isSending = false;
  #settledAt = 0;
  #shown = null;

  /** @param styles shows and chooses the painting. */
  constructor(styles) {
    this.#styles = styles;
    const change = (key, value) => this.change({ [key]: value });
    this.#knobs = [...document.querySelectorAll("[data-key]")].map((element) => new Knob(element, change));
    this.#blend.addEventListener("change", () => this.change({ blend: this.#blend.value || null }));
    this.#colors.forEach((color) => color.addEventListener("change", () => this.change({ color: color.value })));
  }

  /** Show what a bulletin says, unless we know better. */
  hear(settings) {
    if (!this.#isSending && performance.now() > this.#settledAt) this.#show(settings);
  }

  /** Change settings; what changes while a change is on its way goes together afterwards. */
  async change(changes) {
    Object.assign(this.#waiting, changes);
    if (this.#isSending) return;
    this.#isSending = true;
    let settings = this.#shown;
    while (Object.keys(this.#waiting).length) {
      const now = this.#waiting;
      this.#waiting = {};
      settings = (await attempt(() => patchSettings(now))) ?? settings;
    }
    this.#isSending = false;
    this.#settledAt = performance.now() + SETTLE_MS;
    if (settings) this.#show(settings);
  }

  #show(settings) {
    this.#shown = settings;
    this.#knobs.forEach((knob) => {
      knob.show(settings[knob.key]);
      if (knob.key === "blend_weight") knob.isOff = settings.blend === null;
    });
    this.#colors.forEach((color) => (color.checked = color.value === settings.color));
    this.#mix.hidden = !settings.mix.length;
    this.#mix.textContent = `And mixed with ${settings.mix.map(weighed).join(", ")}, while those above weigh 1.`;
    this.#styles.show(settings.style, settings.blend);
  }
}

/** From "storm=0.5" to "storm (0.5)". */
function weighed(part) {
  return part.replace(/=([^=]*)$/, " ($1)");
}
