// The tables of the key figures that aren't ratios over time: stops, use, work in process, orders, integration, lateness.

import { h } from "./dom.js";
import { ago, duration, number, quantity, ratio, time } from "./format.js";
import { lineLink, orderLink, section, table, traceLink } from "./parts.js";
import { pareto as stops } from "./line.js";
import { t, word } from "./texts.js";

export const pareto = ({ items }) => [stops(items, t("kpis.pareto"))];

export const consumption = ({ items }) => [
  section(
    t("kpis.consumption"),
    table(
      t("kpis.consumption"),
      [
        {
          title: t("col.period"),
          head: true,
          cell: (one) => [
            time(one.from, one.plant, "minute"),
            "–",
            time(one.to, one.plant, "minute"),
          ],
        },
        { title: t("col.item"), cell: (one) => one.item ?? "–" },
        { title: t("col.lot"), cell: (one) => traceLink(one.lot) },
        { title: t("col.quantity"), number: true, cell: (one) => quantity(one.quantity, one.uom) },
      ],
      items,
      { key: (one) => [one.from, one.item, one.lot, one.uom].join("|") },
    ),
  ),
];

export const wip = ({ items }, asked) => [
  section(
    t("kpis.wip"),
    h("p.note", t("kpis.wipHow")),
    table(
      t("kpis.wip"),
      [
        {
          title: t("col.order"),
          head: true,
          cell: (one) => orderLink(one.plant ?? asked.plant, one.order),
        },
        { title: t("col.operation"), cell: (one) => one.operation ?? "–" },
        {
          title: t("col.line"),
          cell: (one) => (one.line ? lineLink(one.plant ?? asked.plant, one.line) : "–"),
        },
        { title: t("kpis.wip"), number: true, cell: (one) => quantity(one.quantity, one.uom) },
      ],
      items,
      { key: (one) => [one.order, one.operation, one.line, one.uom].join("|") },
    ),
  ),
];

export function integration({ items }) {
  return [
    section(
      t("kpis.integration"),
      h("p.note", t("kpis.integrationHow")),
      table(
        t("kpis.integration"),
        [
          {
            title: t("col.source"),
            head: true,
            cell: (one) => [one.source || "–", h("small.quiet", ` ${one.plant ?? ""}`)],
          },
          ...["records", "accepted", "duplicates", "exceptions", "conflicts"].map((name) => ({
            title: t(`integration.${name}`),
            number: true,
            cell: (one) => number(one[name]),
          })),
          ...["completeness", "duplicate_rate", "exception_rate", "conflict_rate"].map((name) => ({
            title: t(`integration.${name}`),
            number: true,
            cell: (one) => (typeof one[name] === "object" ? ratio(one[name]) : number(one[name])),
          })),
          {
            title: t("integration.toTopic"),
            number: true,
            cell: (one) => milliseconds(one.latency?.source_to_topic_ms),
          },
          {
            title: t("integration.toTopicMax"),
            number: true,
            cell: (one) => milliseconds(one.latency?.source_to_topic_max_ms),
          },
          {
            title: t("integration.toPosting"),
            number: true,
            cell: (one) => milliseconds(one.latency?.topic_to_posting_ms),
          },
          { title: t("col.parked"), number: true, cell: (one) => number(one.parked) },
          {
            title: t("integration.open"),
            number: true,
            cell: (one) => number(one.open_exceptions),
          },
        ],
        items,
        { key: (one) => `${one.plant}|${one.source}` },
      ),
    ),
  ];
}

const milliseconds = (value) =>
  value === null || value === undefined
    ? "–"
    : Number(value) < 10_000
      ? `${number(value, 0)}\u00a0ms`
      : duration(Number(value) / 1000);

export const late = ({ items }) => [
  section(
    t("kpis.late"),
    h("p.note", t("kpis.lateHow")),
    table(
      t("kpis.late"),
      [
        { title: t("col.line"), head: true, cell: (one) => lineLink(one.plant, one.line) },
        { title: t("late.by"), number: true, cell: (one) => duration(one.late_seconds) },
        { title: t("col.why"), cell: (one) => h("b", word("late", one.why)) },
        {
          title: t("late.evidence"),
          cell: (one) =>
            h(
              "ul.plain",
              (one.evidence ?? []).map((each) =>
                h("li", typeof each === "object" ? told(each) : String(each)),
              ),
            ),
        },
      ],
      items,
      { key: (one) => `${one.plant}|${one.line}` },
    ),
  ),
];

/** The schedule's rows, with columns for whatever members they have. */
export function schedule(data, asked) {
  return Object.entries(data)
    .filter(([, value]) => Array.isArray(value))
    .map(([name, rows]) =>
      section(
        name === "items" ? t("kpis.schedule") : word("member", name),
        free(name === "items" ? t("kpis.schedule") : word("member", name), rows, asked),
      ),
    );
}

function free(caption, rows, asked) {
  const names = [...new Set(rows.flatMap(Object.keys))];
  return table(
    caption,
    names.map((name, at) => ({
      title: word("member", name),
      head: at === 0,
      cell: (row) => cell(name, row[name], row, asked),
    })),
    rows,
  );
}

function cell(name, value, row, asked) {
  if (value === null || value === undefined) return "–";
  if (name === "order") return orderLink(row.plant ?? asked.plant, value);
  if (name === "line") return lineLink(row.plant ?? asked.plant, value);
  if (name.endsWith("_seconds")) return duration(value);
  if (/_at$|^at$|^from$|^to$/.test(name)) return time(value, row.plant ?? asked.plant, "minute");
  if (typeof value === "object" && "numerator" in value) return ratio(value);
  if (typeof value === "object") return told(value);
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (name === "quantity") return quantity(value, row.uom);
  return /^-?\d+(\.\d+)?$/.test(value) && name !== "operation" ? number(value) : String(value);
}

const told = (value) =>
  Object.entries(value)
    .map(([name, one]) => `${word("member", name)} ${shown(name, one)}`)
    .join(" · ");

function shown(name, one) {
  if (one === null || one === undefined) return "–";
  if (name.endsWith("_seconds")) return duration(one);
  if (/^\d{4}-\d\d-\d\dT/.test(one)) return ago(one);
  return typeof one === "object" ? JSON.stringify(one) : String(one);
}
