/** The page: brings its parts together. */

import { Actions } from "./actions.js";
import { get } from "./api.js";
import { takePictures } from "./drop.js";
import { Empty } from "./empty.js";
import { SIDES } from "./hanging.js";
import { listenToKeys } from "./keys.js";
import { Live } from "./live.js";
import { followLog } from "./log.js";
import { attempt } from "./notice.js";
import { Numbers } from "./numbers.js";
import { Settings } from "./settings.js";
import { Stage } from "./stage.js";
import { Styles } from "./styles.js";
import { Words } from "./words.js";

let isEmpty = true;
let info = { name: "deepmovie", source: "its source", version: null };
const stage = new Stage();
const styles = new Styles();
const settings = new Settings(styles);
const actions = new Actions(() => info.name);
const numbers = new Numbers(document.getElementById("lines"));
const words = new Words();
const empty = new Empty();
const live = new Live({ onPicture, onNumbers, onLink });

function onPicture(jpeg, side) {
  stage.take(jpeg, side);
  words.came();
  isEmpty = false;
  empty.hide();
}

function onNumbers(bulletin) {
  words.hear(bulletin.status);
  numbers.show(bulletin.stats);
  settings.hear(bulletin.settings);
  actions.hear(bulletin.status);
  if (isEmpty) empty.show(bulletin.status, info.source);
}

function onLink(lost) {
  words.link(lost);
  if (lost === null) meet();
}

/** Ask what does not change while the daemon runs; another version brings another page. */
async function meet() {
  const found = await attempt(() => get("info"));
  if (!found) return;
  if (info.version !== null && info.version !== found.version) location.reload();
  info = found;
  document.title = info.name === "deepmovie" ? "deepmovie" : `${info.name} – deepmovie`;
  document.getElementById("name").textContent = `${info.name} · ${info.size} px on ${info.device}`;
  styles.load();
}

function look(view) {
  const chosen = document.querySelector(`#views [value=${view}]`);
  chosen.checked = true;
  history.replaceState(null, "", view === "pair" ? location.pathname : `#${view}`);
  stage.view = view;
  live.watch(SIDES[view]);
}

function fullScreen() {
  const wall = document.getElementById("wall");
  attempt(() => (document.fullscreenElement ? document.exitFullscreen() : wall.requestFullscreen()));
}

styles.onChoose = (style) => settings.change({ style });
takePictures((file) => styles.take(file));
document.getElementById("views").addEventListener("change", (event) => look(event.target.value));
document.getElementById("fullscreen").addEventListener("click", fullScreen);
addEventListener("focus", () => styles.load());
listenToKeys({
  1: () => look("pair"),
  2: () => look("swipe"),
  3: () => look("out"),
  4: () => look("flow"),
  ",": () => styles.step(-1),
  ".": () => styles.step(1),
  p: () => actions.pause(),
  n: () => actions.reset(),
  s: () => actions.snapshot(),
  r: () => actions.record(),
  f: fullScreen,
});
meet();
followLog();
const asked = location.hash.slice(1);
look(asked in SIDES ? asked : "pair");
