// Quality holds, and the events that they keep from the ERP.

import { get } from "./api.js";
import { h } from "./dom.js";
import { filters, heading, pager, section, told } from "./parts.js";
import { to } from "./route.js";
import * as rows from "./rows.js";
import { t } from "./texts.js";

export async function load({ query }, signal) {
  const { hold, line, ...asked } = query;
  const [list, parked] = await Promise.all([
    get("/holds", { ...asked, active: query.active ?? "true" }, signal),
    get("/parked", { plant: query.plant, line, hold, limit: 100 }, signal),
  ]);
  return { ...list, parked };
}

export function draw({ items, next, parked, fresh }, route, reader) {
  const { query } = route;
  return [
    heading(t("holds.title"), {
      fresh,
      filter: [
        t(query.active === "false" ? "holds.released" : "holds.active"),
        ...told(query, { plant: t("col.plant"), hold: t("col.hold"), line: t("col.line") }),
      ],
    }),
    filters(route, [
      {
        name: "plant",
        label: t("col.plant"),
        options: reader.plants.map(({ plant }) => ({ value: plant, text: plant })),
      },
      {
        name: "active",
        label: t("col.status"),
        options: [
          { value: "true", text: t("holds.active") },
          { value: "false", text: t("holds.released") },
        ],
      },
      { name: "hold", label: t("col.hold") },
    ]),
    section(
      t("holds.list"),
      rows.holds(t("holds.list"), items),
      pager(route, next, { path: "/holds", query: { plant: query.plant }, name: "holds" }),
    ),
    section(
      query.hold ? `${t("holds.parked")} ${query.hold}` : t("holds.parked"),
      h("p.note", t("holds.why")),
      rows.events(t("holds.parked"), parked.items, [
        {
          title: t("col.hold"),
          cell: (one) =>
            one.hold
              ? h("a", { href: to("holds", [], { plant: one.plant, hold: one.hold }) }, one.hold)
              : "–",
        },
      ]),
      parked.next ? h("p.note", t("holds.more")) : null,
    ),
  ];
}
