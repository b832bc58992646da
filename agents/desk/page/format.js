// Figures, times and spans of time as the reader writes them; decimals stay exact.

import { h } from "./dom.js";
import { locale, t } from "./texts.js";

const zones = new Map();
const formats = new Map();

/** The zones that are known: [[plant, zone]]. */
export const knownZones = () => [...zones];

/** Remember the time zones of plants: [{plant, zone}]. */
export function learnZones(plants) {
  for (const { plant, zone } of plants ?? []) if (zone) zones.set(plant, zone);
}

/** A plant's zone; of what belongs to no plant, the zone of all plants if they share one, else the reader's. */
export function zoneOf(plant) {
  const all = new Set(zones.values());
  return (
    zones.get(plant) ??
    (all.size === 1 ? [...all][0] : null) ??
    Intl.DateTimeFormat().resolvedOptions().timeZone
  );
}

function formatter(kind, options) {
  const name = `${kind.name}|${locale()}|${JSON.stringify(options)}`;
  if (!formats.has(name)) formats.set(name, new kind(locale(), options));
  return formats.get(name);
}

/** A number or a decimal text, grouped, to the last digit. */
export function number(value, digits = 9) {
  if (value === null || value === undefined || value === "") return "–";
  return formatter(Intl.NumberFormat, { maximumFractionDigits: digits }).format(value);
}

/** A quantity with its unit; what is counted without one (`null`) says so. */
export const quantity = (value, uom) => `${number(value)}\u00a0${uom ?? t("unit.count")}`.trim();

/** Whether a figure is above 0; decimals come as text. */
export const some = (value) => Number(value) > 0;

/** A ratio with what it is made of: {numerator, denominator, value, unit}. */
export function ratio(one) {
  if (!one || one.denominator === null || isZero(one.denominator))
    return h("span.quiet", t("figure.none"));
  const share = one.value ?? (100 * Number(one.numerator)) / Number(one.denominator);
  return h(
    "span.figure",
    h("b", `${number(share, 2)}\u00a0%`),
    " ",
    h("small.quiet", `${number(one.numerator, 1)} / ${number(one.denominator, 1)}`),
  );
}

const isZero = (value) => /^-?0*(\.0*)?$/.test(String(value));

/** What was made, each unit by itself, as lines: [{uom, good, scrap, rework}]. */
export function made(list) {
  if (!list?.length) return h("span.quiet", "–");
  return h(
    "ul.plain",
    list.map((one) =>
      h(
        "li",
        { "data-key": one.uom },
        h("b", quantity(one.good, one.uom)),
        isZero(one.scrap)
          ? null
          : h("span.part", ` ${t("made.scrap", { value: quantity(one.scrap, one.uom) })}`),
        isZero(one.rework)
          ? null
          : h("span.part", ` ${t("made.rework", { value: quantity(one.rework, one.uom) })}`),
      ),
    ),
  );
}

/** Whether `total` is the sum of `parts`: texts or numbers, exactly. */
export function addsUp(total, parts) {
  return parts.reduce((sum, one) => sum + nano(one), 0n) === nano(total);
}

function nano(value) {
  const [, sign, whole, part = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(value ?? 0)) ?? [];
  const found = BigInt(whole ?? 0) * 1_000_000_000n + BigInt(part.padEnd(9, "0").slice(0, 9) || 0);
  return sign ? -found : found;
}

/** A span of time: "2 h 05 min". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || seconds === "") return "–";
  const all = Math.round(Number(seconds));
  const size = Math.abs(all);
  const parts = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = parts.findIndex(([unit]) => size >= unit);
  if (first < 0) return `0\u00a0${t("unit.s")}`;
  const [unit, name] = parts[first];
  const head = `${all < 0 ? "−" : ""}${number(Math.floor(size / unit))}\u00a0${t(`unit.${name}`)}`;
  if (first > 2) return head;
  const [below, small] = parts[first + 1];
  const rest = Math.floor((size % unit) / below);
  return rest ? `${head} ${rest}\u00a0${t(`unit.${small}`)}` : head;
}

/** An instant in its plant's zone, as an element that has it in UTC, too. `how`: `full`, `time` or `day`. */
export function time(instant, plant, how = "full") {
  if (!instant) return h("span.quiet", "–");
  return h(
    "time",
    { datetime: instant, title: `${instant} · ${written(instant, zoneOf(plant), "long")}` },
    written(instant, zoneOf(plant), how),
    plant ? null : ` ${nameOf(zoneOf(plant), instant)}`,
  );
}

function nameOf(zone, instant) {
  const parts = formatter(Intl.DateTimeFormat, {
    timeZone: zone,
    timeZoneName: "short",
  }).formatToParts(new Date(instant));
  return parts.find(({ type }) => type === "timeZoneName").value;
}

const SHAPES = {
  full: { dateStyle: "short", timeStyle: "medium" },
  minute: { dateStyle: "short", timeStyle: "short" },
  time: { timeStyle: "short" },
  day: { weekday: "short", day: "2-digit", month: "2-digit", year: "numeric" },
  date: { dateStyle: "full" },
  long: { dateStyle: "full", timeStyle: "long" },
};

export function written(instant, zone, how = "full") {
  return formatter(Intl.DateTimeFormat, { ...SHAPES[how], timeZone: zone }).format(
    new Date(instant),
  );
}

/** A period with its zone: "21/11/26, 06:00 – 14:00 (Europe/Berlin)". */
export function period(from, to, zone) {
  if (!from || !to) return "–";
  const shape = formatter(Intl.DateTimeFormat, { ...SHAPES.minute, timeZone: zone });
  return `${shape.formatRange(new Date(from), new Date(to))} (${zone})`;
}

/** How long ago, in words: "3 minutes ago". */
export function ago(instant) {
  if (!instant) return "–";
  const seconds = (Date.parse(instant) - Date.now()) / 1000;
  const steps = [
    [60, 1, "second"],
    [3600, 60, "minute"],
    [172800, 3600, "hour"],
    [Infinity, 86400, "day"],
  ];
  const [, unit, name] = steps.find(([most]) => Math.abs(seconds) < most);
  return formatter(Intl.RelativeTimeFormat, { numeric: "auto" }).format(
    Math.trunc(seconds / unit),
    name,
  );
}

/** A date, so many days on. */
export function daysOn(text, days) {
  const date = new Date(`${text}T12:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

/** The date in a zone, so many days from an instant, or from now: "2026-11-20". */
export function dateIn(zone, days = 0, instant = null) {
  const at = instant ? new Date(instant) : new Date();
  return daysOn(new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(at), days);
}

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  const step = Math.min(3, Math.floor(Math.log2(Math.max(count, 1)) / 10));
  return `${number(count / 1024 ** step, 1)}\u00a0${["B", "KiB", "MiB", "GiB"][step]}`;
}
