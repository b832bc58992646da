// Tables of the things that several views list: events, transactions, exceptions, holds, acts.

import { h } from "./dom.js";
import { ago, duration, number, quantity, time } from "./format.js";
import { lineLink, orderLink, status, table, traceLink } from "./parts.js";
import { to } from "./route.js";
import { t, word } from "./texts.js";

export const eventLink = (one, text = null) =>
  h(
    "a",
    { href: to("event", [one.topic, one.partition, one.offset]) },
    text ?? one.id ?? `${one.partition}/${one.offset}`,
  );

export const transactionLink = (id) => h("a.id", { href: to("transaction", [], { id }) }, id);

export const outcome = (value) =>
  h("span.outcome", { "data-outcome": value }, word("outcome", value));

/** What an event says, in a line: "40 pc M-100, lot LOT7". */
export function content(one) {
  const data = one.data ?? {};
  const told = [
    data.quantity !== undefined ? quantity(data.quantity, data.uom) : null,
    data.seconds !== undefined ? duration(data.seconds) : null,
    one.item ?? data.item,
    one.lot ? t("content.lot", { lot: one.lot }) : null,
    one.serial ? t("content.serial", { serial: one.serial }) : null,
    data.reason,
    data.state,
    data.episode,
    data.hold,
    data.reverses ? t("content.reverses", { id: data.reverses }) : null,
  ];
  return told.filter(Boolean).join(" · ") || "–";
}

export const events = (caption, rows, more = []) =>
  table(
    caption,
    [
      {
        title: t("col.time"),
        head: true,
        cell: (one) => time(one.time ?? one.arrived_at, one.plant),
      },
      { title: t("col.event"), cell: (one) => [word("type", one.type), " ", eventLink(one)] },
      { title: t("col.outcome"), cell: (one) => outcome(one.outcome) },
      { title: t("col.line"), cell: (one) => lineLink(one.plant, one.line) },
      { title: t("col.order"), cell: (one) => orderLink(one.plant, one.order) },
      { title: t("col.content"), cell: content },
      ...more,
    ],
    rows,
    { key: (one) => `${one.topic}/${one.partition}/${one.offset}` },
  );

export const transactions = (caption, rows) =>
  table(
    caption,
    [
      { title: t("col.time"), head: true, cell: (one) => time(one.time, one.plant) },
      { title: t("col.transaction"), cell: (one) => word("type", one.type) },
      { title: t("col.value"), number: true, cell: (one) => value(one) },
      { title: t("col.line"), cell: (one) => lineLink(one.plant, one.line) },
      { title: t("col.order"), cell: (one) => orderLink(one.plant, one.order) },
      {
        title: t("col.content"),
        cell: (one) =>
          [
            one.item,
            one.lot && t("content.lot", { lot: one.lot }),
            one.serial && t("content.serial", { serial: one.serial }),
          ]
            .filter(Boolean)
            .join(" · ") || "–",
      },
      { title: t("col.posting"), cell: (one) => one.posting_date ?? "–" },
      {
        title: t("col.key"),
        cell: (one) => [
          transactionLink(one.id),
          one.reversed_by ? h("small.warn", ` ${t("transaction.reversed")}`) : null,
        ],
      },
    ],
    rows,
    { key: (one) => one.id },
  );

/** A transaction's measure with its unit. */
export function value(one) {
  if (one.value === null || one.value === undefined) return "–";
  return one.measure === "seconds" ? duration(one.value) : quantity(one.value, one.uom);
}

/** When an exception is due, and whether that is past. */
export function due(one) {
  if (!one.due_at) return "–";
  return h(
    "span",
    { "data-overdue": String(Boolean(one.overdue)) },
    one.overdue ? `${t("exception.overdue")} ` : "",
    ago(one.due_at),
  );
}

export const exceptionLink = (one) =>
  h("a", { href: to("exception", [], { id: one.id }) }, word("code", one.code));

export const exceptions = (caption, rows, before = []) =>
  table(
    caption,
    [
      ...before,
      {
        title: t("col.raised"),
        head: true,
        cell: (one) => [
          time(one.raised_at, one.plant),
          h("small.quiet", ` ${duration(one.age_seconds)}`),
        ],
      },
      {
        title: t("col.code"),
        cell: (one) => [exceptionLink(one), h("small.quiet", ` ${word("class", one.class)}`)],
      },
      { title: t("col.reason"), cell: (one) => one.reason },
      { title: t("col.line"), cell: (one) => lineLink(one.plant, one.line) },
      {
        title: t("col.event"),
        cell: (one) => [word("type", one.type), " ", traceLink(one.event_id)],
      },
      { title: t("col.order"), cell: (one) => orderLink(one.plant, one.order) },
      {
        title: t("col.status"),
        cell: (one) => [
          status(one.status),
          one.assigned_to ? h("small.quiet", ` ${one.assigned_to}`) : null,
        ],
      },
      { title: t("col.due"), cell: due },
    ],
    rows,
    { key: (one) => one.id, mark: (one) => ({ "data-overdue": String(Boolean(one.overdue)) }) },
  );

export const holds = (caption, rows) =>
  table(
    caption,
    [
      { title: t("col.hold"), head: true, cell: (one) => one.hold },
      { title: t("col.plant"), cell: (one) => one.plant },
      {
        title: t("col.on"),
        cell: (one) => [
          word("scope_of", one.scope),
          " ",
          traceLink(one.value),
          one.item ? ` (${one.item})` : "",
        ],
      },
      { title: t("col.reason"), cell: (one) => one.reason ?? "–" },
      { title: t("col.placed"), cell: (one) => time(one.placed_at, one.plant) },
      {
        title: t("col.released"),
        cell: (one) =>
          one.released_at
            ? [time(one.released_at, one.plant), ` ${word("disposition", one.disposition)}`]
            : h("b.warn", t("hold.active")),
      },
      {
        title: t("col.parked"),
        number: true,
        cell: (one) =>
          one.touched
            ? [
                h(
                  "a",
                  { href: to("holds", [], { plant: one.plant, hold: one.hold }) },
                  number(one.touched),
                ),
                one.oldest
                  ? h("small.quiet", ` ${t("hold.oldest", { ago: ago(one.oldest) })}`)
                  : null,
              ]
            : "0",
      },
    ],
    rows,
    { key: (one) => `${one.plant}/${one.hold}` },
  );

export const acts = (caption, rows, subject = true) =>
  table(
    caption,
    [
      { title: t("col.time"), head: true, cell: (one) => time(one.at, one.plant) },
      { title: t("col.who"), cell: (one) => one.who },
      { title: t("col.act"), cell: (one) => word("act", one.act) },
      subject
        ? {
            title: t("col.subject"),
            cell: (one) =>
              h("a.id", { href: to("exception", [], { id: one.subject }) }, one.subject),
          }
        : null,
      { title: t("col.why"), cell: (one) => one.why ?? "–" },
      { title: t("col.change"), cell: change },
    ],
    rows,
    { key: (one) => one.id },
  );

/** What an act changed: the members that differ between before and after. */
function change({ before, after }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const differ = names.filter(
    (name) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]),
  );
  if (!differ.length) return "–";
  return h(
    "ul.plain",
    differ.map((name) =>
      h("li", h("span.quiet", `${name}: `), short(before?.[name]), " → ", short(after?.[name])),
    ),
  );
}

function short(one) {
  if (one === null || one === undefined) return "–";
  const text = typeof one === "string" ? one : JSON.stringify(one);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
