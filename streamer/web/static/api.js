/** Asks the daemon, and tells it what to do. */

export class Refusal extends Error {
  /**
   * @param status the HTTP status; 0: nobody answered.
   * @param message for people.
   * @param problems what is wrong, by setting.
   */
  constructor(status, message, problems = {}) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

/** Return the response; throw a Refusal with the daemon's own words unless it is a good one. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Refusal(0, "deepmovie does not answer");
  }
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Refusal(response.status, told.error ?? `${response.status} ${response.statusText}`, told.problems);
  }
  return response;
}

export async function get(path) {
  return (await ask(`/api/v1/${path}`)).json();
}

/** Send a change; return the response. */
export function send(method, path, content = {}) {
  const headers = { "Content-Type": "application/json" };
  return ask(`/api/v1/${path}`, { method, headers, body: JSON.stringify(content) });
}

export async function post(path, content) {
  return (await send("POST", path, content)).json();
}

export async function patchSettings(changes) {
  return (await send("PATCH", "settings", changes)).json();
}

export async function putStyle(name, blob) {
  const headers = { "Content-Type": blob.type };
  return (await ask(`/api/v1/styles/${encodeURIComponent(name)}`, { method: "PUT", headers, body: blob })).json();
}
