/** The live lines: some have a value each second, some one for each frame. */

import { Line } from "./line.js";

const SECONDS = 120;
const FRAMES = 240;

export class Numbers {
  #lines;
  #last = null;
  #sequence = -1;

  constructor(parent) {
    const line = (name, length) => new Line(parent, name, length);
    this.#lines = {
      fps: line("fps", SECONDS),
      age: line("age", SECONDS),
      dropped: line("dropped", SECONDS),
      iterations: line("iterations", FRAMES),
      cuts: line("cuts", SECONDS),
      energy: line("energy", FRAMES),
      error: line("temporal error", FRAMES),
    };
  }

  /** Show the numbers of this second. */
  show(stats) {
    this.#second(stats);
    this.#frames(stats.frames);
    Object.values(this.#lines).forEach((line) => line.draw());
    this.#last = stats;
  }

  #second(stats) {
    const { fps, age, dropped, cuts } = this.#lines;
    fps.add(stats.fps);
    fps.say(digits(stats.fps, 1), `${whole(stats.published)} painted`);
    age.add(stats.age_p50_ms);
    age.say(milliseconds(stats.age_p50_ms), stats.age_p95_ms === null ? "" : `95 % under ${milliseconds(stats.age_p95_ms)}`);
    const all = sum(stats.dropped);
    dropped.add(this.#last ? Math.max(0, all - sum(this.#last.dropped)) : null);
    dropped.say(whole(all), counts(stats.dropped));
    const newCuts = this.#last ? stats.cuts - this.#last.cuts : 0;
    cuts.add(newCuts > 0 ? newCuts : 0, newCuts > 0);
    cuts.say(whole(stats.cuts), "fresh starts");
    this.#lines.iterations.say(digits(stats.iterations, 1), "per frame");
  }

  #frames(frames) {
    const newest = frames.at(-1);
    if (!newest) return;
    if (newest.sequence < this.#sequence) this.#sequence = -1; // another source, or another daemon
    const { iterations, energy, error } = this.#lines;
    for (const frame of frames.filter(({ sequence }) => sequence > this.#sequence)) {
      iterations.add(frame.iterations, frame.cut);
      energy.add(frame.energy?.total ?? null, frame.cut);
      error.add(frame.temporal_error, frame.cut);
    }
    this.#sequence = newest.sequence;
    energy.say(precise(newest.energy?.total), newest.energy ? shares(newest.energy) : "");
    error.say(precise(newest.temporal_error), "from frame to frame");
  }
}

const whole = (value) => value.toLocaleString("en-US");
const digits = (value, count) => (Number.isFinite(value) ? value.toFixed(count) : "–");
const precise = (value) => (Number.isFinite(value) ? Number(value.toPrecision(3)).toString() : "–");
const sum = (byReason) => Object.values(byReason).reduce((total, count) => total + count, 0);

function milliseconds(value) {
  if (!Number.isFinite(value)) return "–";
  return value < 1000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(1)} s`;
}

function counts(byReason) {
  const known = Object.entries(byReason).filter(([, count]) => count > 0);
  return known.map(([reason, count]) => `${reason} ${whole(count)}`).join(", ") || "none";
}

function shares({ content, style, variation, temporal }) {
  const named = { content, style, smoothness: variation, steadiness: temporal };
  const told = Object.entries(named).filter(([, share]) => share >= 0.005).sort(([, a], [, b]) => b - a);
  return told.map(([name, share]) => `${name} ${Math.round(100 * share)} %`).join(", ");
}
