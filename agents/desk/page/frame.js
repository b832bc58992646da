// What is around each view: the name, the search, the menu, whether the page is live, and who reads it.

import { forgetToken } from "./api.js";
import { h, update } from "./dom.js";
import { knownZones, number } from "./format.js";
import { go, here, to } from "./route.js";
import { languages, spoken, t } from "./texts.js";

const MENU = [
  "overview",
  "trace",
  "orders",
  "exceptions",
  "transactions",
  "double-bookings",
  "reports",
  "kpis",
  "reference",
  "holds",
  "health",
  "audit",
];
const ZONES_MAX = 20; // of plants in the footer
const BELONGS = {
  line: "overview",
  order: "orders",
  exception: "exceptions",
  event: "trace",
  transaction: "transactions",
};

/** What the frame shows, changed by `frame`. */
const shown = { connection: "connecting", held: false, me: null, open: false, exceptions: null };
let actions = {};

/** Set up the frame once; `doing` has what its buttons do: hold(bool), speak(language). */
export function begin(doing) {
  actions = doing;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, dialog");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    document.getElementById("search").select();
  });
}

/** Draw the frame with what has changed. */
export function frame(changes = {}) {
  Object.assign(shown, changes);
  const header = document.getElementById("header");
  const asked = document.getElementById("search")?.value;
  update(header, drawn(header));
  const zones = knownZones();
  document.getElementById("footer").textContent = zones.length
    ? t("frame.zones", {
        zones: zones
          .slice(0, ZONES_MAX)
          .map((pair) => pair.join(" "))
          .join(", "),
      })
    : "";
  const search = document.getElementById("search");
  if (search && asked !== undefined) search.value = asked;
}

function drawn(header) {
  const fresh = header.cloneNode(false);
  fresh.append(
    h("a.brand", { href: "#/" }, h("b", "lineside"), h("span", t("frame.desk"))),
    search(),
    h(
      "button.menu",
      {
        type: "button",
        "aria-expanded": String(shown.open),
        "aria-controls": "menu",
        onclick: () => frame({ open: !shown.open }),
      },
      t("frame.menu"),
    ),
    h(
      "div.link",
      h(
        "span",
        { id: "connection", role: "status", "data-state": shown.connection },
        t(`connection.${shown.connection}`),
      ),
      h(
        "button",
        { type: "button", "aria-pressed": String(shown.held), onclick: hold },
        t("frame.hold"),
      ),
      h("label.hear", { for: "language" }, t("frame.language")),
      h(
        "select",
        { id: "language", value: spoken(), onchange: (event) => actions.speak(event.target.value) },
        languages().map((one) => h("option", { value: one, lang: one }, t(`language.${one}`))),
      ),
      who(),
    ),
    menu(),
  );
  return fresh;
}

function search() {
  return h(
    "form",
    {
      role: "search",
      "aria-label": t("frame.search"),
      onsubmit: (event) => {
        event.preventDefault();
        const text = document.getElementById("search").value.trim();
        if (text) go("trace", [], { q: text });
      },
    },
    h("label.hear", { for: "search" }, t("frame.search")),
    h("input", {
      id: "search",
      type: "search",
      autocomplete: "off",
      spellcheck: "false",
      "aria-keyshortcuts": "/",
      placeholder: t("frame.placeholder"),
    }),
    h("button.hear", { type: "submit", tabindex: "-1" }, t("frame.find")),
  );
}

function menu() {
  const now = here().name;
  const chosen = BELONGS[now] ?? now;
  return h(
    "nav",
    { id: "menu", "aria-label": t("frame.menu"), "data-open": String(shown.open) },
    h(
      "ul",
      MENU.map((name) =>
        h(
          "li",
          { "data-key": name },
          h(
            "a",
            {
              href: to(name),
              "aria-current": name === chosen ? "page" : null,
              onclick: () => frame({ open: false }),
            },
            t(`menu.${name}`),
            name === "exceptions" && shown.exceptions
              ? h("span.count", { title: t("menu.open") }, number(shown.exceptions))
              : null,
          ),
        ),
      ),
    ),
  );
}

function who() {
  if (!shown.me) return null;
  const held = sessionStorage.length > 0;
  return h(
    "span.who",
    h("span", { title: word(shown.me) }, shown.me.name),
    held
      ? h(
          "button",
          {
            type: "button",
            onclick: () => {
              forgetToken();
              location.reload();
            },
          },
          t("frame.leave"),
        )
      : null,
  );
}

const word = (me) => `${t(`scope.${me.scope}`)} · ${me.plants.join(", ")}`;

function hold() {
  shown.held = !shown.held;
  actions.hold(shown.held);
  frame();
}
