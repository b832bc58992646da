// What a line made by quarter of an hour, a chart for each unit.

import { chart } from "./charts.js";
import { h } from "./dom.js";
import { quantity, time } from "./format.js";
import { section, table } from "./parts.js";
import { t } from "./texts.js";

/** Pieces by quarter of an hour, one chart a unit. What was taken back can't make a rate negative. */
export function rates(one, zone) {
  const uoms = [...new Set(one.rates.map((rate) => rate.uom))];
  const roles = [
    ["good", "good"],
    ["scrap", "bad"],
    ["rework", "warn"],
  ];
  return section(
    t("line.rates"),
    uoms.length ? null : h("p.note", t("line.noRates")),
    uoms.map((uom) => {
      const { times, values } = quarters(
        one.rates.filter((rate) => rate.uom === uom),
        roles.map(([name]) => name),
      );
      const series = roles
        .filter(([name]) => name === "good" || values[name].some(Boolean))
        .map(([name, role]) => ({ label: t(`made.${name}Label`), role, values: values[name] }));
      return h(
        "div",
        { "data-key": uom },
        h("h3", t("line.rate", { uom })),
        chart(t("line.rate", { uom }), times, series, zone, uom),
        h(
          "details",
          h("summary", t("line.asTable")),
          table(
            t("line.rate", { uom }),
            [
              { title: t("col.from"), head: true, cell: (rate) => time(rate.at, one.plant) },
              ...roles.map(([name]) => ({
                title: t(`made.${name}Label`),
                number: true,
                cell: (rate) => quantity(rate[name], uom),
              })),
            ],
            one.rates.filter((rate) => rate.uom === uom),
          ),
        ),
      );
    }),
  );
}

const QUARTER = 900;
const QUARTERS_MAX = 3_000;

/** Fill the gaps with nothing, so that a line isn't drawn over them. */
export function quarters(list, names) {
  const known = new Map(list.map((one) => [Date.parse(one.at) / 1000, one]));
  const first = Math.min(...known.keys());
  const count = Math.min((Math.max(...known.keys()) - first) / QUARTER + 1, QUARTERS_MAX);
  const times = Array.from({ length: Math.max(count, 0) }, (_, at) => first + at * QUARTER);
  const values = Object.fromEntries(
    names.map((name) => [
      name,
      times.map((at) => (known.has(at) ? Math.max(Number(known.get(at)[name]), 0) : null)),
    ]),
  );
  return { times, values };
}
