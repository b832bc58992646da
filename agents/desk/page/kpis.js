// Key figures by ISO 22400-2 with what they are made of, and those of stops, use, orders and the integration.

import { get } from "./api.js";
import { chart } from "./charts.js";
import { h } from "./dom.js";
import { daysOn, duration, made, period, ratio, time, zoneOf } from "./format.js";
import { choices, csv, facts, filters, heading, lineLink, section, table, told } from "./parts.js";
import { to } from "./route.js";
import { t, word } from "./texts.js";
import * as tabs from "./kpi_tabs.js";

const NAMES = [
  "availability",
  "effectiveness",
  "quality_ratio",
  "oee",
  "scrap_ratio",
  "rework_ratio",
];
const TABS = {
  figures: {
    path: "/kpis",
    asked: ["plant", "line", "work_unit", "from", "to", "by", "group"],
    dated: true,
  },
  pareto: { path: "/kpis/pareto", asked: ["plant", "line", "from", "to"], dated: true },
  consumption: {
    path: "/kpis/consumption",
    asked: ["plant", "line", "order", "from", "to", "by"],
    dated: true,
  },
  wip: { path: "/kpis/wip", asked: ["plant", "by"] },
  schedule: { path: "/kpis/schedule", asked: ["plant"] },
  integration: { path: "/kpis/integration", asked: ["plant", "source", "from", "to"], dated: true },
  late: { path: "/kpis/late", asked: ["plant"] },
};
const BY = {
  figures: ["hour", "shift", "day", "total"],
  consumption: ["hour", "shift", "day", "total"],
  wip: ["order", "operation", "line"],
};
const GROUPS = ["plant", "line", "work_unit", "order", "item"];

const tabOf = ({ parts }) => (parts[0] in TABS ? parts[0] : "figures");

export async function load(route, signal, reader) {
  const tab = tabOf(route);
  const asked = askedOf(tab, route.query, reader);
  return { ...(await get(TABS[tab].path, asked, signal)), asked };
}

/** What is asked for: a plant, since zones and shifts differ, and seven days where nobody says otherwise. */
function askedOf(tab, query, reader) {
  const known = TABS[tab];
  const given = Object.fromEntries(known.asked.map((name) => [name, query[name] || null]));
  given.plant ??= reader.plants[0]?.plant ?? null;
  if (known.dated && !given.from && !given.to) {
    given.from = daysOn(reader.newest(given.plant), -6);
    given.to = daysOn(reader.newest(given.plant), 1);
  }
  if (BY[tab]) given.by ??= tab === "wip" ? "order" : tab === "figures" ? "day" : "total";
  if (tab === "figures") given.group ??= "line";
  return given;
}

export function draw(data, route, reader) {
  const tab = tabOf(route);
  const { asked } = data;
  const zone = data.zone ?? zoneOf(asked.plant);
  return [
    heading(`${t("kpis.title")}: ${t(`kpis.${tab}`)}`, {
      fresh: data.fresh,
      period: data.period
        ? period(data.period.from, data.period.to, zone)
        : asked.from
          ? told(asked, { from: t("col.from"), to: t("col.before") }).join(" ")
          : t("kpis.now"),
      filter: told(
        {
          ...asked,
          group: asked.group && word("group", asked.group),
          by: asked.by && word("by", asked.by),
        },
        {
          plant: "",
          line: t("col.line"),
          work_unit: t("col.workUnit"),
          order: t("col.order"),
          source: t("col.source"),
          group: t("kpis.per"),
          by: t("kpis.per"),
        },
      ),
    }),
    h(
      "nav.tabs",
      { "aria-label": t("kpis.title"), "data-key": "tabs" },
      Object.keys(TABS).map((name) =>
        h(
          "a",
          {
            href: to("kpis", [name], { plant: asked.plant }),
            "aria-current": name === tab ? "page" : null,
          },
          t(`kpis.${name}`),
        ),
      ),
    ),
    filters(
      {
        ...route,
        query: Object.fromEntries(
          Object.entries(asked).map(([name, value]) => [name, value ?? ""]),
        ),
      },
      fields(tab, reader),
    ),
    data.problems?.length
      ? h(
          "ul.note",
          { "data-key": "problems" },
          data.problems.map((one) => h("li", one)),
        )
      : null,
    ...(tab === "figures" ? figures(data, zone, asked) : tabs[tab](data, asked)),
    tab === "schedule"
      ? null
      : h("div.actions", { "data-key": "file" }, csv(TABS[tab].path, asked, `kpis-${tab}`)),
  ];
}

function fields(tab, reader) {
  const all = {
    plant: {
      label: t("col.plant"),
      options: reader.plants.map(({ plant }) => ({ value: plant, text: plant })),
    },
    line: { label: t("col.line") },
    work_unit: { label: t("col.workUnit") },
    order: { label: t("col.order") },
    source: { label: t("col.source") },
    from: { label: t("col.from"), type: "date" },
    to: { label: t("col.before"), type: "date" },
    by: { label: t("kpis.by"), options: choices("by", BY[tab] ?? []) },
    group: { label: t("kpis.group"), options: choices("group", GROUPS) },
  };
  return TABS[tab].asked.map((name) => ({ name, ...all[name] }));
}

const span = (one, by) =>
  by === "day"
    ? [time(one.from, one.plant, "day")]
    : [
        one.shift ? `${one.shift} ` : "",
        time(one.from, one.plant, "minute"),
        "–",
        time(one.to, one.plant, "minute"),
      ];

function figures(data, zone, asked) {
  const names = NAMES.filter((name) => data.items.some((one) => one.kpis[name]));
  return [
    overTime(data, zone),
    section(
      t("kpis.table"),
      h("p.note", t("kpis.how")),
      h(
        "details",
        { "data-key": "meanings" },
        h("summary", t("kpis.meanings")),
        facts(names.map((name) => [word("kpi", name), word("kpi_how", name)])),
      ),
      table(
        t("kpis.table"),
        [
          {
            title: t("col.period"),
            head: true,
            cell: (one) => [
              ...span(one, asked.by),
              one.complete ? null : h("small.warn", ` ${t("kpis.incomplete")}`),
            ],
          },
          {
            title: t("kpis.of"),
            cell: (one) => [
              one.line ? lineLink(one.plant, one.line) : (one.plant ?? t("filter.all")),
              ...[one.work_unit, one.order, one.item].filter(Boolean).map((text) => ` ${text}`),
            ],
          },
          ...names.map((name) => ({
            title: word("kpi", name),
            number: true,
            cell: (one) => ratio(one.kpis[name]),
          })),
          { title: t("col.made"), cell: (one) => made(one.made) },
          { title: t("line.unplanned"), number: true, cell: (one) => duration(one.down_seconds) },
          {
            title: t("line.planned"),
            number: true,
            cell: (one) => duration(one.planned_down_seconds),
          },
        ],
        data.items,
        {
          key: (one) =>
            [one.from, one.plant, one.line, one.work_unit, one.order, one.item].join("|"),
        },
      ),
    ),
  ];
}

const LINES_MAX = 6; // of a chart: more can't be told apart

/** OEE, else availability, over time: a line for each group. */
function overTime(data, zone) {
  const name = ["oee", "availability", "quality_ratio"].find((kpi) =>
    data.items.some((one) => one.kpis[kpi]?.value),
  );
  const times = [...new Set(data.items.map((one) => Date.parse(one.from) / 1000))].sort(
    (a, b) => a - b,
  );
  if (!name || times.length < 2) return null;
  const groups = grouped(data.items);
  const series = [...groups].slice(0, LINES_MAX).map(([label, items], at) => {
    const known = new Map(items.map((one) => [Date.parse(one.from) / 1000, one.kpis[name]?.value]));
    return {
      label,
      role: `series-${at}`,
      stepped: false,
      values: times.map((at) => (known.get(at) ? Number(known.get(at)) : null)),
    };
  });
  const title = `${word("kpi", name)} (%)`;
  return section(
    title,
    groups.size > LINES_MAX ? h("p.note", t("kpis.first", { n: LINES_MAX })) : null,
    chart(title, times, series, zone, "%"),
  );
}

const groupOf = (one) =>
  [one.line ? `${one.plant}/${one.line}` : one.plant, one.work_unit, one.order, one.item]
    .filter(Boolean)
    .join(" ") || t("filter.all");

function grouped(items) {
  const groups = new Map();
  for (const one of items) groups.set(groupOf(one), [...(groups.get(groupOf(one)) ?? []), one]);
  return groups;
}
