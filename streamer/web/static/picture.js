/** Makes any picture that the browser can read one that the daemon takes. */

const TAKEN = ["image/png", "image/jpeg"];
const MAX_BYTES = 16 * 2 ** 20;
const MAX_SIDE = 2048;

/** Return the file itself if it is a PNG or JPEG of a fair size, else the picture in it as a JPEG. */
export async function prepared(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} is no picture that this browser can read`);
  });
  const scale = MAX_SIDE / Math.max(bitmap.width, bitmap.height);
  if (TAKEN.includes(file.type) && file.size <= MAX_BYTES && scale >= 1) return file;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * Math.min(1, scale));
  canvas.height = Math.round(bitmap.height * Math.min(1, scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // behind what is transparent, which a JPEG cannot be
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}
