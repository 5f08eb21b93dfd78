/** The paintings: thumbnails to choose from, the list of second paintings, and new ones from people. */

import { get, putStyle } from "./api.js";
import { attempt, say } from "./notice.js";
import { prepared } from "./picture.js";

const KINDS = { "built-in": "comes with deepmovie", settings: "from the settings", uploaded: "uploaded", folder: "from the folder" };

export class Styles {
  #grid = document.getElementById("styles");
  #blend = document.getElementById("blend");
  #styles = [];
  #chosen = "";
  #blended = null;
  #missing = new Set();
  onChoose = () => {};

  /** Ask which there are. */
  async load() {
    const found = await attempt(() => get("styles"));
    if (!found || JSON.stringify(found.styles) === JSON.stringify(this.#styles)) return;
    this.#styles = found.styles;
    this.#grid.replaceChildren(...this.#styles.map((style) => this.#thumbnail(style)));
    this.#blend.replaceChildren(option("", "nothing"), ...this.#styles.map(({ name }) => option(name, name)));
    this.#mark();
  }

  /** Show which are chosen. */
  show(style, blend) {
    [this.#chosen, this.#blended] = [style, blend];
    const unknown = [style, blend].filter((name) => name && !this.#has(name) && !this.#missing.has(name));
    unknown.forEach((name) => this.#missing.add(name)); // asked for once
    if (unknown.length) this.load();
    this.#mark();
  }

  /** Choose the painting so many places further. */
  step(places) {
    if (!this.#styles.length) return;
    const at = this.#styles.findIndex(({ name }) => name === this.#chosen);
    const count = this.#styles.length;
    this.#choose(this.#styles[(Math.max(at, 0) + places + count) % count].name);
  }

  /** Take in a picture and paint like it. */
  async take(file) {
    say(`taking in ${file.name} …`);
    const kept = await attempt(async () => putStyle(this.#freeName(file.name), await prepared(file)));
    if (!kept) return;
    await this.load();
    say(`${kept.name} is the painting now`);
    this.#choose(kept.name);
  }

  #choose(name) {
    this.#chosen = name;
    this.#mark();
    this.onChoose(name);
  }

  #has(name) {
    return this.#styles.some((style) => style.name === name);
  }

  #mark() {
    for (const input of this.#grid.querySelectorAll("input")) input.checked = input.value === this.#chosen;
    this.#blend.value = this.#blended ?? "";
  }

  #thumbnail({ name, kind, thumbnail }) {
    const label = document.createElement("label");
    label.title = `${name}: ${KINDS[kind] ?? kind}`;
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "style", value: name });
    input.addEventListener("change", () => this.#choose(name));
    const image = Object.assign(document.createElement("img"), { src: thumbnail, alt: "", loading: "lazy" });
    const text = Object.assign(document.createElement("span"), { textContent: name });
    label.append(input, image, text);
    return label;
  }

  /** Return a name that no painting has: of allowed letters, from the file's. */
  #freeName(fileName) {
    const stem = fileName.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9_.-]+/g, "-");
    const name = stem.replace(/^[.-]+|-+$/g, "").slice(0, 56) || "picture";
    let [free, number] = [name, 1];
    while (this.#has(free)) free = `${name}-${(number += 1)}`;
    return free;
  }
}

function option(value, text) {
  return Object.assign(document.createElement("option"), { value, textContent: text });
}
