// The exceptions desk: what was refused, by filter, with what is most frequent and how old it is, and acts on many.

import { get } from "./api.js";
import { bulk, count, list } from "./choosing.js";
import { h } from "./dom.js";
import { ago, number } from "./format.js";
import { choices, filters, heading, pager, section, table, told } from "./parts.js";
import { to } from "./route.js";
import { t, word } from "./texts.js";

const CODES = [
  "malformed",
  "invalid",
  "unknown_type",
  "key_mismatch",
  "from_the_future",
  "too_old",
  "key_conflict",
  "unknown_reversal",
  "not_reversible",
  "reversal_mismatch",
  "already_reversed",
  "episode_conflict",
  "hold_conflict",
  "unknown_master",
  "order_closed",
];
const STATUSES = ["open", "asked", "resent", "resolved", "refused_again", "dismissed"];
const AGES = [
  [3_600, "1h"],
  [28_800, "8h"],
  [86_400, "1d"],
  [604_800, "7d"],
];

export async function load({ query }, signal) {
  const asked = { status: "open", ...query };
  if (asked.status === "all") delete asked.status;
  const { cursor: _, sort: __, limit: ___, ...filter } = asked;
  const [list, reasons, ageing] = await Promise.all([
    get("/exceptions", asked, signal),
    get("/exceptions/reasons", filter, signal),
    get("/exceptions/ageing", { plant: query.plant }, signal),
  ]);
  return { ...list, asked, filter, reasons: reasons.items, ageing: ageing.items };
}

/** Under another filter nothing is chosen: nobody acts on rows that they don't see. */
export const moved = (kept) => kept.chosen?.clear();

/** While somebody chooses, rows don't move under their hands. */
export const still = (kept) => Boolean(kept.chosen?.size);

export function draw(data, route, reader, kept) {
  kept.chosen ??= new Map();
  const labels = {
    plant: t("col.plant"),
    line: t("col.line"),
    code: "",
    class: "",
    source: t("col.source"),
    type: "",
    assigned_to: t("col.assigned"),
    order: t("col.order"),
    lot: t("col.lot"),
    text: t("col.text"),
  };
  const words = {
    ...route.query,
    code: route.query.code && word("code", route.query.code),
    class: route.query.class && word("class", route.query.class),
    type: route.query.type && word("type", route.query.type),
  };
  return [
    heading(t("exceptions.title"), {
      fresh: data.fresh,
      filter: [
        data.asked.status ? word("status", data.asked.status) : t("filter.all"),
        ...told(words, labels),
      ],
    }),
    form(route, reader),
    h(
      "div.beside",
      { "data-key": "beside" },
      ageing(data.ageing, route),
      reasons(data.reasons, route),
    ),
    h(
      "section",
      { "data-key": "list" },
      h(
        "h2",
        t("exceptions.list"),
        h("small", ` ${t("exceptions.count", { n: count(data.total) })}`),
      ),
      bulk(data, route, reader, kept),
      list(data, reader, kept),
      pager(route, data.next, { path: "/exceptions", query: data.asked, name: "exceptions" }),
    ),
  ];
}

function ageing(list, route) {
  const link = (one, name, query) =>
    h(
      "a",
      { href: to("exceptions", [], { plant: route.query.plant, class: one.class, ...query }) },
      number(one.buckets[name]),
    );
  return section(
    t("ageing.title"),
    table(
      t("ageing.title"),
      [
        {
          title: t("col.class"),
          head: true,
          cell: (one) =>
            h(
              "a",
              { href: to("exceptions", [], { plant: route.query.plant, class: one.class }) },
              word("class", one.class),
            ),
        },
        { title: t("ageing.open"), number: true, cell: (one) => number(one.open) },
        {
          title: t("ageing.overdue"),
          number: true,
          cell: (one) =>
            h("span", { "data-overdue": String(one.overdue > 0) }, number(one.overdue)),
        },
        ...AGES.map(([seconds, name], at) => ({
          title: t(`ageing.${name}`),
          number: true,
          cell: (one) => link(one, name, { age_max: seconds, age_min: at ? AGES[at - 1][0] : "" }),
        })),
        {
          title: t("ageing.older"),
          number: true,
          cell: (one) => link(one, "older", { age_min: AGES.at(-1)[0] }),
        },
        { title: t("ageing.oldest"), cell: (one) => ago(one.oldest) },
      ],
      list,
      { key: (one) => one.class },
    ),
  );
}

const form = (route, reader) =>
  filters({ ...route, query: { status: "open", sort: "oldest", ...route.query } }, [
    {
      name: "plant",
      label: t("col.plant"),
      options: reader.plants.map(({ plant }) => ({ value: plant, text: plant })),
    },
    { name: "line", label: t("col.line") },
    {
      name: "status",
      label: t("col.status"),
      options: [...choices("status", STATUSES), { value: "all", text: t("status.all") }],
    },
    {
      name: "class",
      label: t("col.class"),
      options: choices("class", ["data", "business", "technical"]),
    },
    { name: "code", label: t("col.code"), options: choices("code", CODES) },
    { name: "source", label: t("col.source") },
    { name: "assigned_to", label: t("col.assigned") },
    { name: "text", label: t("col.text") },
    {
      name: "sort",
      label: t("filter.sort"),
      options: choices("sort", ["oldest", "newest"]),
      needed: true,
    },
  ]);

function reasons(list, route) {
  return section(
    t("reasons.title"),
    table(
      t("reasons.title"),
      [
        { title: t("col.count"), number: true, cell: (one) => number(one.count) },
        {
          title: t("col.code"),
          cell: (one) =>
            h(
              "a",
              { href: to("exceptions", [], { ...route.query, cursor: "", code: one.code }) },
              word("code", one.code),
            ),
        },
        { title: t("col.reason"), head: true, cell: (one) => one.reason },
        { title: t("ageing.oldest"), cell: (one) => ago(one.oldest) },
      ],
      list,
      { key: (one) => `${one.code}|${one.reason}` },
    ),
  );
}
