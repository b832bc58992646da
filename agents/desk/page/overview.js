// The overview: plants, their lines now, the shift so far, and totals that add up.

import { get } from "./api.js";
import { h } from "./dom.js";
import { ago, duration, made, number, period, quantity, some, time } from "./format.js";
import { bar, heading, lineLink, orderLink, section, state, table } from "./parts.js";
import { to } from "./route.js";
import { totals as adding } from "./totals.js";
import { t, word } from "./texts.js";

const STATES = ["unplanned_stop", "silent", "unknown", "planned_stop", "running"];
const LINES_MAX = 200; // drawn at once; the rest is found by the filter

/** Lines first: the totals come when they are added up. */
export async function load({ query }, signal, reader, kept) {
  const { plant } = query;
  const told = (totals) => {
    if (signal.aborted) return;
    kept.totals = { ...totals, plant };
    reader.redraw();
  };
  get("/totals", { plant }, signal).then(told, (error) => told({ failed: error.message }));
  const seen = await get("/overview", { plant }, signal);
  if (!plant) reader.learn(seen);
  return seen;
}

export function draw({ fresh, plants, lines }, { query }, reader, kept) {
  const totals = kept.totals?.plant === query.plant ? kept.totals : null;
  return [
    heading(t("overview.title"), {
      fresh,
      filter: [query.plant, query.state && word("state", query.state)],
    }),
    plants.length ? null : h("p.note", t("overview.nothing")),
    h(
      "div.tiles",
      { "data-key": "plants" },
      plants.map((plant) => tile(plant, query)),
    ),
    linesNow(lines, query, reader, kept),
    adding(totals, query),
  ];
}

function tile(plant, query) {
  const link = (name, count) =>
    h(
      "a",
      {
        href: to("overview", [], { plant: plant.plant, state: name }),
        "data-state": name,
        "data-some": String(count > 0),
      },
      h("b", number(count)),
      ` ${word("state", name)}`,
    );
  const counts = {
    ...plant,
    unknown:
      plant.lines -
      STATES.filter((one) => one !== "unknown").reduce((sum, one) => sum + plant[one], 0),
  };
  return h(
    "article.tile",
    { "data-key": plant.plant, "aria-label": t("overview.plant", { plant: plant.plant }) },
    h(
      "h2",
      h(
        "a",
        { href: to("overview", [], { plant: query.plant === plant.plant ? "" : plant.plant }) },
        plant.plant,
      ),
      h("small", ` ${t("overview.lines", { n: number(plant.lines) })} · ${plant.zone}`),
    ),
    h(
      "ul.states",
      ["running", "planned_stop", "unplanned_stop", "silent", "unknown"].map((name) =>
        h("li", { "data-key": name }, link(name, counts[name])),
      ),
    ),
    h(
      "p",
      h(
        "a",
        {
          href: to("exceptions", [], { plant: plant.plant, status: "open" }),
          "data-some": String(plant.exceptions_open > 0),
        },
        t("overview.exceptions", { n: number(plant.exceptions_open) }),
      ),
      " · ",
      h(
        "a",
        { href: to("holds", [], { plant: plant.plant, active: "true" }) },
        t("overview.parked", { n: number(plant.parked) }),
      ),
    ),
  );
}

function linesNow(lines, query, reader, kept) {
  const text = (kept.text ?? "").toLowerCase();
  const found = lines
    .filter(
      (one) =>
        (!query.state || one.state === query.state) &&
        [
          one.plant,
          one.line,
          `${one.plant}/${one.line}`,
          word("state", one.state),
          one.reason ?? "",
          ...one.orders,
        ].some((part) => part.toLowerCase().includes(text)),
    )
    .sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state));
  const shown = found.slice(0, LINES_MAX);
  return section(
    t("overview.now"),
    h(
      "div.filters",
      { "data-key": "filter" },
      h(
        "label",
        h("span", t("overview.filter")),
        h("input", {
          type: "search",
          id: "lines-filter",
          value: kept.text ?? "",
          autocomplete: "off",
          oninput: (event) => {
            kept.text = event.target.value;
            reader.redraw();
          },
        }),
      ),
      query.state || query.plant ? h("a.clear", { href: "#/" }, t("filter.clear")) : null,
      h(
        "p.note",
        { role: "status" },
        t("overview.shown", { n: number(shown.length), of: number(found.length) }),
      ),
    ),
    table(
      t("overview.now"),
      [
        { title: t("col.line"), head: true, cell: (one) => lineLink(one.plant, one.line) },
        { title: t("col.state"), cell: now },
        { title: t("col.shift"), cell: shift },
        { title: t("col.stopped"), cell: stopped },
        {
          title: t("col.orders"),
          cell: (one) =>
            one.orders.length
              ? one.orders.map((order, at) => [at ? ", " : "", orderLink(one.plant, order)])
              : "–",
        },
        {
          title: t("col.exceptions"),
          number: true,
          cell: (one) =>
            one.exceptions_open
              ? h(
                  "a.warn",
                  {
                    href: to("exceptions", [], {
                      plant: one.plant,
                      line: one.line,
                      status: "open",
                    }),
                  },
                  number(one.exceptions_open),
                )
              : "0",
        },
        { title: t("col.parked"), number: true, cell: (one) => number(one.parked) },
        {
          title: t("col.heard"),
          cell: (one) => h("span", { title: one.last_arrival ?? "" }, ago(one.last_arrival)),
        },
      ],
      shown,
      { key: (one) => `${one.plant}/${one.line}`, mark: (one) => ({ "data-state": one.state }) },
    ),
  );
}

function now(one) {
  const since = one.lasted_seconds !== null
    ? t("overview.since", { ago: duration(one.lasted_seconds) })
    : "";
  return [
    state(one.state),
    h("small.quiet", ` ${[since, one.work_unit, one.reason].filter(Boolean).join(" · ")}`),
  ];
}

function shift(one) {
  if (!one.shift) return made(one.made);
  return h(
    "div",
    { title: period(one.shift.from, one.shift.to, "UTC") },
    h(
      "small.quiet",
      `${one.shift.name} `,
      time(one.shift.from, one.plant, "time"),
      "–",
      time(one.shift.to, one.plant, "time"),
    ),
    one.planned?.length
      ? one.planned.map((plan) => against(plan, one.made))
      : h("div", made(one.made)),
  );
}

/** What was made of a plan's unit, against the plan; units stay apart. */
export function against(plan, list) {
  const good = list.find((one) => one.uom === plan.uom)?.good ?? "0";
  const words = t("overview.ofPlan", {
    good: quantity(good, ""),
    plan: quantity(plan.quantity, plan.uom),
  });
  return h(
    "div.against",
    { "data-key": plan.uom },
    bar(good, plan.quantity, words),
    h("span", words),
  );
}

function stopped(one) {
  return [
    h("span", { "data-some": String(some(one.down_seconds)) }, duration(one.down_seconds)),
    some(one.planned_down_seconds)
      ? h(
          "small.quiet",
          ` + ${t("overview.planned", { time: duration(one.planned_down_seconds) })}`,
        )
      : null,
  ];
}
