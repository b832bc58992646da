// What became of something, in sentences: the desk's codes and values in the reader's language.

import { h } from "./dom.js";
import { number, quantity, written, zoneOf } from "./format.js";
import { to } from "./route.js";
import { says, t, word } from "./texts.js";

const ATTENTION =
  /^(refused|double_booking|status_open|status_asked|status_refused_again|waits_for|books_behind|unprocessed)/;

/** A sentence as a paragraph, with a link to what it speaks of. */
export function told(one, first) {
  const values = one.values ?? {};
  return h(
    first ? "p.first" : "p",
    { "data-code": one.code, "data-attention": String(ATTENTION.test(one.code)) },
    sentence(one),
    values.exception
      ? [
          " ",
          h("a", { href: to("exception", [], { id: values.exception }) }, t("story.toException")),
        ]
      : null,
    values.key
      ? [" ", h("a.id", { href: to("transaction", [], { id: values.key }) }, values.key)]
      : null,
  );
}

/** A sentence in the reader's language, its instants in the plant's zone; as the desk said it, if the page doesn't know it. */
export function sentence({ code, values = {}, text }) {
  if (!says(`sentence.${code}`)) return text;
  const zone = zoneOf(values.plant);
  const shown = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, plain(name, value, zone)]),
  );
  const noun = word("type", values.type);
  return t(`sentence.${code}`, {
    ...shown,
    noun: noun.charAt(0).toLocaleUpperCase() + noun.slice(1),
    amount: amount(values.amount),
  });
}

const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
const WORDS = { type: "type", code: "code", status: "order_status", kind: "kind" };
const FIGURES = ["value", "records", "accepted", "duplicates", "refused", "times"];

function plain(name, value, zone) {
  if (value === null || value === undefined) return "–";
  if (INSTANT.test(value)) return written(value, zone);
  if (WORDS[name]) return word(WORDS[name], value);
  if (FIGURES.includes(name)) return number(value);
  return Array.isArray(value) ? value.join(", ") : String(value);
}

/** " of 40 pc", as the desk writes it, with its figure as the reader writes it. */
function amount(text) {
  const [, figure, uom] = /^ of (-?\d+(?:\.\d+)?) (.+)$/.exec(text ?? "") ?? [];
  return figure ? ` ${t("sentence.amount", { amount: quantity(figure, uom) })}` : "";
}
