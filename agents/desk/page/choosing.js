// The list of exceptions: chosen by mouse or keyboard, and acted on, a few or all of a filter.

import { ACTS, ask } from "./acting.js";
import { h } from "./dom.js";
import { number } from "./format.js";
import { go } from "./route.js";
import * as rows from "./rows.js";
import { t, word } from "./texts.js";

/** How many: exactly, or "10000+". */
export const count = (total) => (typeof total === "number" ? number(total) : String(total ?? "–"));

/** What can be done with what is chosen, else with all of the filter. */
export function bulk(data, route, reader, kept) {
  if (!reader.may("work") && !reader.may("approve")) return h("p.note", t("exceptions.readOnly"));
  const chosen = kept.chosen;
  const some = chosen.size > 0;
  const subjects = () =>
    some
      ? { ids: [...chosen.keys()], versions: Object.fromEntries(chosen), count: chosen.size }
      : { filter: data.filter, count: data.total };
  const act = async (name) => {
    const changed = await ask(name, subjects(), reader.me);
    if (!changed) return;
    chosen.clear();
    await reader.reload();
  };
  return h(
    "div.bulk",
    { "data-key": "bulk", role: "group", "aria-label": t("exceptions.acts") },
    h(
      "p",
      { role: "status" },
      some
        ? t("exceptions.chosen", { n: number(chosen.size) })
        : t("exceptions.allOfFilter", { n: count(data.total) }),
    ),
    Object.keys(ACTS)
      .filter((name) => reader.may(ACTS[name].scope) && offered(name, data.asked.status))
      .map((name) =>
        h(
          "button",
          {
            type: "button",
            "data-key": name,
            disabled: !data.items.length,
            onclick: () => act(name),
          },
          t(`act.${name}`),
        ),
      ),
    some
      ? h(
          "button",
          {
            type: "button",
            onclick: () => {
              chosen.clear();
              reader.redraw();
            },
          },
          t("exceptions.none"),
        )
      : null,
    h("p.note.keys", t("exceptions.keys")),
  );
}

/** To approve or to reject there is only what was asked for. */
const offered = (name, status) =>
  ["approve", "reject"].includes(name)
    ? !status || status === "asked"
    : status !== "asked" || name !== "resend";

/** The list, a box before each row. */
export function list(data, reader, kept) {
  const { chosen } = kept;
  const choose = (one, wanted) => {
    if (wanted) chosen.set(one.id, one.version);
    else chosen.delete(one.id);
  };
  const all = data.items.length > 0 && data.items.every((one) => chosen.has(one.id));
  const box = {
    title: t("exceptions.choose"),
    cell: (one) =>
      h("input.choose", {
        type: "checkbox",
        "data-controlled": true,
        checked: chosen.has(one.id),
        "aria-label": `${t("exceptions.choose")} ${word("code", one.code)} ${one.event_id ?? one.id}`,
        onchange: (event) => {
          choose(one, event.target.checked);
          reader.redraw();
        },
        onkeydown: (event) => move(event, one, choose, reader),
      }),
  };
  const table = rows.exceptions(
    t("exceptions.list"),
    data.items,
    reader.may("work") || reader.may("approve") ? [box] : [],
  );
  const head = table.querySelector("thead th");
  if (reader.may("work")) {
    head.replaceChildren(
      h("input", {
        type: "checkbox",
        "data-controlled": true,
        checked: all,
        indeterminate: !all && data.items.some((one) => chosen.has(one.id)),
        "aria-label": t("exceptions.chooseAll"),
        onchange: (event) => {
          for (const one of data.items) choose(one, event.target.checked);
          reader.redraw();
        },
      }),
    );
  }
  return table;
}

/** Arrows (or j, k) go from row to row, with Shift they choose on the way, Enter opens. */
function move(event, one, choose, reader) {
  const step = { ArrowDown: 1, j: 1, J: 1, ArrowUp: -1, k: -1, K: -1 }[event.key];
  if (event.key === "Enter") {
    event.preventDefault();
    go("exception", [], { id: one.id });
  }
  if (!step) return;
  event.preventDefault();
  const boxes = [...document.querySelectorAll("input.choose")];
  const next = boxes[boxes.indexOf(event.target) + step];
  if (event.shiftKey) {
    choose(one, true);
    if (next && !next.checked) next.click();
    else reader.redraw();
  }
  next?.focus();
}
