/** Decodes JPEGs one at a time: while one is decoded, only the newest of those that come is kept. */
export class Newest {
  #draw;
  #waiting = null;
  #isBusy = false;

  /** @param draw is given each decoded bitmap, with what was taken along with it; the bitmap is then its own. */
  constructor(draw) {
    this.#draw = draw;
  }

  /** Take a JPEG, and something to remember with it. */
  take(blob, mark) {
    this.#waiting = { blob, mark };
    if (!this.#isBusy) this.#work();
  }

  async #work() {
    this.#isBusy = true;
    while (this.#waiting) {
      const { blob, mark } = this.#waiting;
      this.#waiting = null;
      try {
        this.#draw(await createImageBitmap(blob), mark);
      } catch (error) {
        console.warn("a picture could not be decoded:", error.message);
      }
    }
    this.#isBusy = false;
  }
}
