// One line: its state over time, its stops, its rates, its open windows, and what is refused of it.

import { get, part } from "./api.js";
import { timeline } from "./charts.js";
import { h } from "./dom.js";
import { ago, duration, made, number, period, quantity, some, time, zoneOf } from "./format.js";
import { against } from "./overview.js";
import { bar, facts, heading, orderLink, section, state, table } from "./parts.js";
import { to } from "./route.js";
import { rates } from "./rates.js";
import * as rows from "./rows.js";
import { t, word } from "./texts.js";

const SPANS = [
  ["8h", 8],
  ["24h", 24],
  ["3d", 72],
  ["7d", 168],
];

export async function load({ parts, query }, signal) {
  const hours = SPANS.find(([name]) => name === query.last)?.[1];
  const from = hours
    ? new Date(Date.now() - hours * 3_600_000).toISOString().replace(/\.\d+/, "")
    : query.from;
  return get(`/lines/${parts.map(part).join("/")}`, { from, to: query.to }, signal);
}

export function draw(one, route) {
  const zone = zoneOf(one.plant);
  return [
    heading(`${t("line.title")} ${one.plant}/${one.line}`, {
      fresh: one.fresh,
      period: period(one.from, one.to, zone),
    }),
    h(
      "p.now",
      { "data-key": "now" },
      state(one.state),
      " ",
      one.lasted_seconds === null
        ? ""
        : t("overview.since", { ago: duration(one.lasted_seconds) }),
      one.work_unit ? ` · ${one.work_unit}` : "",
      one.reason ? ` · ${one.reason}` : "",
      " · ",
      t("line.heard", { ago: ago(one.last_arrival) }),
    ),
    spans(route),
    h("div.tiles", { "data-key": "tiles" }, tiles(one)),
    section(
      t("line.states"),
      one.timeline.length
        ? timeline(t("line.states"), one.timeline, one.from, one.to, zone)
        : h("p.note", t("line.noStates")),
      legend(),
      stops(one),
    ),
    pareto(one.pareto),
    rates(one, zone),
    units(one),
    windows(one),
    section(
      t("line.exceptions"),
      rows.exceptions(t("line.exceptions"), one.exceptions),
      h(
        "p",
        h(
          "a",
          { href: to("exceptions", [], { plant: one.plant, line: one.line }) },
          t("line.allExceptions"),
        ),
      ),
    ),
    section(t("line.holds"), rows.holds(t("line.holds"), one.holds)),
  ];
}

function spans({ name, parts, query }) {
  const links = [["", t("line.shift")], ...SPANS.map(([span]) => [span, t(`line.${span}`)])];
  return h(
    "nav.tabs",
    { "aria-label": t("line.period"), "data-key": "spans" },
    links.map(([span, text]) =>
      h(
        "a",
        {
          href: to(name, parts, { last: span }),
          "aria-current": (query.last ?? "") === span ? "true" : null,
        },
        text,
      ),
    ),
  );
}

function tiles(one) {
  const tile = (title, ...children) =>
    h("article.tile", { "data-key": title, "aria-label": title }, h("h2", title), ...children);
  return [
    tile(
      one.shift ? t("line.soFar", { shift: one.shift.name }) : t("line.made"),
      one.planned?.length ? one.planned.map((plan) => against(plan, one.made)) : null,
      made(one.made),
    ),
    tile(
      t("line.stops"),
      facts([
        [
          t("line.unplanned"),
          h("b", { "data-some": String(some(one.down_seconds)) }, duration(one.down_seconds)),
        ],
        [t("line.planned"), duration(one.planned_down_seconds)],
      ]),
    ),
    tile(
      t("line.work"),
      facts([
        [
          t("col.orders"),
          one.orders.length
            ? one.orders.map((order, at) => [at ? ", " : "", orderLink(one.plant, order)])
            : "–",
        ],
        [t("col.exceptions"), number(one.exceptions_open)],
        [t("col.parked"), number(one.parked)],
      ]),
    ),
    tile(
      t("line.complete"),
      facts([
        [t("line.closed"), time(one.closed_to, one.plant)],
        [t("line.behind"), duration(one.behind_seconds)],
      ]),
    ),
  ];
}

const legend = () =>
  h(
    "ul.legend",
    ["running", "planned_stop", "unplanned_stop", "waiting", "halted", "silent"].map((name) =>
      h("li", { "data-state": name }, word("state", name)),
    ),
  );

const stops = (one) =>
  h(
    "details",
    { "data-key": "stops" },
    h("summary", t("line.asTable")),
    table(
      t("line.states"),
      [
        { title: t("col.from"), head: true, cell: (band) => time(band.from, one.plant) },
        {
          title: t("col.to"),
          cell: (band) => (band.to ? time(band.to, one.plant) : t("timeline.still")),
        },
        { title: t("col.workUnit"), cell: (band) => band.work_unit ?? "–" },
        { title: t("col.state"), cell: (band) => word("state", band.state) },
        { title: t("col.planned"), cell: (band) => word("planned", band.planned) },
        { title: t("col.reason"), cell: (band) => band.reason ?? "–" },
      ],
      one.timeline,
    ),
  );

export function pareto(list, title = t("line.pareto")) {
  const most = Math.max(...list.map((one) => Number(one.seconds)), 1);
  return section(
    title,
    table(
      title,
      [
        { title: t("col.reason"), head: true, cell: (one) => one.reason ?? "–" },
        list.some((one) => one.work_unit)
          ? { title: t("col.workUnit"), cell: (one) => one.work_unit ?? "–" }
          : null,
        { title: t("col.planned"), cell: (one) => word("planned", one.planned) },
        { title: t("col.stood"), number: true, cell: (one) => duration(one.seconds) },
        { title: t("col.stops"), number: true, cell: (one) => number(one.stops) },
        {
          title: t("col.share"),
          cell: (one) =>
            h(
              "span.reason",
              { "data-planned": String(one.planned) },
              bar(one.seconds, most, `${one.reason}: ${duration(one.seconds)}`),
            ),
        },
      ],
      list,
      { key: (one) => `${one.work_unit ?? ""}|${one.reason}|${one.planned}` },
    ),
  );
}

const units = (one) =>
  section(
    t("line.units"),
    table(
      t("line.units"),
      [
        { title: t("col.workUnit"), head: true, cell: (unit) => unit.work_unit },
        { title: t("col.state"), cell: (unit) => word("state", unit.state) },
        { title: t("col.since"), cell: (unit) => time(unit.since, one.plant) },
        { title: t("col.reason"), cell: (unit) => unit.reason ?? "–" },
      ],
      one.units,
      { key: (unit) => unit.work_unit },
    ),
  );

const windows = (one) =>
  section(
    t("line.windows"),
    h("p.note", t("line.windowsWhy")),
    table(
      t("line.windows"),
      [
        { title: t("col.type"), head: true, cell: (open) => word("type", open.type) },
        {
          title: t("col.window"),
          cell: (open) => [
            time(open.window_start, one.plant, "time"),
            "–",
            time(open.window_end, one.plant, "time"),
          ],
        },
        {
          title: t("col.accepted"),
          cell: (open) =>
            open.accepted
              .map((sum) =>
                sum.measure === "seconds" ? duration(sum.value) : quantity(sum.value, sum.uom),
              )
              .join(" · "),
        },
      ],
      one.open_windows,
      { key: (open) => `${open.type}|${open.window_start}` },
    ),
  );
