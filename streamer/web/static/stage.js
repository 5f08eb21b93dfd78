/** The picture on its canvas: side by side, swiped, painted or flow. */

import { Divider } from "./divider.js";
import { SIDES, hang } from "./hanging.js";
import { Newest } from "./newest.js";

const GAP = 12;
const MAX_DENSITY = 2;
const WORDS = {
  pair: "The source, and beside it the painting",
  swipe: "The painting, and left of the divider the source",
  out: "The painting",
  flow: "The motion since the frame before, as colors",
};

export class Stage {
  #canvas = document.getElementById("canvas");
  #captions = [document.getElementById("caption-source"), document.getElementById("caption-painted")];
  #divider = new Divider(this.#canvas, () => this.#draw());
  #newest = new Newest((bitmap, side) => this.#show(bitmap, side));
  #bitmap = null;
  #side = null;
  #view = "pair";

  constructor() {
    new ResizeObserver(() => this.#fit()).observe(this.#canvas);
  }

  /** A JPEG came. */
  take(blob, side) {
    this.#newest.take(blob, side);
  }

  /** Show it like this from now on. */
  set view(view) {
    this.#view = view;
    this.#draw();
  }

  #show(bitmap, side) {
    this.#bitmap?.close();
    [this.#bitmap, this.#side] = [bitmap, side];
    this.#draw();
  }

  #fit() {
    const density = Math.min(devicePixelRatio, MAX_DENSITY);
    this.#canvas.width = Math.round(this.#canvas.clientWidth * density);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * density);
    this.#draw();
  }

  #draw() {
    if (!this.#bitmap || !this.#canvas.width) return;
    const bitmap = this.#bitmap;
    const isPair = this.#side === "pair";
    const picture = { width: isPair ? bitmap.width / 2 : bitmap.width, height: bitmap.height };
    const view = SIDES[this.#view] === this.#side ? this.#view : "out"; // until the other side comes
    const density = this.#canvas.width / this.#canvas.clientWidth;
    const places = hang(view === "pair" ? 2 : 1, picture, this.#canvas, GAP * density);
    const context = this.#canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    const paint = (half, share, [x, y, width, height]) =>
      context.drawImage(bitmap, half * picture.width, 0, picture.width * share, picture.height, x, y, width * share, height);
    paint(isPair ? 1 : 0, 1, places.at(-1));
    if (view === "pair") paint(0, 1, places[0]);
    if (view === "swipe") paint(0, this.#divider.share, places[0]);
    this.#label(view, places.map((place) => place.map((length) => length / density)));
  }

  #label(view, places) {
    this.#canvas.setAttribute("aria-label", WORDS[view]);
    this.#divider.stand(view === "swipe" ? places[0] : null);
    const spots = { pair: places, swipe: [places[0], places[0]] }[view] ?? [];
    this.#captions.forEach((caption, i) => {
      caption.hidden = spots.length === 0;
      if (caption.hidden) return;
      const [x, y, width, height] = spots[i];
      caption.classList.toggle("right", view === "swipe" && i === 1);
      caption.style.left = `${view === "swipe" && i === 1 ? x + width : x}px`;
      caption.style.top = `${y + height}px`;
    });
  }
}
