// What several views are put together from: headings, tables, filters, marks of states, JSON.

import { lastFresh, saveCsv } from "./api.js";
import { h } from "./dom.js";
import { number, time } from "./format.js";
import { go, to } from "./route.js";
import { t, word } from "./texts.js";

/** A view's heading: what it shows, of what (`filter`: texts), when (`period`), and how fresh that is. */
export function heading(
  title,
  { filter = [], period = null, fresh = lastFresh(), actions = [] } = {},
) {
  const told = filter.filter(Boolean);
  return h(
    "div.heading",
    { "data-key": "heading" },
    h(
      "h1",
      { tabindex: "-1" },
      title,
      told.length ? h("small.filtered", ` ${told.join(" · ")}`) : null,
    ),
    period ? h("p.period", period) : null,
    fresh ? freshness(fresh) : null,
    actions.length ? h("div.actions", actions) : null,
  );
}

/** When the books last took something, and how much they lack. */
export function freshness(fresh) {
  const late = Number(fresh.behind) > 0;
  return h(
    "p.fresh",
    { "data-late": String(late) },
    t("fresh.at"),
    " ",
    fresh.books_at ? time(fresh.books_at, null, "full") : "–",
    " · ",
    late ? t("fresh.behind", { n: number(fresh.behind) }) : t("fresh.level"),
  );
}

/** A section with its heading. */
export function section(title, ...children) {
  return h("section", { "data-key": title }, h("h2", title), ...children);
}

/** A state as a mark and a word; the mark isn't only a colour. */
export function state(value) {
  return h("span.state", { "data-state": value }, word("state", value));
}

export const status = (value) => h("span.status", { "data-status": value }, word("status", value));

/** A line as a link to it. */
export function lineLink(plant, line) {
  if (!line) return plant ?? "–";
  return h("a", { href: to("line", [plant, line]) }, `${plant}/${line}`);
}

export const orderLink = (plant, order) =>
  order
    ? h("a", { href: plant ? to("order", [plant, order]) : to("trace", [], { q: order }) }, order)
    : "–";

export const traceLink = (text) =>
  text ? h("a", { href: to("trace", [], { q: text }) }, text) : "–";

const LONG = 60; // rows: more scroll by themselves

/** Columns: {title, cell(row), number?, head?}. `key(row)` names a row; the table scrolls by itself. */
export function table(
  caption,
  columns,
  rows,
  { key = null, none = t("table.none"), mark = null } = {},
) {
  const shown = columns.filter(Boolean);
  return h(
    "div.scroll",
    { tabindex: "0", role: "group", "aria-label": caption, "data-long": rows.length > LONG },
    h(
      "table",
      { role: "table", "data-empty": rows.length ? null : "true" },
      h("caption", caption),
      h(
        "thead",
        { role: "rowgroup" },
        h(
          "tr",
          { role: "row" },
          shown.map((column) =>
            h(
              column.number ? "th.number" : "th",
              { role: "columnheader", scope: "col" },
              column.title,
            ),
          ),
        ),
      ),
      h(
        "tbody",
        { role: "rowgroup" },
        rows.map((row) => line(row, shown, key, mark)),
        rows.length
          ? null
          : h("tr", { role: "row" }, h("td.none", { role: "cell", colspan: shown.length }, none)),
      ),
    ),
  );
}

function line(row, columns, key, mark) {
  return h(
    "tr",
    { role: "row", "data-key": key ? key(row) : null, ...(mark ? mark(row) : {}) },
    columns.map((column) =>
      h(
        `${column.head ? "th" : "td"}${column.number ? ".number" : ""}`,
        {
          role: column.head ? "rowheader" : "cell",
          scope: column.head ? "row" : null,
          "data-label": column.title,
        },
        column.cell(row) ?? "–",
      ),
    ),
  );
}

/** Pairs of a name and what it says, as a list of descriptions; pairs without anything are left out. */
export function facts(pairs) {
  const told = pairs.filter(
    (pair) => pair && pair[1] !== null && pair[1] !== undefined && pair[1] !== "",
  );
  return h(
    "dl.facts",
    told.map(([name, value]) => h("div", { "data-key": name }, h("dt", name), h("dd", value))),
  );
}

/** A filter's form. Fields: {name, label, type?, options?, needed?}; what is given goes into the address. */
export function filters(route, fields, legend = t("filter.title")) {
  const form = h(
    "form.filters",
    {
      role: "search",
      "aria-label": legend,
      onsubmit: (event) => {
        event.preventDefault();
        const given = Object.fromEntries(new FormData(event.target));
        const kept = Object.fromEntries(
          Object.entries(route.query).filter(([name]) => !(name in given)),
        );
        delete kept.cursor;
        go(route.name, route.parts, { ...kept, ...given });
      },
    },
    fields.map((field) =>
      h(
        "label",
        { "data-key": field.name },
        h("span", field.label),
        input(field, route.query[field.name] ?? ""),
      ),
    ),
    h("button", { type: "submit" }, t("filter.apply")),
    h("a.clear", { href: to(route.name, route.parts) }, t("filter.clear")),
  );
  return form;
}

function input({ name, type = "text", options = null, needed = false }, value) {
  if (!options) return h("input", { name, type, value, autocomplete: "off", spellcheck: "false" });
  const known = options.some((one) => String(one.value) === value) || value === "";
  const all = [
    ...(needed ? [] : [{ value: "", text: t("filter.all") }]),
    ...options,
    ...(known ? [] : [{ value, text: value }]),
  ];
  return h(
    "select",
    { name, value },
    all.map((one) => h("option", { value: one.value }, one.text)),
  );
}

/** Options out of words of the API: `kind` names the texts. */
export const choices = (kind, values) =>
  values.map((value) => ({ value, text: word(kind, value) }));

/** The filter in words, for the heading. */
export function told(query, labels) {
  return Object.entries(labels)
    .filter(([name]) => query[name])
    .map(([name, label]) => (label ? `${label} ${query[name]}` : query[name]));
}

/** Links to the next rows and back to the first, and the list as a file. */
export function pager(route, next, file = null) {
  return h(
    "nav.pager",
    { "aria-label": t("pager.title"), "data-key": "pager" },
    route.query.cursor
      ? h(
          "a",
          { href: to(route.name, route.parts, { ...route.query, cursor: "" }) },
          t("pager.first"),
        )
      : null,
    next
      ? h(
          "a",
          { href: to(route.name, route.parts, { ...route.query, cursor: next }) },
          t("pager.next"),
        )
      : null,
    file ? csv(file.path, file.query, file.name, true) : null,
  );
}

/** A button that saves a table; a list (`paged`) with all of its pages. */
export const csv = (path, query, name, paged = false) =>
  h(
    "button",
    { type: "button", onclick: () => saveCsv(path, query, name, paged).catch(alertOf) },
    t("pager.csv"),
  );

const alertOf = (error) => {
  const place = document.getElementById("notice");
  place.textContent = error.message;
  place.hidden = false;
};

/** What the API said, folded in. */
export function json(value, title = t("json.title")) {
  return h(
    "details",
    { "data-key": title },
    h("summary", title),
    h("pre", { tabindex: "0", role: "group", "aria-label": title }, JSON.stringify(value, null, 2)),
  );
}

/** A share as a bar, with its words beside it. */
export const bar = (value, most, label) =>
  h("progress", {
    max: Math.max(Number(most) || 0, 1e-9),
    value: Math.max(Number(value) || 0, 0),
    "aria-label": label,
  });
