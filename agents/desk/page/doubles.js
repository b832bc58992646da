// Possible double bookings: the same source and id accepted on two lines, with the reversal that would mend it.

import { get } from "./api.js";
import { h } from "./dom.js";
import { filters, heading, pager, told } from "./parts.js";
import * as rows from "./rows.js";
import { t } from "./texts.js";

export const load = ({ query }, signal) => get("/double-bookings", query, signal);

export function draw({ items, next, fresh }, route, reader) {
  const { query } = route;
  return [
    heading(t("doubles.title"), {
      fresh,
      filter: told(query, { plant: t("col.plant"), from: t("col.from"), to: t("col.before") }),
    }),
    h("p.note", { "data-key": "why" }, t("doubles.why")),
    filters(route, [
      {
        name: "plant",
        label: t("col.plant"),
        options: reader.plants.map(({ plant }) => ({ value: plant, text: plant })),
      },
      { name: "from", label: t("col.from"), type: "date" },
      { name: "to", label: t("col.before"), type: "date" },
    ]),
    items.length ? doubles(items) : h("p.note", { "data-key": "none" }, t("doubles.none")),
    pager(route, next, { path: "/double-bookings", query, name: "double-bookings" }),
  ];
}

/** Each pair with its events and a way to the reversal. */
export function doubles(list, level = "h2") {
  return h(
    "div.doubles",
    { "data-key": "doubles" },
    list.map((one) =>
      h(
        "article.story",
        { "data-key": `${one.source}|${one.id}`, "aria-label": one.id },
        h(level, `${one.source} `, h("b", one.id)),
        h(
          "p",
          { "data-same": String(one.same_data) },
          t(one.same_data ? "doubles.same" : "doubles.differ"),
        ),
        rows.events(t("doubles.events", { id: one.id }), one.events),
        one.suggested_reversal
          ? h("button", { type: "button", onclick: () => prepare(one) }, t("doubles.prepare"))
          : null,
      ),
    ),
  );
}

/** Show the reversal that would take one of the two back, to be sent by the system that booked it. */
function prepare({ id, suggested_reversal: reversal }) {
  const text = JSON.stringify(reversal, null, 2);
  const told = h("p.note", { role: "status" });
  const dialog = h(
    "dialog",
    { "aria-labelledby": "reversal-title" },
    h("h2", { id: "reversal-title" }, t("doubles.reversal", { id })),
    h("p", t("doubles.how")),
    h("pre", { tabindex: "0", role: "group", "aria-label": t("doubles.prepare") }, text),
    h(
      "div.actions",
      h(
        "button.primary",
        {
          type: "button",
          onclick: async () => {
            try {
              await navigator.clipboard.writeText(text);
              told.textContent = t("doubles.copied");
            } catch {
              told.textContent = t("doubles.byHand");
            }
          },
        },
        t("doubles.copy"),
      ),
      h(
        "button",
        { type: "button", onclick: () => save(text, `reversal-${id}.json`) },
        t("doubles.save"),
      ),
      h("button", { type: "button", onclick: () => dialog.close() }, t("act.close")),
    ),
    told,
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name.replace(/[^\w.-]/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
