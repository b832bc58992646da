// Acts on exceptions, in a dialog: why, what would become of each, and only then what is done.

import { post } from "./api.js";
import { h } from "./dom.js";
import { number } from "./format.js";
import { table } from "./parts.js";
import { to } from "./route.js";
import { t, word } from "./texts.js";

/** Acts with the scope that they take; `judged`: tried first, without sending anything. */
export const ACTS = {
  resend: { scope: "work", judged: true },
  dismiss: { scope: "work", why: true },
  assign: { scope: "work" },
  comment: { scope: "work", why: true },
  approve: { scope: "approve", judged: true },
  reject: { scope: "approve", why: true },
};

/** A batch's name: who sends it twice, by a second click or a lost answer, does it once. */
export function batchName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (one) =>
    one.toString(16).padStart(2, "0"),
  ).join("");
}

/** Ask for an act on `subjects` ({ids, versions} or {filter}, with `count`); resolves to whether anything was done. */
export function ask(act, subjects, me) {
  return new Promise((resolve) => {
    let done = false;
    const batch = batchName();
    const result = h("div", { id: "act-result", role: "status" });
    const needsDry = Boolean(ACTS[act].judged || subjects.filter);
    const doing = h("button.primary", { type: "submit", disabled: needsDry }, t(`act.do.${act}`));
    const dialog = h(
      "dialog",
      { "aria-labelledby": "act-title" },
      h(
        "form.stack",
        {
          onsubmit: (event) => {
            event.preventDefault();
            run(false);
          },
        },
        h("h2", { id: "act-title" }, t(`act.title.${act}`, { n: number(subjects.count) })),
        subjects.filter
          ? h(
              "p.filtered",
              t("act.filter", {
                filter:
                  Object.entries(subjects.filter)
                    .map(([name, value]) => `${name} = ${value}`)
                    .join(", ") || t("filter.all"),
              }),
            )
          : null,
        act === "assign"
          ? [
              h("label", { for: "act-to" }, t("act.to")),
              h("input", { id: "act-to", name: "to", value: me.name, autocomplete: "off" }),
            ]
          : null,
        h("label", { for: "act-why" }, t(ACTS[act].why ? "act.why" : "act.whyOptional")),
        h("input", {
          id: "act-why",
          name: "why",
          required: Boolean(ACTS[act].why),
          autocomplete: "off",
        }),
        h(
          "div.actions",
          needsDry ? h("button", { type: "button", onclick: () => run(true) }, t("act.try")) : null,
          doing,
          h("button", { type: "button", onclick: () => dialog.close() }, t("act.close")),
        ),
        needsDry ? h("p.note", t("act.tryFirst")) : null,
        result,
      ),
    );

    async function run(dry) {
      const form = Object.fromEntries(new FormData(dialog.querySelector("form")));
      doing.disabled = true;
      result.replaceChildren(h("p.note", t("page.loading")));
      try {
        const answer = await send(act, subjects, {
          why: form.why || null,
          to: form.to ?? null,
          dry_run: dry,
          batch: dry ? null : batch,
        });
        result.replaceChildren(outcome(answer));
        if (dry) doing.disabled = !answer.items.length;
        else done = true;
      } catch (error) {
        result.replaceChildren(h("p.wrong", error.message));
        doing.disabled = needsDry;
      }
    }

    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Send an act; members that it doesn't have are null. */
export const send = (act, { ids = null, filter = null, versions = null }, more) =>
  post("/exceptions/act", {
    ids,
    filter,
    act,
    why: null,
    versions,
    value: null,
    key: null,
    to: null,
    dry_run: false,
    batch: null,
    ...more,
  });

/** What became, or would become, of each: how many of which result, and each by itself. */
export function outcome(answer) {
  const counts = new Map();
  for (const { result } of answer.items) counts.set(result, (counts.get(result) ?? 0) + 1);
  return h(
    "div",
    h("p.first", answer.dry_run ? t("act.would") : t("act.done", { n: number(answer.done) })),
    h(
      "ul.counts",
      [...counts].map(([result, n]) =>
        h("li", { "data-result": result }, h("b", number(n)), ` ${word("result", result)}`),
      ),
    ),
    answer.items.length ? null : h("p.note", t("act.none")),
    h(
      "details",
      { open: answer.items.length <= 5 },
      h("summary", t("act.each")),
      table(
        t("act.each"),
        [
          {
            title: t("col.exception"),
            head: true,
            cell: (one) => h("a.id", { href: to("exception", [], { id: one.id }) }, one.id),
          },
          {
            title: t("col.result"),
            cell: (one) => h("span", { "data-result": one.result }, word("result", one.result)),
          },
          {
            title: t("col.reason"),
            cell: (one) => [
              one.code ? `${word("code", one.code)}: ` : "",
              one.reason ?? (one.code ? "" : "–"),
            ],
          },
        ],
        answer.items.slice(0, 200),
        { key: (one) => one.id },
      ),
    ),
  );
}
