// Where the reader is: the part of the address behind `#`, as a view's name, its parts and its query.

/** Read `#/name/part/part?query`. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...parts] = path.split("/").map(decode);
  return { name: name || "overview", parts, query: Object.fromEntries(new URLSearchParams(query)) };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody typed a lone %
  }
}

/** The link to a view. */
export function to(name, parts = [], query = {}) {
  const members = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const text = new URLSearchParams(members).toString();
  return `#/${[name, ...parts].map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

export function go(name, parts, query) {
  location.hash = to(name, parts, query);
}
