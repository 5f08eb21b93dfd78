/** Takes a picture that is dropped, pasted or chosen, wherever on the page. */

/** @param onPicture is given the file. */
export function takePictures(onPicture) {
  const sign = document.getElementById("drop");
  const input = document.getElementById("file");
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  const take = (files) => files?.length && onPicture(files[0]);
  addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    sign.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) sign.hidden = true;
  });
  addEventListener("drop", (event) => {
    sign.hidden = true;
    if (!isFile(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => take(event.clipboardData?.files));
  input.addEventListener("change", () => {
    take(input.files);
    input.value = ""; // so that the same file can be chosen again
  });
}
