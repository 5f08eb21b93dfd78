/** Where pictures hang on the wall. Rectangles are [x, y, width, height] in pixels of the canvas. */

export const SIDES = { pair: "pair", swipe: "pair", out: "out", flow: "flow" };
/** By view: the side that shows it. */

/** A column must show pictures so much larger before they hang in one. */
const PREFERENCE = 1.3;

/** Return where each of `count` equal pictures hangs: in a row, or in a column where a row would make them small. */
export function hang(count, picture, room, gap) {
  const row = scaleOf(count * picture.width, picture.height, room.width - (count - 1) * gap, room.height);
  const column = scaleOf(picture.width, count * picture.height, room.width, room.height - (count - 1) * gap);
  const isRow = PREFERENCE * row >= column;
  const scale = Math.max(0, isRow ? row : column);
  const [width, height] = [picture.width * scale, picture.height * scale];
  const [stepX, stepY] = isRow ? [width + gap, 0] : [0, height + gap];
  const x = (room.width - width - (count - 1) * stepX) / 2;
  const y = (room.height - height - (count - 1) * stepY) / 2;
  return Array.from({ length: count }, (_, i) => [x + i * stepX, y + i * stepY, width, height].map(Math.round));
}

function scaleOf(width, height, roomWidth, roomHeight) {
  return Math.min(roomWidth / width, roomHeight / height);
}
