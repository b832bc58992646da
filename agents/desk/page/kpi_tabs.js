// The tables of the key figures that aren't ratios over time: stops, use, work in process, orders, integration, lateness.

import { h } from "./dom.js";
import { duration, number, quantity, ratio, time } from "./format.js";
import { facts, lineLink, orderLink, section, table, traceLink } from "./parts.js";
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
        { title: t("col.shift"), cell: (one) => one.shift ?? "–" },
        { title: t("late.by"), number: true, cell: (one) => duration(one.late_seconds) },
        { title: t("col.why"), cell: (one) => h("b", word("late", one.why)) },
        {
          title: t("late.evidence"),
          cell: (one) =>
            h(
              "ul.plain",
              (one.evidence ?? []).map((each) => h("li", evidence(each))),
            ),
        },
      ],
      items,
      { key: (one) => `${one.plant}|${one.line}` },
    ),
  ),
];

function evidence({ why, what, seconds, count }) {
  const much = seconds ? ` ${duration(seconds)}` : count ? ` ${number(count)}` : "";
  return [h("span.quiet", `${word("late", why)}: `), what, h("b", much)];
}

export const schedule = (data) => [
  attained(t("schedule.attainment"), t("schedule.attainmentHow"), data.attainment),
  attained(t("schedule.progress"), t("schedule.progressHow"), data.progress),
  ...data.ageing.map(ageing),
  section(
    t("schedule.throughput"),
    h("p.note", t("schedule.throughputHow")),
    table(
      t("schedule.throughput"),
      [
        { title: t("col.plant"), head: true, cell: (one) => one.plant },
        ...["1d", "7d"].map((name) => ({
          title: t(`schedule.orders${name}`),
          number: true,
          cell: (one) => number(one.orders[name]),
        })),
        ...["1d", "7d"].map((name) => ({
          title: t(`schedule.made${name}`),
          number: true,
          cell: (one) =>
            h(
              "ul.plain",
              one.made.map((each) => h("li", quantity(each[name], each.uom))),
            ),
        })),
      ],
      data.throughput,
      { key: (one) => one.plant },
    ),
  ),
];

const attained = (title, how, rows) =>
  section(
    title,
    h("p.note", how),
    table(
      title,
      [
        { title: t("col.plant"), head: true, cell: (one) => one.plant },
        { title: t("col.unit"), cell: (one) => one.uom ?? "–" },
        { title, number: true, cell: ratio },
        { title: t("menu.orders"), number: true, cell: (one) => number(one.orders) },
        { title: t("schedule.inFull"), number: true, cell: (one) => ratio(one.orders_in_full) },
      ],
      rows,
      { key: (one) => `${one.plant}|${one.uom}` },
    ),
  );

function ageing(one) {
  const title = t("schedule.ageing", { plant: one.plant });
  return section(
    title,
    facts([
      [t("ageing.open"), number(one.open)],
      [t("schedule.notStarted"), number(one.not_started)],
      ...Object.entries(one.buckets).map(([name, count]) => [word("ageing", name), number(count)]),
    ]),
    table(
      title,
      [
        { title: t("col.order"), head: true, cell: (each) => orderLink(one.plant, each.order) },
        { title: t("col.status"), cell: (each) => word("order_status", each.status) },
        { title: t("col.item"), cell: (each) => each.item ?? "–" },
        { title: t("schedule.age"), number: true, cell: (each) => duration(each.age_seconds) },
        { title: t("col.made"), number: true, cell: (each) => quantity(each.done, each.uom) },
        { title: t("col.progress"), number: true, cell: (each) => ratio(each.progress) },
      ],
      one.oldest,
      { key: (each) => each.order },
    ),
  );
}
