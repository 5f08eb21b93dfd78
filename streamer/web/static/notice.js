/** One line at the foot of the page: what was done, or why not. */

const SHOWN_MS = 8000;
let timer = 0;

/** Say something for a while. */
export function say(text, { isBad = false } = {}) {
  const notice = document.getElementById("notice");
  clearTimeout(timer);
  notice.hidden = false;
  notice.textContent = text;
  notice.classList.toggle("bad", isBad);
  timer = setTimeout(() => (notice.hidden = true), SHOWN_MS);
}

/** Do something; say why if the daemon refuses. Return what came of it, undefined if nothing did. */
export async function attempt(deed) {
  try {
    return await deed();
  } catch (error) {
    say(error.message, { isBad: true });
    return undefined;
  }
}
