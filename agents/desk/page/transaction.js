// One record that left for the ERP, and the events that it is made of.

import { get } from "./api.js";
import { h } from "./dom.js";
import { number, period, time, zoneOf } from "./format.js";
import { facts, heading, json, lineLink, orderLink, section, traceLink } from "./parts.js";
import * as rows from "./rows.js";
import { t, word } from "./texts.js";

export const load = ({ query }, signal) => get("/transactions/one", { id: query.id }, signal);

export function draw(one) {
  return [
    heading(word("type", one.type), { filter: [one.id], fresh: one.fresh }),
    section(
      t("transaction.what"),
      facts([
        [t("col.value"), h("b", rows.value(one))],
        [t("col.line"), lineLink(one.plant, one.line)],
        [t("col.order"), one.order ? orderLink(one.plant, one.order) : null],
        [t("col.operation"), one.operation],
        [t("col.item"), one.item],
        [t("col.lot"), one.lot ? traceLink(one.lot) : null],
        [t("col.serial"), one.serial ? traceLink(one.serial) : null],
        [t("col.workUnit"), one.work_unit],
        [t("col.time"), time(one.time, one.plant)],
        [t("transaction.written"), time(one.written_at, one.plant)],
        [t("col.posting"), one.posting_date],
        [t("col.document"), one.document_date],
        [
          t("col.window"),
          one.window_start ? period(one.window_start, one.window_end, zoneOf(one.plant)) : null,
        ],
        [t("transaction.revision"), one.revision],
        [t("transaction.causes"), number(one.cause_count)],
        [t("story.reverses"), one.reverses ? rows.transactionLink(one.reverses) : null],
        [t("story.reversedBy"), one.reversed_by ? rows.transactionLink(one.reversed_by) : null],
      ]),
    ),
    section(t("transaction.events"), rows.events(t("transaction.events"), one.events)),
    json(one.record, t("transaction.record")),
  ];
}
