// What left for the ERP.

import { get } from "./api.js";
import { choices, filters, heading, pager, told } from "./parts.js";
import * as rows from "./rows.js";
import { t } from "./texts.js";

export const TYPES = [
  "production_confirmation",
  "goods_receipt",
  "goods_issue",
  "scrap_posting",
  "labor_confirmation",
  "operation_status",
  "quality_notification",
  "stock_status",
  "maintenance_notification",
  "reversal",
].map((name) => `erp.${name}.v1`);

export const load = ({ query }, signal) => get("/transactions", query, signal);

export function draw({ items, next, fresh }, route, reader) {
  const { query } = route;
  return [
    heading(t("transactions.title"), {
      fresh,
      filter: told(query, {
        plant: t("col.plant"),
        line: t("col.line"),
        order: t("col.order"),
        type: "",
        item: t("col.item"),
        lot: t("col.lot"),
        from: t("col.from"),
        to: t("col.before"),
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
      { name: "type", label: t("col.transaction"), options: choices("type", TYPES) },
      { name: "order", label: t("col.order") },
      { name: "item", label: t("col.item") },
      { name: "lot", label: t("col.lot") },
      { name: "from", label: t("col.from"), type: "date" },
      { name: "to", label: t("col.before"), type: "date" },
    ]),
    rows.transactions(t("transactions.title"), items),
    pager(route, next, { path: "/transactions", query, name: "transactions" }),
  ];
}
