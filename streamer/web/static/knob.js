/** One number that people may change: a slider to find it, and a field to write it. */

/** From a place on the slider, 0 to 1, to a value. */
const SCALES = {
  linear: (place, min, max) => min + place * (max - min),
  log: (place, min, max) => min * (max / min) ** place,
  cubic: (place, min, max) => min + place ** 3 * (max - min),
};
const PLACES = 60;

export class Knob {
  #slider = document.createElement("input");
  #field = document.createElement("input");
  #ladder;
  #isWriting = false;
  key;

  /**
   * @param element says in its data what is set, from where to where, and in which scale; its text is the label.
   * @param onChange is given the key and the new value.
   */
  constructor(element, onChange) {
    const { key, min, max, step, scale = "linear", low, high } = element.dataset;
    const text = element.textContent;
    this.key = key;
    this.#ladder = ladder(SCALES[scale], Number(min), Number(max), Number(step));
    const label = Object.assign(document.createElement("label"), { htmlFor: key, textContent: text });
    Object.assign(this.#field, { type: "number", id: key, min, max, step: "any", required: true });
    Object.assign(this.#slider, { type: "range", min: 0, max: this.#ladder.length - 1, step: 1 });
    this.#slider.setAttribute("aria-label", `${text}, slider`);
    element.replaceChildren(label, this.#field, this.#slider, ...(low ? [ends(low, high)] : []));
    this.#slider.addEventListener("input", () => this.#choose(this.#ladder[this.#slider.value], onChange));
    this.#field.addEventListener("input", () => (this.#isWriting = true));
    this.#field.addEventListener("change", () => this.#write(onChange));
  }

  /** Show this value, unless somebody is just writing another one. */
  show(value) {
    if (!this.#isWriting) this.#field.value = value;
    const step = Math.max(0, this.#ladder.findLastIndex((known) => known <= value));
    this.#slider.value = step;
    this.#slider.setAttribute("aria-valuetext", value);
    this.#slider.style.setProperty("--place", step / (this.#ladder.length - 1));
  }

  /** Whether it has no effect now. */
  set isOff(isOff) {
    this.#slider.disabled = this.#field.disabled = isOff;
  }

  #write(onChange) {
    this.#isWriting = !this.#field.reportValidity();
    if (!this.#isWriting) this.#choose(this.#field.valueAsNumber, onChange);
  }

  #choose(value, onChange) {
    this.show(value);
    onChange(this.key, value);
  }
}

/** Return the values that the slider knows, rising: round ones, and the finer the smaller they are if the scale is. */
function ladder(scale, min, max, step) {
  const exact = Array.from({ length: PLACES + 1 }, (_, i) => scale(i / PLACES, min, max));
  const round = exact.map((value) => Math.round(Number(value.toPrecision(2)) / step) * step);
  return [...new Set(round.map((value) => Number(Math.min(max, Math.max(min, value)).toFixed(3))))];
}

function ends(low, high) {
  const ends = Object.assign(document.createElement("p"), { className: "ends" });
  ends.append(...[low, high].map((text) => Object.assign(document.createElement("span"), { textContent: text })));
  return ends;
}
