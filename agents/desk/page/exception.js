// One exception: what was refused and why, its bytes and what they are read as, its neighbours, and what to do.

import { get } from "./api.js";
import { ACTS, ask, batchName, outcome, send } from "./acting.js";
import { h } from "./dom.js";
import { time, duration } from "./format.js";
import {
  facts,
  heading,
  json,
  lineLink,
  orderLink,
  section,
  status,
  table,
  traceLink,
} from "./parts.js";
import { to } from "./route.js";
import * as rows from "./rows.js";
import { story } from "./story.js";
import { says, t, word } from "./texts.js";

const WORKED = ["open", "asked"];

export const load = ({ query }, signal) => get("/exceptions/one", { id: query.id }, signal);

/** While somebody edits, nothing is drawn anew: what they saw is what they act on. */
export const still = (kept) => Boolean(kept.edited);

export function draw(one, route, reader, kept) {
  return [
    heading(word("code", one.code), { filter: [one.id], fresh: one.fresh }),
    section(
      t("exception.what"),
      h("p.first", one.reason),
      h("p.do", h("b", `${t("exception.toDo")} `), remedy(one)),
      about(one),
    ),
    WORKED.includes(one.status) ? acts(one, reader) : null,
    fix(one, reader, kept),
    section(t("exception.came"), original(one)),
    one.became ? section(t("exception.became"), story(one.became)) : null,
    one.later.length
      ? section(t("exception.later"), rows.exceptions(t("exception.later"), one.later))
      : null,
    section(t("exception.acts"), rows.acts(t("exception.acts"), one.acts, false)),
    section(t("exception.neighbours"), neighbours(one)),
  ];
}

function about(one) {
  return facts([
    [t("col.status"), [status(one.status), one.assigned_to ? ` ${one.assigned_to}` : ""]],
    [t("col.class"), word("class", one.class)],
    [
      t("col.raised"),
      [time(one.raised_at, one.plant), h("small.quiet", ` ${duration(one.age_seconds)}`)],
    ],
    [t("col.due"), one.due_at ? rows.due(one) : null],
    [t("col.line"), one.line ? lineLink(one.plant, one.line) : one.plant],
    [t("col.event"), [word("type", one.type), " ", traceLink(one.event_id)]],
    [t("col.source"), one.source],
    [t("col.time"), one.time ? time(one.time, one.plant) : null],
    [t("col.order"), one.order ? orderLink(one.plant, one.order) : null],
    [t("col.item"), one.item],
    [t("col.lot"), one.lot ? traceLink(one.lot) : null],
    [t("col.serial"), one.serial ? traceLink(one.serial) : null],
    [
      t("exception.from"),
      one.resent_from
        ? h("a.id", { href: to("exception", [], { id: one.resent_from }) }, one.resent_from)
        : null,
    ],
    [
      t("col.where"),
      h(
        "a",
        { href: to("event", [one.topic, one.partition, one.offset]) },
        `${one.topic} / ${one.partition} / ${one.offset}`,
      ),
    ],
  ]);
}

function acts(one, reader) {
  const names = Object.keys(ACTS).filter(
    (name) =>
      reader.may(ACTS[name].scope) &&
      name !== "resend" &&
      (["approve", "reject"].includes(name) ? one.status === "asked" : true),
  );
  if (!names.length) return h("p.note", { "data-key": "readonly" }, t("exceptions.readOnly"));
  const act = async (name) => {
    if (
      await ask(name, { ids: [one.id], versions: { [one.id]: one.version }, count: 1 }, reader.me)
    )
      await reader.reload();
  };
  return h(
    "div.bulk",
    { "data-key": "acts", role: "group", "aria-label": t("exceptions.acts") },
    names.map((name) =>
      h("button", { type: "button", "data-key": name, onclick: () => act(name) }, t(`act.${name}`)),
    ),
  );
}

/** The bytes to be edited and sent again, or sent as they are: tried first. */
function fix(one, reader, kept) {
  if (one.status !== "open" || !reader.may("work")) return null;
  const text = pretty(one.text);
  const lines = Math.min(Math.max(text.split("\n").length, 6), 24);
  const form = h(
    "form.stack",
    {
      id: "fix",
      "aria-label": t("fix.title"),
      oninput: () => {
        kept.edited = true;
        kept.batch = null;
        ready(false);
      },
      onsubmit: (event) => {
        event.preventDefault();
        run(one, reader, kept, false);
      },
    },
    h("p.note", t("fix.how")),
    h("label", { for: "fix-value" }, t("fix.value")),
    h("textarea", {
      id: "fix-value",
      name: "value",
      rows: String(lines),
      spellcheck: "false",
      value: text,
    }),
    h("label", { for: "fix-key" }, t("fix.key")),
    h("input", {
      id: "fix-key",
      name: "key",
      value: one.key ?? "",
      autocomplete: "off",
      spellcheck: "false",
    }),
    h("label", { for: "fix-why" }, t("act.whyOptional")),
    h("input", { id: "fix-why", name: "why", autocomplete: "off" }),
    h(
      "div.actions",
      h("button", { type: "button", onclick: () => run(one, reader, kept, true) }, t("act.try")),
      h("button.primary", { type: "submit", disabled: true }, t("act.do.resend")),
      h(
        "button",
        {
          type: "button",
          onclick: () => {
            kept.edited = false;
            reader.redraw(true);
          },
        },
        t("fix.undo"),
      ),
    ),
    h("div", { id: "fix-result", role: "status" }),
  );
  return h(
    "section",
    { "data-key": `fix-${one.id}-${one.version}` },
    h("h2", t("fix.title")),
    form,
  );
}

/** Let it be sent, or not: only what was tried as it stands is sent. */
function ready(may) {
  document.querySelector("#fix [type=submit]").disabled = !may;
}

async function run(one, reader, kept, dry) {
  const result = document.getElementById("fix-result");
  const given = Object.fromEntries(new FormData(document.getElementById("fix")));
  const value = given.value.replaceAll("\r\n", "\n");
  const changed = value !== pretty(one.text) || given.key !== (one.key ?? "");
  kept.edited = true;
  ready(false);
  result.replaceChildren(h("p.note", t("page.loading")));
  try {
    kept.batch ??= batchName();
    const answer = await send(
      changed ? "fix" : "resend",
      { ids: [one.id], versions: { [one.id]: one.version } },
      {
        why: given.why || null,
        value: changed ? value : null,
        key: changed ? given.key : null,
        dry_run: dry,
        batch: dry ? null : kept.batch,
      },
    );
    result.replaceChildren(outcome(answer));
    ready(dry && !["conflict", "gone", "already", "refused"].includes(answer.items[0]?.result));
    if (dry || !answer.done) return;
    kept.edited = false;
    await reader.reload();
  } catch (error) {
    result.replaceChildren(h("p.wrong", error.message));
  }
}

/** JSON on several lines, if it is JSON; numbers stay as they are written. */
function pretty(text) {
  if (text === null || text === undefined) return "";
  try {
    const made = JSON.stringify(JSON.parse(text), null, 2);
    return exact(text, made) ? made : text;
  } catch {
    return text;
  }
}

/** Whether nothing but white space differs: large numbers, members that come twice and escapes stay as they came. */
const exact = (text, made) => text.replace(/\s/g, "") === made.replace(/\s/g, "");

function original(one) {
  return [
    facts([[t("exception.key"), one.key], ...one.headers.map(({ name, value }) => [name, value])]),
    one.read_as ? json(one.read_as, t("exception.readAs")) : h("p.note", t("exception.unreadable")),
    h(
      "details",
      { "data-key": "bytes", open: !one.read_as || null },
      h("summary", t("exception.bytes")),
      h(
        "pre",
        { tabindex: "0", role: "group", "aria-label": t("exception.bytes") },
        one.text ?? hex(one.value),
      ),
    ),
  ];
}

/** What to do about it, in the reader's language; else as the contract says it. */
function remedy({ code, what_to_do: said }) {
  return says(`remedy.${code}`) ? t(`remedy.${code}`) : (said ?? "–").replaceAll("`", "");
}

const SHOWN_BYTES_MAX = 4_096;

/** Bytes that aren't text: sixteen a line, as hexadecimal digits and what of them can be read. */
function hex(base64) {
  const all = Uint8Array.from(atob(base64 ?? ""), (one) => one.charCodeAt(0)).subarray(
    0,
    SHOWN_BYTES_MAX,
  );
  const lines = [];
  for (let at = 0; at < all.length; at += 16) {
    const row = [...all.subarray(at, at + 16)];
    const digits = row
      .map((one) => one.toString(16).padStart(2, "0"))
      .join(" ")
      .padEnd(47);
    lines.push(
      `${at.toString(16).padStart(4, "0")}  ${digits}  ${row.map((one) => (one > 31 && one < 127 ? String.fromCharCode(one) : "·")).join("")}`,
    );
  }
  return lines.join("\n");
}

const neighbours = (one) =>
  table(
    t("exception.neighbours"),
    [
      {
        title: t("col.offset"),
        head: true,
        cell: (near) =>
          h(
            "a",
            { href: to("event", [one.topic, one.partition, near.offset]) },
            String(near.offset),
          ),
      },
      { title: t("col.time"), cell: (near) => time(near.time, one.plant) },
      { title: t("col.event"), cell: (near) => [word("type", near.type), " ", traceLink(near.id)] },
      { title: t("col.outcome"), cell: (near) => rows.outcome(near.outcome) },
    ],
    one.neighbours,
    {
      key: (near) => String(near.offset),
      mark: (near) => ({ "data-here": String(near.offset === one.offset) }),
    },
  );
