// The page's start: who reads, which view, and when it is drawn anew.

import { Refused, get, noteFresh } from "./api.js";
import { h, update } from "./dom.js";
import { dateIn, learnZones, zoneOf } from "./format.js";
import { begin, frame } from "./frame.js";
import { follow } from "./live.js";
import { login } from "./login.js";
import * as overview from "./overview.js";
import { here } from "./route.js";
import { preferred, speak, spoken, t } from "./texts.js";

const VIEWS = {
  overview: () => overview,
  line: () => import("./line.js"),
  orders: () => import("./orders.js"),
  order: () => import("./order.js"),
  trace: () => import("./trace.js"),
  event: () => import("./event.js"),
  transactions: () => import("./transactions.js"),
  transaction: () => import("./transaction.js"),
  "double-bookings": () => import("./doubles.js"),
  exceptions: () => import("./exceptions.js"),
  exception: () => import("./exception.js"),
  reports: () => import("./reports.js"),
  kpis: () => import("./kpis.js"),
  reference: () => import("./reference.js"),
  holds: () => import("./holds.js"),
  health: () => import("./health.js"),
  audit: () => import("./audit.js"),
};
const PAUSE_MS = 2_000; // between two drawings of what changes by itself
const SCOPES = ["read", "work", "approve", "admin"];

const place = document.getElementById("main");
const notice = document.getElementById("notice");
/** The view that is shown: its route, its module, what was loaded, and what it keeps meanwhile. */
let now = null;
let asking = new AbortController();
let due = null;

async function start() {
  begin({ hold: (wanted) => stream?.hold(wanted), speak: respeak });
  const said = get("/me").catch((error) => error);
  await speak(preferred());
  frame();
  let me = await said;
  while (me instanceof Refused) {
    if (me.status === 401) me = await login(place);
    else {
      fail(me);
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      me = await get("/me").catch((error) => error);
    }
  }
  reader.me = me;
  frame({ me });
  notice.hidden = true;
  window.addEventListener("hashchange", () => show());
  await show(false);
  stream = follow(change, (state) => frame({ connection: state }));
}

/** Who reads, what they may do, and the plants that they see: for the views. */
const reader = {
  me: null,
  plants: [],
  may: (scope) => SCOPES.indexOf(reader.me.scope) >= SCOPES.indexOf(scope),
  redraw: (reset = false) => now.data && draw(reset),
  reload: () => load(false),
  /** The day, where the plant is, of the newest event that the overview knew of it; else today. */
  newest(plant) {
    return dateIn(zoneOf(plant), 0, reader.last.get(plant));
  },
  last: new Map(),
  learn({ plants, lines }) {
    reader.plants = plants;
    for (const { plant, last_event: last } of lines) {
      if (last > (reader.last.get(plant) ?? "")) reader.last.set(plant, last);
    }
    learnZones(plants);
    frame();
  },
};
let stream = null;

async function show(focus = true) {
  const route = here();
  const same = now !== null && thing(now.route) === thing(route);
  const view = await (VIEWS[route.name] ?? VIEWS.overview)();
  if (route.name !== here().name) return;
  now = {
    route,
    view,
    data: same ? now.data : null,
    kept: same ? now.kept : {},
    drawn: same && now.drawn,
  };
  view.moved?.(now.kept);
  frame();
  if (!same) place.replaceChildren(h("p.loading", t("page.loading")));
  await load(true);
  if (focus && !same) place.querySelector("h1")?.focus({ preventScroll: true });
  if (!same) window.scrollTo(0, 0);
}

/** What a view is of; the rest of its address only filters. */
const thing = ({ name, parts, query }) => [name, ...parts, query.id ?? ""].join("/");

async function load(reset) {
  asking.abort();
  const control = new AbortController();
  asking = control;
  const shown = now;
  place.setAttribute("aria-busy", "true");
  try {
    if (!reader.plants.length && shown.view !== overview) {
      reader.learn(await get("/overview", {}, control.signal));
    }
    const data = await shown.view.load(shown.route, control.signal, reader, shown.kept);
    if (now !== shown || asking !== control) return;
    shown.data = data;
    notice.hidden = true;
    draw(reset);
  } catch (error) {
    if (error.name === "AbortError" || now !== shown) return;
    if (error.status === 401) location.reload();
    else fail(error);
  } finally {
    if (asking === control) place.removeAttribute("aria-busy");
  }
}

function draw(reset) {
  const { view, route, data, kept, drawn } = now;
  const fresh = h("div.view", { "data-view": route.name });
  fresh.append(...[view.draw(data, route, reader, kept)].flat().filter(Boolean));
  document.title = `${fresh.querySelector("h1")?.textContent ?? ""} – lineside`;
  const old = place.firstElementChild;
  if (drawn && old?.dataset.view === route.name) update(old, fresh, reset);
  else {
    place.replaceChildren(fresh);
    for (const node of fresh.querySelectorAll("[data-mount]")) node.mount(node);
  }
  now.drawn = true;
}

function fail(error) {
  const message = error.status === 0 ? t("page.unreachable") : error.message;
  notice.textContent = error.status === undefined ? t("page.wrong", { message }) : message;
  notice.hidden = false;
  if (!now?.drawn && now) {
    place.replaceChildren(
      h(
        "div.view",
        h("h1", { tabindex: "-1" }, t("page.failed")),
        h("p", message),
        h("button", { type: "button", onclick: () => load(true) }, t("page.again")),
      ),
    );
  }
  if (error.status === undefined) console.error(error);
}

/** The books have changed: draw anew, soon, unless the view doesn't want that. */
function change({ exceptions_open: open, ...fresh }) {
  noteFresh(fresh);
  if (open !== undefined) frame({ exceptions: open });
  if (due || !now?.drawn || now.view.still?.(now.kept)) return;
  due = setTimeout(async () => {
    if (!now.view.still?.(now.kept)) await load(false);
    due = null;
  }, PAUSE_MS);
}

async function respeak(language) {
  if (language === spoken()) return;
  await speak(language, true);
  frame();
  if (now?.data) {
    now.drawn = false;
    draw(true);
  }
}

start();
