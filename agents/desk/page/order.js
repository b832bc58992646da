// One order: what was asked, made, used, refused and posted.

import { get, part } from "./api.js";
import { h } from "./dom.js";
import { duration, made, number, quantity, time } from "./format.js";
import { progress } from "./orders.js";
import { facts, heading, json, lineLink, section, table } from "./parts.js";
import { to } from "./route.js";
import * as rows from "./rows.js";
import { t, word } from "./texts.js";

export const load = ({ parts }, signal) => get(`/orders/${parts.map(part).join("/")}`, {}, signal);

export function draw(one) {
  const of = { plant: one.plant, order: one.order };
  return [
    heading(`${t("order.title")} ${one.order}`, {
      filter: [one.plant],
      fresh: one.fresh,
      actions: [
        h("a.button", { href: to("trace", [], { q: one.order, kind: "order" }) }, t("order.trace")),
      ],
    }),
    section(
      t("order.state"),
      facts([
        [t("col.status"), word("order_status", one.status)],
        [t("col.item"), one.item],
        [t("col.asked"), one.quantity ? quantity(one.quantity, one.uom) : null],
        [t("col.made"), made(one.made)],
        [t("col.progress"), progress(one)],
        [t("col.lines"), one.lines.map((line, at) => [at ? ", " : "", lineLink(one.plant, line)])],
        [t("order.first"), time(one.first_at, one.plant)],
        [t("order.last"), time(one.last_at, one.plant)],
        [t("col.exceptions"), number(one.exceptions_open)],
        [t("col.parked"), number(one.parked)],
      ]),
    ),
    one.exceptions.length
      ? section(t("order.exceptions"), rows.exceptions(t("order.exceptions"), one.exceptions))
      : null,
    section(
      t("order.operations"),
      table(
        t("order.operations"),
        [
          { title: t("col.operation"), head: true, cell: (step) => step.operation },
          { title: t("col.made"), cell: (step) => made(step.made) },
          { title: t("order.started"), cell: (step) => time(step.started_at, one.plant) },
          { title: t("order.completed"), cell: (step) => time(step.completed_at, one.plant) },
          { title: t("order.final"), cell: (step) => time(step.final_at, one.plant) },
          {
            title: t("order.took"),
            cell: (step) =>
              step.started_at && step.completed_at
                ? duration((Date.parse(step.completed_at) - Date.parse(step.started_at)) / 1000)
                : "–",
          },
        ],
        one.operations,
        { key: (step) => step.operation },
      ),
    ),
    section(
      t("order.consumption"),
      table(
        t("order.consumption"),
        [
          { title: t("col.item"), head: true, cell: (used) => used.item },
          {
            title: t("col.quantity"),
            number: true,
            cell: (used) => quantity(used.quantity, used.uom),
          },
        ],
        one.consumption,
        { key: (used) => `${used.item}|${used.uom}` },
      ),
    ),
    section(
      t("order.transactions"),
      rows.transactions(t("order.transactions"), one.transactions),
      h("p", h("a", { href: to("transactions", [], of) }, t("order.allTransactions"))),
    ),
    section(t("order.events"), rows.events(t("order.events"), one.events)),
    one.reference ? json(one.reference, t("order.reference")) : h("p.note", t("order.noReference")),
  ];
}
