/** The bare picture; `/view?side=pair` shows another side. It comes back by itself and says nothing. */

import { Live } from "./live.js";
import { Newest } from "./newest.js";

const SIDES = ["out", "in", "pair", "flow"];
const asked = new URLSearchParams(location.search).get("side");
const canvas = document.getElementById("canvas");

function draw(bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}

const newest = new Newest(draw);
new Live({ onPicture: (blob) => newest.take(blob) }).watch(SIDES.includes(asked) ? asked : "out");
