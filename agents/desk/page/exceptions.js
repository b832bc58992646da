// The exceptions desk: what was refused, by filter, with what is most frequent and how old it is, and acts on many.

import { get } from "./api.js";
import { ACTS, ask } from "./acting.js";
import { h } from "./dom.js";
import { ago, number } from "./format.js";
import { choices, filters, heading, pager, section, table, told } from "./parts.js";
import { go, to } from "./route.js";
import * as rows from "./rows.js";
import { t, word } from "./texts.js";

const CODES = ["malformed", "invalid", "unknown_type", "key_mismatch", "from_the_future", "too_old", "key_conflict", "unknown_reversal", "not_reversible",
  "reversal_mismatch", "already_reversed", "episode_conflict", "hold_conflict", "unknown_master", "order_closed"];
const STATUSES = ["open", "asked", "resent", "resolved", "refused_again", "dismissed"];
const AGES = [[3_600, "1h"], [28_800, "8h"], [86_400, "1d"], [604_800, "7d"]];

export async function load({ query }, signal) {
  const asked = { status: "open", ...query };
  if (asked.status === "all") delete asked.status;
  const { cursor: _, sort: __, limit: ___, ...filter } = asked;
  const [list, reasons, ageing] = await Promise.all([
    get("/exceptions", asked, signal), get("/exceptions/reasons", filter, signal), get("/exceptions/ageing", { plant: query.plant }, signal),
  ]);
  return { ...list, asked, filter, reasons: reasons.items, ageing: ageing.items };
}

/** While somebody chooses, rows don't move under their hands. */
export const still = (kept) => Boolean(kept.chosen?.size);

export function draw(data, route, reader, kept) {
  kept.chosen ??= new Map();
  const labels = { plant: t("col.plant"), line: t("col.line"), code: "", class: "", source: t("col.source"), type: "", assigned_to: t("col.assigned"), order: t("col.order"), lot: t("col.lot"), text: t("col.text") };
  const words = { ...route.query, code: route.query.code && word("code", route.query.code), class: route.query.class && word("class", route.query.class), type: route.query.type && word("type", route.query.type) };
  return [
    heading(t("exceptions.title"), { fresh: data.fresh, filter: [data.asked.status ? word("status", data.asked.status) : t("filter.all"), ...told(words, labels)] }),
    ageing(data.ageing, route),
    form(route, reader),
    reasons(data.reasons, route),
    h("section", { "data-key": "list", "aria-label": t("exceptions.list") },
      h("h2", t("exceptions.list"), h("small", ` ${t("exceptions.count", { n: count(data.total) })}`)),
      bulk(data, route, reader, kept),
      list(data, reader, kept),
      pager(route, data.next, { path: "/exceptions", query: data.asked, name: "exceptions" })),
  ];
}

const count = (total) => (typeof total === "number" ? number(total) : String(total ?? "–"));

function ageing(list, route) {
  const link = (one, name, query) => h("a", { href: to("exceptions", [], { plant: route.query.plant, class: one.class, ...query }) }, number(one.buckets[name]));
  return section(t("ageing.title"), table(t("ageing.title"), [
    { title: t("col.class"), head: true, cell: (one) => h("a", { href: to("exceptions", [], { plant: route.query.plant, class: one.class }) }, word("class", one.class)) },
    { title: t("ageing.open"), number: true, cell: (one) => number(one.open) },
    { title: t("ageing.overdue"), number: true, cell: (one) => h("span", { "data-overdue": String(one.overdue > 0) }, number(one.overdue)) },
    ...AGES.map(([seconds, name], at) => ({ title: t(`ageing.${name}`), number: true,
      cell: (one) => link(one, name, { age_max: seconds, age_min: at ? AGES[at - 1][0] : "" }) })),
    { title: t("ageing.older"), number: true, cell: (one) => link(one, "older", { age_min: AGES.at(-1)[0] }) },
    { title: t("ageing.oldest"), cell: (one) => ago(one.oldest) },
  ], list, { key: (one) => one.class }));
}

const form = (route, reader) => filters({ ...route, query: { status: "open", ...route.query } }, [
  { name: "plant", label: t("col.plant"), options: reader.plants.map(({ plant }) => ({ value: plant, text: plant })) },
  { name: "line", label: t("col.line") },
  { name: "status", label: t("col.status"), options: [...choices("status", STATUSES), { value: "all", text: t("status.all") }] },
  { name: "class", label: t("col.class"), options: choices("class", ["data", "business", "technical"]) },
  { name: "code", label: t("col.code"), options: choices("code", CODES) },
  { name: "source", label: t("col.source") },
  { name: "assigned_to", label: t("col.assigned") },
  { name: "text", label: t("col.text") },
  { name: "sort", label: t("filter.sort"), options: choices("sort", ["oldest", "newest"]) },
]);

function reasons(list, route) {
  return h("details", { "data-key": "reasons", open: true }, h("summary", t("reasons.title")), table(t("reasons.title"), [
    { title: t("col.count"), number: true, cell: (one) => number(one.count) },
    { title: t("col.code"), cell: (one) => h("a", { href: to("exceptions", [], { ...route.query, cursor: "", code: one.code }) }, word("code", one.code)) },
    { title: t("col.reason"), head: true, cell: (one) => one.reason },
    { title: t("ageing.oldest"), cell: (one) => ago(one.oldest) },
  ], list, { key: (one) => `${one.code}|${one.reason}` }));
}

function bulk(data, route, reader, kept) {
  if (!reader.may("work") && !reader.may("approve")) return h("p.note", t("exceptions.readOnly"));
  const chosen = kept.chosen;
  const some = chosen.size > 0;
  const subjects = () => (some
    ? { ids: [...chosen.keys()], versions: Object.fromEntries(chosen), count: chosen.size }
    : { filter: data.filter, count: data.total });
  const act = async (name) => {
    const changed = await ask(name, subjects(), reader.me);
    if (!changed) return;
    chosen.clear();
    await reader.reload();
  };
  return h("div.bulk", { "data-key": "bulk", role: "group", "aria-label": t("exceptions.acts") },
    h("p", { role: "status" }, some ? t("exceptions.chosen", { n: number(chosen.size) }) : t("exceptions.allOfFilter", { n: count(data.total) })),
    Object.keys(ACTS).filter((name) => reader.may(ACTS[name].scope) && offered(name, data.asked.status)).map((name) =>
      h("button", { type: "button", "data-key": name, disabled: !data.items.length, onclick: () => act(name) }, t(`act.${name}`))),
    some ? h("button", { type: "button", onclick: () => { chosen.clear(); reader.redraw(); } }, t("exceptions.none")) : null,
    h("p.note.keys", t("exceptions.keys")));
}

/** To approve or to reject there is only what was asked for. */
const offered = (name, status) => (["approve", "reject"].includes(name) ? !status || status === "asked" : status !== "asked" || name !== "resend");

function list(data, reader, kept) {
  const { chosen } = kept;
  const choose = (one, wanted) => {
    if (wanted) chosen.set(one.id, one.version);
    else chosen.delete(one.id);
  };
  const all = data.items.length > 0 && data.items.every((one) => chosen.has(one.id));
  const box = { title: t("exceptions.choose"), cell: (one) => h("input.choose", {
    type: "checkbox", "data-controlled": true, checked: chosen.has(one.id), "aria-label": `${t("exceptions.choose")} ${word("code", one.code)} ${one.event_id ?? one.id}`,
    onchange: (event) => { choose(one, event.target.checked); reader.redraw(); },
    onkeydown: (event) => move(event, one, choose, reader),
  }) };
  const table = rows.exceptions(t("exceptions.list"), data.items, reader.may("work") || reader.may("approve") ? [box] : []);
  const head = table.querySelector("thead th");
  if (reader.may("work")) {
    head.replaceChildren(h("input", { type: "checkbox", "data-controlled": true, checked: all, indeterminate: !all && data.items.some((one) => chosen.has(one.id)),
      "aria-label": t("exceptions.chooseAll"), onchange: (event) => {
        for (const one of data.items) choose(one, event.target.checked);
        reader.redraw();
      } }));
  }
  return table;
}

/** Arrows (or j, k) go from row to row, with Shift they choose on the way, Enter opens. */
function move(event, one, choose, reader) {
  const step = { ArrowDown: 1, j: 1, J: 1, ArrowUp: -1, k: -1, K: -1 }[event.key];
  if (event.key === "Enter") {
    event.preventDefault();
    go("exception", [], { id: one.id });
  }
  if (!step) return;
  event.preventDefault();
  const boxes = [...document.querySelectorAll("input.choose")];
  const next = boxes[boxes.indexOf(event.target) + step];
  if (event.shiftKey) {
    choose(one, true);
    if (next && !next.checked) next.click();
    else reader.redraw();
  }
  next?.focus();
}
