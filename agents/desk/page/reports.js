// Reports of a shift or a day: what was made, how well, what stood, in the plant's own hours.

import { get } from "./api.js";
import { h } from "./dom.js";
import {
  dateIn,
  duration,
  made,
  number,
  period,
  quantity,
  ratio,
  some,
  written,
  zoneOf,
} from "./format.js";
import { csv, facts, filters, heading, json, lineLink, section, table } from "./parts.js";
import { pareto } from "./line.js";
import { to } from "./route.js";
import { t, word } from "./texts.js";

const KPIS = [
  "availability",
  "effectiveness",
  "quality_ratio",
  "oee",
  "scrap_ratio",
  "rework_ratio",
];

export async function load({ query }, signal, reader) {
  const plant = query.plant || reader.plants[0]?.plant;
  if (!plant) return { plant: null, shifts: [] };
  const calendars = await get("/reference", { kind: "shift_calendar", plant, limit: 500 }, signal);
  const shifts = shiftsOf(calendars.items);
  const yesterday = dateIn(zoneOf(plant), -1);
  const newest = reader.newest(plant);
  const date = query.date || (newest < yesterday ? newest : yesterday);
  const shift = query.by === "day" ? null : query.shift || shifts[0] || null;
  const asked = { plant, line: query.line, date, shift };
  const path = shift ? "/reports/shift" : "/reports/day";
  const report = await get(path, asked, signal);
  return { plant, shifts, date, shift, path, asked, report, newest };
}

/** The names of a plant's shifts, each once, as the calendars list them. */
function shiftsOf(calendars) {
  const names = calendars
    .filter((one) => !one.deleted)
    .flatMap(({ data }) =>
      (Array.isArray(data?.shifts) ? data.shifts : []).map(
        ({ name }, at) => name ?? `shift ${at + 1}`,
      ),
    );
  return [...new Set(names)];
}

export function draw(data, route, reader) {
  if (!data.plant) return [heading(t("reports.title")), h("p.note", t("overview.nothing"))];
  const { report, plant, date, shift, shifts } = data;
  const zone = report.zone ?? zoneOf(plant);
  const name = shift ? t("reports.shift", { shift }) : t("reports.day");
  return [
    heading(`${name} ${plant}`, {
      filter: [data.asked.line, dateOf(date)],
      period: period(report.from, report.to, zone),
      fresh: report.fresh,
    }),
    quick(data, route),
    filters(
      { ...route, query: { plant, date, shift: shift ?? "", by: "", line: route.query.line } },
      [
        {
          name: "plant",
          label: t("col.plant"),
          options: reader.plants.map((one) => ({ value: one.plant, text: one.plant })),
          needed: true,
        },
        { name: "date", label: t("reports.date"), type: "date" },
        {
          name: "shift",
          label: t("col.shift"),
          options: shifts.map((one) => ({ value: one, text: one })),
        },
        { name: "line", label: t("col.line") },
      ],
    ),
    h(
      "p.verdict",
      { "data-key": "complete", "data-exact": String(report.complete) },
      t(report.complete ? "reports.complete" : "reports.incomplete"),
    ),
    report.problems.length
      ? h(
          "ul.note",
          { "data-key": "problems" },
          report.problems.map((one) => h("li", one)),
        )
      : null,
    totals(report),
    section(t("reports.lines"), rowsOf(report, shift)),
    pareto(report.pareto),
    h(
      "div.actions",
      { "data-key": "files" },
      csv(data.path, data.asked, `${plant}-${date}-${shift ?? "day"}`),
    ),
    json(report),
  ];
}

const dateOf = (date) => written(`${date}T00:00:00Z`, "UTC", "date");

/** What is asked for most: yesterday's and today's shifts, each a click. */
function quick({ plant, shifts, date, shift, newest }, route) {
  const zone = zoneOf(plant);
  const days = [
    [dateIn(zone, -1), t("reports.yesterday")],
    [dateIn(zone), t("reports.today")],
  ];
  if (newest < days[0][0]) days.push([newest, t("reports.newest")]);
  const link = (day, name, by) =>
    h(
      "a",
      {
        href: to("reports", [], { plant, line: route.query.line, date: day, ...by }),
        "aria-current": day === date && (by.shift ?? null) === shift ? "true" : null,
      },
      name,
    );
  return h(
    "div.quick",
    { "data-key": "quick" },
    days.map(([day, text]) =>
      h(
        "nav.tabs",
        { "aria-label": text, "data-key": day },
        h("span", text),
        shifts.map((name) => link(day, name, { shift: name })),
        link(day, t("reports.whole"), { by: "day" }),
      ),
    ),
  );
}

function totals({ totals: all }) {
  const kpis = Object.entries(all.kpis ?? {});
  return section(
    t("reports.totals"),
    h(
      "div.tiles",
      h("article.tile", { "aria-label": t("col.made") }, h("h3", t("col.made")), made(all.made)),
      h(
        "article.tile",
        { "aria-label": t("col.stopped") },
        h("h3", t("col.stopped")),
        facts([
          [
            t("line.unplanned"),
            h("b", { "data-some": String(some(all.down_seconds)) }, duration(all.down_seconds)),
          ],
          [t("line.planned"), duration(all.planned_down_seconds)],
        ]),
      ),
      kpis.length
        ? h(
            "article.tile.wide",
            { "aria-label": t("reports.kpis") },
            h("h3", t("reports.kpis")),
            facts(kpis.map(([name, one]) => [word("kpi", name), ratio(one)])),
          )
        : null,
    ),
  );
}

/** A row for each line and unit; what is of time stands once a line. */
function rowsOf(report, shift) {
  const kpis = KPIS.filter((name) => report.rows.some((row) => row[name] !== null));
  return table(
    t("reports.lines"),
    [
      { title: t("col.line"), head: true, cell: (row) => lineLink(row.plant, row.line) },
      shift ? null : { title: t("col.shift"), cell: (row) => row.shift ?? "–" },
      ...["good", "scrap", "rework"].map((name) => ({
        title: t(`made.${name}Label`),
        number: true,
        cell: (row) => (row[name] === null ? "–" : quantity(row[name], row.uom)),
      })),
      ...kpis.map((name) => ({
        title: word("kpi", name),
        number: true,
        cell: (row) => percent(row[name]),
      })),
      {
        title: t("line.unplanned"),
        number: true,
        cell: (row) =>
          h("span", { "data-some": String(some(row.down_seconds)) }, duration(row.down_seconds)),
      },
      { title: t("line.planned"), number: true, cell: (row) => duration(row.planned_down_seconds) },
      { title: t("reports.busy"), number: true, cell: (row) => duration(row.busy_seconds) },
      { title: t("col.complete"), cell: (row) => t(row.complete ? "yes" : "no") },
    ],
    report.rows,
    { key: (row) => [row.line, row.shift, row.from, row.uom].join("|") },
  );
}

const percent = (value) => (value === null ? "–" : `${number(value, 2)}\u00a0%`);
