// What became of this? One search: in business words first, then events, records, exceptions, corrections.

import { get, post } from "./api.js";
import { h } from "./dom.js";
import { doubles } from "./doubles.js";
import { number } from "./format.js";
import { heading, json, section } from "./parts.js";
import { go, here, to } from "./route.js";
import * as rows from "./rows.js";
import { told } from "./sentences.js";
import { folded, story } from "./story.js";
import { t, word } from "./texts.js";

const STORIES = 3; // more events are folded in
const PASTED_MAX = 65_536; // bytes: an event that is accepted has no more

export async function load({ query }, signal, reader, kept) {
  if (kept.pasted && !query.q) return post("/trace", { bytes: base64(kept.pasted) });
  if (!query.q) return null;
  return get("/trace", query, signal);
}

export function draw(data, route, reader, kept) {
  const { query } = route;
  return [
    heading(t("trace.title"), {
      fresh: data?.fresh,
      filter: [query.q, query.kind && word("kind", query.kind), query.plant],
    }),
    form(route),
    data ? answer(data, route) : h("p.note", { "data-key": "how" }, t("trace.how")),
    paste(reader, kept),
  ];
}

function form({ query }) {
  return h(
    "form.trace",
    {
      "data-key": "form",
      role: "search",
      "aria-label": t("trace.title"),
      onsubmit: (event) => {
        event.preventDefault();
        const given = Object.fromEntries(new FormData(event.target));
        go("trace", [], { q: given.q.trim(), plant: query.plant });
      },
    },
    h("label", { for: "question" }, t("trace.question")),
    h("input", {
      id: "question",
      name: "q",
      type: "search",
      value: query.q ?? "",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: t("frame.placeholder"),
    }),
    h("button.primary", { type: "submit" }, t("trace.find")),
  );
}

function answer(data, { query }) {
  const nothing = !data.events.length && !data.transactions.length && !data.exceptions.length;
  return h(
    "div.answer",
    { "data-key": "answer" },
    h(
      "div.sentences",
      { role: "status", "data-key": "sentences", "aria-label": t("trace.answer") },
      telling(data.sentence).map((one, at) => told(one, at === 0)),
      nothing && !data.sentence.length
        ? h("p.first", t("trace.nothing", { query: data.query ?? query.q ?? "" }))
        : null,
    ),
    kinds(data, query),
    data.exceptions.length
      ? section(t("trace.exceptions"), rows.exceptions(t("trace.exceptions"), data.exceptions))
      : null,
    data.double_bookings.length
      ? section(
          t("trace.doubles"),
          h("p.note", t("doubles.why")),
          doubles(data.double_bookings, "h3"),
        )
      : null,
    data.events.length
      ? section(
          t("trace.events"),
          data.events.map((one) => (data.events.length > STORIES ? folded(one) : story(one))),
        )
      : null,
    data.transactions.length
      ? section(
          t("trace.transactions"),
          rows.transactions(t("trace.transactions"), data.transactions),
        )
      : null,
    data.more ? h("p.note", t("trace.more")) : null,
    json(data),
  );
}

function kinds({ found }, query) {
  if (found.length < 2 && !query.kind) return null;
  return h(
    "nav.tabs",
    { "aria-label": t("trace.kinds"), "data-key": "kinds" },
    query.kind
      ? h("a", { href: to("trace", [], { ...query, kind: "" }) }, t("trace.allKinds"))
      : null,
    found.map((one) =>
      h(
        "a",
        {
          href: to("trace", [], { q: query.q, kind: one.kind, plant: one.plant }),
          "aria-current": query.kind === one.kind ? "true" : null,
        },
        `${word("kind", one.kind)} ${one.label ?? ""} `,
        one.plant ? h("small", `${one.plant} `) : null,
        h("small.count", number(one.count)),
      ),
    ),
  );
}

/** What sends nothing to the ERP is worth a sentence only where there's nothing else to say. */
function telling(sentences) {
  const others = sentences.filter(({ code }) => code !== "sends_nothing");
  return others.some(({ code }) => code !== "counts") ? others : sentences;
}

function paste(reader, kept) {
  return h(
    "details",
    { "data-key": "paste" },
    h("summary", t("trace.paste")),
    h(
      "form.stack",
      {
        "aria-label": t("trace.paste"),
        onsubmit: async (event) => {
          event.preventDefault();
          kept.pasted = new FormData(event.target).get("bytes").slice(0, PASTED_MAX);
          if (here().query.q) go("trace");
          else await reader.reload();
        },
      },
      h("label", { for: "bytes" }, t("trace.bytes")),
      h("textarea", {
        id: "bytes",
        name: "bytes",
        rows: "8",
        spellcheck: "false",
        value: kept.pasted ?? "",
      }),
      h("button", { type: "submit" }, t("trace.find")),
    ),
  );
}

function base64(text) {
  const all = new TextEncoder().encode(text).subarray(0, PASTED_MAX);
  return btoa(Array.from(all, (one) => String.fromCharCode(one)).join(""));
}
