// Whether totals add up: records by topic, and quantities by kind and unit.

import { h } from "./dom.js";
import { addsUp, duration, number } from "./format.js";
import { section, table } from "./parts.js";
import { t, word } from "./texts.js";

const RECORDS = ["in", "accepted", "duplicate", "exception", "tick"];
const ITEMS = ["accepted", "left", "not_left"];

const whole = (one) => addsUp(one.in, [one.accepted, one.duplicate, one.exception, one.tick]);

/** Of what sends nothing to the ERP there is nothing to compare. */
const left = (one) => one.left === null || addsUp(one.accepted, [one.left, one.not_left]);

/** The sums, and whether they are right; `plant` if they are of one; nothing while they are on their way. */
export function totals(found, { plant }) {
  const title = plant ? `${t("totals.title")} ${plant}` : t("totals.title");
  if (!found) return section(title, h("p.note", t("page.loading")));
  const { failed, records, items } = found;
  if (failed) return section(title, h("p.note", failed));
  const exact = records.every(whole) && items.every(left);
  return section(
    title,
    h("p.verdict", { "data-exact": String(exact) }, t(exact ? "totals.exact" : "totals.wrong")),
    table(
      t("totals.records"),
      [
        { title: t("col.topic"), head: true, cell: (one) => one.topic },
        ...RECORDS.map((name) => ({
          title: t(`totals.${name}`),
          number: true,
          cell: (one) => number(one[name]),
        })),
      ],
      records,
      { key: (one) => one.topic, mark: (one) => ({ "data-exact": String(whole(one)) }) },
    ),
    h(
      "details",
      { "data-key": "items" },
      h("summary", t("totals.items")),
      table(
        t("totals.items"),
        [
          { title: t("col.type"), head: true, cell: (one) => word("type", one.type) },
          { title: t("col.unit"), cell: (one) => one.uom ?? word("measure", one.measure) },
          ...ITEMS.map((name) => ({
            title: t(`totals.${name}`),
            number: true,
            cell: (one) => amount(one[name], one.measure),
          })),
          {
            title: t("totals.becomes"),
            cell: (one) => (one.becomes ? word("type", one.becomes) : t("totals.nothing")),
          },
        ],
        items,
        {
          key: (one) => [one.type, one.measure, one.uom].join("|"),
          mark: (one) => ({ "data-exact": String(left(one)) }),
        },
      ),
    ),
  );
}

const amount = (value, measure) =>
  measure === "seconds" && value !== null ? duration(value) : number(value);
