// The story of one event: what came, how it was checked, what it became, and what corrected it.

import { h } from "./dom.js";
import { duration, quantity, time, written, zoneOf } from "./format.js";
import { facts, json, lineLink, orderLink, traceLink } from "./parts.js";
import { to } from "./route.js";
import * as rows from "./rows.js";
import { t, word } from "./texts.js";

/** An event with its checks, its records and its corrections; `level` of its heading. */
export function story(one, level = "h3") {
  return h(
    "article.story",
    { "data-key": keyOf(one), "data-outcome": one.outcome, "aria-label": nameOf(one) },
    h(level, word("type", one.type), " ", rows.eventLink(one), " ", rows.outcome(one.outcome)),
    h("p", rows.content(one)),
    told(one),
  );
}

/** The same, to be folded out: a line says what it is and what became of it. */
export function folded(one) {
  const last = one.became[0]?.transaction;
  const became = one.waits_for
    ? word("waits", one.waits_for.what)
    : last
      ? word("type", last.type)
      : null;
  return h(
    "details.story",
    { "data-key": keyOf(one), "data-outcome": one.outcome },
    h(
      "summary",
      time(one.time ?? one.arrived_at, one.plant, "minute"),
      " ",
      h("b", nameOf(one)),
      " ",
      rows.outcome(one.outcome),
      ` · ${rows.content(one)}`,
      became ? h("span.quiet", ` · ${one.waits_for ? t("story.waits") : "→"} ${became}`) : null,
    ),
    h("p", rows.eventLink(one, t("story.alone"))),
    told(one),
  );
}

const keyOf = (one) => `${one.topic}/${one.partition}/${one.offset}`;
const nameOf = (one) => `${word("type", one.type)} ${one.id ?? keyOf(one)}`;

function told(one) {
  return [
    h(
      "ol.steps",
      step("came", t("story.came"), came(one)),
      step(one.outcome === "refused" ? "bad" : "good", t("story.checked"), checked(one)),
      became(one),
      one.waits_for ? step("waits", t("story.waits"), waits(one)) : null,
      ...corrections(one),
    ),
    h("details", { "data-key": "more" }, h("summary", t("story.more")), details(one)),
    json(one, t("json.title")),
  ];
}

function came(one) {
  const again = one.resent_from;
  return [
    time(one.arrived_at, one.plant),
    ` · ${one.source ?? "–"} · `,
    lineLink(one.plant, one.line),
    again
      ? h("p", `${t("story.resent")} `, h("a", { href: to("exception", [], { id: again }) }, again))
      : null,
  ];
}

function step(kind, title, ...children) {
  return h("li", { "data-step": kind, "data-key": title }, h("b", title), " ", children);
}

function checked(one) {
  const failed = one.checks.find((check) => !check.passed);
  if (one.outcome === "waiting") return t("story.notYet");
  if (one.outcome === "refused") {
    return [
      failed
        ? t("story.failed", { check: failed.check, code: word("code", failed.code) })
        : word("outcome", "refused"),
      " ",
      h(
        "a",
        { href: to("exception", [], { id: `${one.topic}/${one.partition}/${one.offset}` }) },
        t("story.toException"),
      ),
    ];
  }
  if (one.outcome === "duplicate") return t("story.duplicate");
  return t("story.passed", { n: one.checks.length });
}

function became(one) {
  if (one.became.length) {
    return step(
      "good",
      t("story.became"),
      h(
        "ul.plain",
        one.became.map(({ transaction, how }) =>
          h(
            "li",
            { "data-key": transaction.id },
            word("type", transaction.type),
            " ",
            h("b", rows.value(transaction)),
            ` · ${word("how", how)} · `,
            time(transaction.written_at ?? transaction.time, one.plant),
            " ",
            rows.transactionLink(transaction.id),
            transaction.reversed_by ? h("span.warn", ` ${t("transaction.reversed")}`) : null,
          ),
        ),
      ),
    );
  }
  if (one.outcome !== "accepted" || one.waits_for) return null;
  return step("none", t("story.became"), t("story.nothing"));
}

function waits({ waits_for: waiting, plant }) {
  return [
    word("waits", waiting.what),
    waiting.until ? [" · ", t("story.until"), " ", time(waiting.until, plant)] : null,
    waiting.hold
      ? [" · ", h("a", { href: to("holds", [], { plant, hold: waiting.hold }) }, waiting.hold)]
      : null,
  ];
}

function corrections(one) {
  return [
    one.duplicates.length
      ? step(
          "none",
          t("story.again", { n: one.duplicates.length }),
          h(
            "ul.plain",
            one.duplicates.map((other) =>
              h("li", rows.eventLink(other), " ", time(other.at ?? other.arrived_at, one.plant)),
            ),
          ),
        )
      : null,
    one.reversed_by
      ? step(
          "waits",
          t("story.reversedBy"),
          rows.eventLink(one.reversed_by),
          " ",
          time(one.reversed_by.time, one.plant),
        )
      : null,
    one.reverses
      ? step(
          "none",
          t("story.reverses"),
          rows.eventLink(one.reverses),
          " ",
          time(one.reverses.time, one.plant),
        )
      : null,
    one.summaries.length
      ? step(
          "none",
          t("story.summaries"),
          h(
            "ul.plain",
            one.summaries.map((sum) =>
              h(
                "li",
                `${word("type", sum.type)} ${written(sum.window_start, zoneOf(one.plant), "minute")}: ${Object.entries(
                  sum.values,
                )
                  .map(([name, value]) => figure(name, value, sum.row))
                  .join(", ")}`,
              ),
            ),
          ),
        )
      : null,
  ].filter(Boolean);
}

const figure = (name, value, row) =>
  `${word("measure", name)} ${["seconds", "down", "planned_down"].includes(name) ? duration(value) : quantity(value, row?.uom ?? "")}`;

function details(one) {
  return [
    facts([
      [t("col.time"), time(one.time, one.plant)],
      [t("col.order"), one.order ? orderLink(one.plant, one.order) : null],
      [t("col.operation"), one.operation],
      [t("col.item"), one.item],
      [t("col.lot"), one.lot ? traceLink(one.lot) : null],
      [t("col.serial"), one.serial ? traceLink(one.serial) : null],
      [t("col.workUnit"), one.work_unit],
      [t("col.trace"), one.trace ? traceLink(one.trace) : null],
      [t("col.where"), `${one.topic} / ${one.partition} / ${one.offset}`],
    ]),
    one.checks.length
      ? h(
          "ol.checks",
          one.checks.map((check) =>
            h(
              "li",
              { "data-passed": String(check.passed), value: check.check },
              `${word("code", check.code)}: `,
              t(
                check.passed === null
                  ? "check.unasked"
                  : check.passed
                    ? "check.passed"
                    : "check.failed",
              ),
            ),
          ),
        )
      : null,
  ];
}
