/** One number as a live line: its name, its value now, a remark, and how it went. */

const NAMESPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, MARGIN] = [120, 36, 2];
/** Fewer values than these do not fill the width. */
const FEW = 40;

export class Line {
  #value;
  #remark;
  #path;
  #marks;
  #values = [];
  #length;

  /**
   * @param parent gets the line.
   * @param name for people.
   * @param length how many values are shown.
   */
  constructor(parent, name, length) {
    this.#length = length;
    const figure = append(parent, "div", "line");
    append(figure, "h3").textContent = name;
    this.#value = append(figure, "p", "value");
    this.#value.textContent = "–";
    const svg = figure.appendChild(document.createElementNS(NAMESPACE, "svg"));
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    [this.#marks, this.#path] = ["marks", "run"].map((name) => {
      const path = svg.appendChild(document.createElementNS(NAMESPACE, "path"));
      path.setAttribute("class", name);
      return path;
    });
    this.#remark = append(figure, "p", "remark");
  }

  /** Say the value now, and a remark. */
  say(value, remark = "") {
    this.#value.textContent = value;
    this.#remark.textContent = remark;
    this.#remark.title = remark;
  }

  /** Add a value (null: there is none) and whether something is to be marked there. Call `draw` after the last one. */
  add(value, isMarked = false) {
    this.#values.push({ value, isMarked });
    if (this.#values.length > this.#length) this.#values.shift();
  }

  draw() {
    const room = Math.max(FEW, this.#values.length);
    const x = (i) => ((i + room - this.#values.length) / (room - 1)) * WIDTH;
    const known = this.#values.map(({ value }) => value).filter(Number.isFinite);
    const low = Math.min(0, ...known);
    const span = Math.max(...known, low + 1e-9) - low;
    const y = (value) => HEIGHT - MARGIN - ((value - low) / span) * (HEIGHT - 2 * MARGIN);
    let run = "";
    let isBroken = true;
    this.#values.forEach(({ value }, i) => {
      if (Number.isFinite(value)) run += `${isBroken ? "M" : "L"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
      isBroken = !Number.isFinite(value);
    });
    this.#path.setAttribute("d", run);
    const marks = this.#values.map(({ isMarked }, i) => (isMarked ? `M${x(i).toFixed(1)} 0V${HEIGHT}` : ""));
    this.#marks.setAttribute("d", marks.join(""));
  }
}

function append(parent, tag, name = "") {
  const child = parent.appendChild(document.createElement(tag));
  child.className = name;
  return child;
}
