/** The line between source and painting; a pointer moves it anywhere on the picture, arrow keys when it has the focus. */

const STEPS = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1 };
const ENDS = { Home: 0, End: 1 };

export class Divider {
  #line = document.getElementById("divider");
  #place = null;
  #onMove;
  share = 0.5;

  /** @param canvas takes the pointer; @param onMove is called when the share has changed. */
  constructor(canvas, onMove) {
    this.#onMove = onMove;
    for (const part of [canvas, this.#line]) {
      part.addEventListener("pointerdown", (event) => this.#grasp(part, event));
      part.addEventListener("pointermove", (event) => part.hasPointerCapture(event.pointerId) && this.#follow(event));
    }
    this.#line.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Stand on the picture at this place, in CSS pixels; null: not at all. */
  stand(place) {
    this.#place = place;
    this.#line.hidden = place === null;
    if (place === null) return;
    const [x, y, width, height] = place;
    this.#line.style.left = `${x + width * this.share}px`;
    this.#line.style.top = `${y}px`;
    this.#line.style.height = `${height}px`;
    this.#line.setAttribute("aria-valuenow", Math.round(100 * this.share));
    this.#line.setAttribute("aria-valuetext", `${Math.round(100 * this.share)} percent source`);
  }

  #grasp(part, event) {
    if (this.#place === null || event.button !== 0) return;
    part.setPointerCapture(event.pointerId);
    this.#line.focus({ preventScroll: true });
    event.preventDefault();
    this.#follow(event);
  }

  #follow(event) {
    if (this.#place === null) return;
    const [x, , width] = this.#place;
    this.#move((event.clientX - this.#line.parentElement.getBoundingClientRect().left - x) / width);
  }

  #press(event) {
    const share = event.key in STEPS ? this.share + STEPS[event.key] : ENDS[event.key];
    if (share === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#move(share);
  }

  #move(share) {
    this.share = Math.min(1, Math.max(0, share));
    this.#onMove();
  }
}
