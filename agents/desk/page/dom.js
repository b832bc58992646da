// Elements: made from text and nodes, and brought up to date in place. Nothing is read as markup.

const PROPERTIES = new Set(["value", "checked", "indeterminate", "mount"]);
const HANDLERS = ["onclick", "onchange", "oninput", "onsubmit", "onkeydown"];
const LINKS = /^(#|\/|blob:)/;

/** Make an element: `h("p.note", {id: "x"}, "text", node)`. Absent children and attributes are left out. */
export function h(name, props, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  return furnish(node, props, children);
}

/** Make an element of a drawing. */
export function svg(name, props, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", name), props, children);
}

function furnish(node, props, children) {
  if (props instanceof Node || Array.isArray(props) || typeof props !== "object") {
    children.unshift(props);
    props = null;
  }
  node.append(...nodes(children));
  for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || (value === false && !name.startsWith("aria-")))
    return;
  if (HANDLERS.includes(name) || PROPERTIES.has(name)) node[name] = value;
  else if (name === "href" && !LINKS.test(value)) throw new Error(`no link of this page: ${value}`);
  else node.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : String(value));
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((one) => one !== null && one !== undefined && one !== false && one !== "");
}

/** Make `old` show what `fresh` shows, keeping elements, and so focus, text in fields and what is folded out. */
export function update(old, fresh, reset = false) {
  const focused = document.activeElement;
  morph(old, fresh, reset);
  if (focused !== document.activeElement && focused.isConnected)
    focused.focus({ preventScroll: true });
}

function morph(old, fresh, reset) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  const folds = old.nodeName === "DETAILS";
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(folds && name === "open")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const name of HANDLERS) if (old[name] !== fresh[name]) old[name] = fresh[name];
  if (fresh.mount) {
    fresh.mount(old);
    return;
  }
  if (old.nodeName === "TEXTAREA") {
    if (reset) old.value = fresh.value;
    return;
  }
  morphChildren(old, fresh, reset);
  if (reset && "value" in fresh && old.nodeName !== "BUTTON") old.value = fresh.value;
  if ("checked" in fresh && (reset || fresh.hasAttribute("data-controlled"))) {
    old.checked = fresh.checked;
    old.indeterminate = fresh.indeterminate;
  }
}

function morphChildren(old, fresh, reset) {
  const keyed = new Map([...old.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    const have = key ? keyed.get(key) : at;
    if (key) keyed.delete(key);
    if (have && have.nodeName === wanted.nodeName && keyOf(have) === key) {
      if (have === at) at = at.nextSibling;
      else old.insertBefore(have, at);
      morph(have, wanted, reset);
    } else if (have && have === at && !key && !keyOf(at)) {
      at = at.nextSibling;
      have.replaceWith(wanted);
    } else old.insertBefore(wanted, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function keyOf(node) {
  return node.dataset?.key;
}
