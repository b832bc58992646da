// The desk's API: requests with the tab's token, answers as JSON, refusals as errors.

const ROOT = "/api/v1";
const KEPT = "lineside-token";

/** What the API refused: `status` 0 if it couldn't be reached. */
export class Refused extends Error {
  constructor(status, message, code = "unavailable", member = null) {
    super(message);
    Object.assign(this, { status, code, member });
  }
}

export function keepToken(token) {
  sessionStorage.setItem(KEPT, token);
}

export function forgetToken() {
  sessionStorage.removeItem(KEPT);
}

export function headers() {
  const token = sessionStorage.getItem(KEPT);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** `path` with the members of `query` that say something. */
export function address(path, query = {}) {
  const members = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "" && value !== false)
      members.append(name, value);
  }
  const text = members.toString();
  return text ? `${path}?${text}` : path;
}

export const part = encodeURIComponent;

export async function get(path, query, signal) {
  const answer = await (await ask(address(path, query), { signal })).json();
  noteFresh(answer.fresh);
  return answer;
}

let newest = null;

/** How fresh the books were when the desk said so last: {books_at, behind}. */
export const lastFresh = () => newest;

export function noteFresh(fresh) {
  if (fresh?.books_at) newest = fresh;
}

export async function post(path, body) {
  const content = { "Content-Type": "application/json" };
  return (await ask(path, { method: "POST", body: JSON.stringify(body), headers: content })).json();
}

const PAGES_MAX = 40; // of a list, 500 rows each: more is asked of the API or of an export

/** Save a table as a CSV file: a list (`paged`) with all of its pages. */
export async function saveCsv(path, query, name, paged) {
  const parts = [];
  let cursor = null;
  do {
    const more = paged ? { limit: 500, cursor } : {};
    const answer = await ask(address(path, { ...query, ...more, format: "csv" }), {});
    const rows = await answer.text();
    parts.push(parts.length ? rows.slice(rows.indexOf("\r\n") + 2) : rows);
    cursor = answer.headers.get("X-Next-Cursor");
  } while (paged && cursor && parts.length < PAGES_MAX);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", ...parts], { type: "text/csv" }));
  link.download = `${name}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Open the stream of changes; the answer's body is read by the caller. */
export const listen = (signal) =>
  ask("/live", { signal, headers: { Accept: "text/event-stream" } });

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(ROOT + path, {
      cache: "no-store",
      ...options,
      headers: { ...options.headers, ...headers() },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, String(error.message));
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  const { message, code, member } = said.error ?? {};
  throw new Refused(
    answer.status,
    message ?? `${answer.status} ${answer.statusText}`,
    code,
    member,
  );
}
