// Orders: what was made of each, against what was asked for.

import { get } from "./api.js";
import { h } from "./dom.js";
import { ago, made, number, quantity } from "./format.js";
import {
  bar,
  choices,
  filters,
  heading,
  lineLink,
  orderLink,
  pager,
  table,
  told,
} from "./parts.js";
import { to } from "./route.js";
import { t, word } from "./texts.js";

export const load = ({ query }, signal) => get("/orders", query, signal);

export function draw({ items, next, fresh }, route, reader) {
  const { query } = route;
  return [
    heading(t("orders.title"), {
      fresh,
      filter: told(query, {
        plant: t("col.plant"),
        line: t("col.line"),
        status: t("col.status"),
        text: t("col.text"),
      }),
    }),
    filters(route, [
      {
        name: "plant",
        label: t("col.plant"),
        options: reader.plants.map(({ plant }) => ({ value: plant, text: plant })),
      },
      { name: "line", label: t("col.line") },
      {
        name: "status",
        label: t("col.status"),
        options: choices("order_status", ["released", "held", "completed", "closed", "cancelled"]),
      },
      { name: "text", label: t("col.text") },
    ]),
    table(t("orders.title"), columns(), items, { key: (one) => `${one.plant}/${one.order}` }),
    pager(route, next, { path: "/orders", query, name: "orders" }),
  ];
}

const columns = () => [
  { title: t("col.order"), head: true, cell: (one) => orderLink(one.plant, one.order) },
  { title: t("col.status"), cell: (one) => word("order_status", one.status) },
  { title: t("col.item"), cell: (one) => one.item ?? "–" },
  {
    title: t("col.asked"),
    number: true,
    cell: (one) => (one.quantity ? quantity(one.quantity, one.uom) : "–"),
  },
  { title: t("col.made"), cell: (one) => made(one.made) },
  { title: t("col.progress"), cell: progress },
  {
    title: t("col.lines"),
    cell: (one) => one.lines.map((line, at) => [at ? ", " : "", lineLink(one.plant, line)]),
  },
  { title: t("col.last"), cell: (one) => ago(one.last_at) },
  {
    title: t("col.exceptions"),
    number: true,
    cell: (one) =>
      one.exceptions_open
        ? h(
            "a.warn",
            { href: to("exceptions", [], { plant: one.plant, order: one.order, status: "open" }) },
            number(one.exceptions_open),
          )
        : "0",
  },
  { title: t("col.parked"), number: true, cell: (one) => number(one.parked) },
];

/** How much of an order's quantity is made, in its own unit. */
export function progress(one) {
  if (!one.progress || !Number(one.progress.denominator)) return "–";
  const { numerator, denominator } = one.progress;
  const share = `${number((100 * Number(numerator)) / Number(denominator), 1)}\u00a0%`;
  return h("div.against", bar(numerator, denominator, share), h("span", share));
}
