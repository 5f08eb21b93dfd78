/** The WebSocket: pictures as they come and numbers once a second, from a connection that comes back by itself. */

import { ask, get } from "./api.js";

const RETRY_MS = 1500;
/** Numbers come every second; a connection that is silent for so long is dead. */
const SILENCE_MS = 6000;

const nothing = () => {};

export class Live {
  #side = null;
  #socket = null;
  #timer = 0;
  #lostAt = null;
  #on;

  /**
   * @param onPicture is given each JPEG and its side.
   * @param onNumbers is given each bulletin.
   * @param onLink is given null while connected, else when the connection was lost and why.
   */
  constructor({ onPicture = nothing, onNumbers = nothing, onLink = nothing }) {
    this.#on = { onPicture, onNumbers, onLink };
    // Nobody looks: then nothing need be sent.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    addEventListener("online", () => this.#lostAt && this.#open());
  }

  /** Look from this side from now on. */
  watch(side) {
    this.#side = side;
    if (!document.hidden) this.#open();
  }

  #open() {
    this.#close();
    const side = this.#side;
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/v1/live?side=${side}`);
    socket.onmessage = ({ data }) => {
      this.#expect();
      if (typeof data !== "string") this.#on.onPicture(data, side);
      else this.#hear(JSON.parse(data));
    };
    socket.onclose = () => this.#lose();
    this.#socket = socket;
    this.#expect();
  }

  #close() {
    clearTimeout(this.#timer);
    if (!this.#socket) return;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }

  #expect() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lose(), SILENCE_MS);
  }

  #hear(bulletin) {
    if (this.#lostAt) this.#on.onLink(null);
    this.#lostAt = null;
    this.#on.onNumbers(bulletin);
  }

  async #lose() {
    this.#close();
    this.#lostAt ??= Date.now();
    this.#on.onLink({ since: this.#lostAt, why: "" });
    this.#timer = setTimeout(() => this.#open(), RETRY_MS);
    const why = await reason();
    if (this.#lostAt) this.#on.onLink({ since: this.#lostAt, why });
  }
}

/** Return why a WebSocket does not open, which the browser does not tell. */
async function reason() {
  try {
    await ask("/"); // also renews the cookie that shows the token
    const [status, info] = await Promise.all([get("status"), get("info")]);
    return status.viewers >= info.max_viewers ? `${info.max_viewers} viewers are watching already` : "";
  } catch (refusal) {
    return refusal.message;
  }
}
