/** What single keys do, and the help that tells. */

const WRITING = "input:not([type=radio], [type=checkbox], [type=range]), select, textarea";

/** @param deeds what to do, by key. */
export function listenToKeys(deeds) {
  const help = document.getElementById("help");
  const isOn = document.getElementById("keys-on");
  document.getElementById("help-open").addEventListener("click", () => help.showModal());
  help.addEventListener("click", (event) => event.target === help && help.close()); // beside it
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.target.matches?.(WRITING)) return;
    if (help.open || (!isOn.checked && event.key !== "?")) return;
    const deed = event.key === "?" ? () => help.showModal() : deeds[event.key.toLowerCase()];
    if (!deed) return;
    event.preventDefault();
    deed();
  });
}
