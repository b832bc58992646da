// Master data as lineside knows them.

import { get } from "./api.js";
import { h } from "./dom.js";
import { number, time } from "./format.js";
import { filters, heading, json, pager, table, told } from "./parts.js";
import { to } from "./route.js";
import { t, word } from "./texts.js";

export async function load({ query }, signal) {
  const [list, kinds] = await Promise.all([
    get("/reference", query, signal),
    get("/reference/kinds", { plant: query.plant }, signal),
  ]);
  return { ...list, kinds: kinds.items };
}

export function draw({ items, next, kinds, fresh }, route, reader) {
  const { query } = route;
  return [
    heading(t("reference.title"), {
      fresh,
      filter: [
        query.kind && word("reference", query.kind),
        ...told(query, { plant: t("col.plant"), text: t("col.text") }),
      ],
    }),
    h(
      "nav.tabs",
      { "aria-label": t("reference.kinds"), "data-key": "kinds" },
      h(
        "a",
        {
          href: to("reference", [], { ...query, kind: "", cursor: "" }),
          "aria-current": query.kind ? null : "true",
        },
        t("filter.all"),
      ),
      kinds.map(({ kind, count }) =>
        h(
          "a",
          {
            href: to("reference", [], { ...query, kind, cursor: "" }),
            "aria-current": query.kind === kind ? "true" : null,
            "data-key": kind,
          },
          `${word("reference", kind)} `,
          h("small.count", number(count)),
        ),
      ),
    ),
    filters(route, [
      {
        name: "plant",
        label: t("col.plant"),
        options: reader.plants.map(({ plant }) => ({ value: plant, text: plant })),
      },
      { name: "text", label: t("col.text") },
    ]),
    table(
      t("reference.title"),
      [
        { title: t("col.kind"), cell: (one) => word("reference", one.kind) },
        { title: t("col.plant"), cell: (one) => one.plant },
        {
          title: t("col.id"),
          head: true,
          cell: (one) => [
            one.id,
            one.deleted ? h("small.warn", ` ${t("reference.deleted")}`) : null,
          ],
        },
        { title: t("col.says"), cell: (one) => says(one.data) },
        { title: t("col.source"), cell: (one) => one.source ?? "–" },
        { title: t("col.said"), cell: (one) => time(one.said_at, one.plant) },
        { title: t("json.title"), cell: (one) => json(one.data) },
      ],
      items,
      { key: (one) => `${one.kind}|${one.plant}|${one.id}` },
    ),
    pager(route, next, { path: "/reference", query, name: "master-data" }),
  ];
}

const SHOWN_MAX = 160; // letters: the rest is in the JSON

function says(data) {
  const text = Object.entries(data ?? {})
    .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" · ");
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text || "–";
}
