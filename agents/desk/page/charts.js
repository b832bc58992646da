// Drawings: rates over time by uPlot, and the states of a line as a band.

import { h, svg } from "./dom.js";
import { locale, t, word } from "./texts.js";
import { duration, number, written } from "./format.js";

/** A chart of columns over time: `series`: [{label, role, values}], one unit. Drawn when it is in the page. */
export function chart(label, times, series, zone, uom) {
  const drawn = { label, times, series, zone, uom };
  const place = h("div.chart", {
    role: "img",
    "aria-label": label,
    "data-mount": true,
    mount: (node) => plot(node, drawn),
  });
  return place;
}

async function plot(place, { times, series, zone, uom }) {
  place.querySelector("p")?.remove();
  if (times.length < 2) {
    place.replaceChildren(h("p.note", t("chart.few")));
    return;
  }
  const { default: UPlot } = await import("./uplot.js");
  if (!place.isConnected) return;
  const data = [times, ...series.map((one) => one.values)];
  if (place.plot && place.plotOf === shapeOf(series, zone, uom)) {
    place.plot.setData(data);
    return;
  }
  place.plot?.destroy();
  const style = getComputedStyle(place);
  const ink = style.getPropertyValue("--quiet").trim();
  const rule = style.getPropertyValue("--rule").trim();
  const axis = {
    stroke: ink,
    grid: { stroke: rule, width: 1 },
    ticks: { stroke: rule, width: 1 },
    font: "12px system-ui, sans-serif",
  };
  place.plotOf = shapeOf(series, zone, uom);
  place.plot = new UPlot(
    {
      width: Math.max(place.clientWidth, 200),
      height: 220,
      cursor: { drag: { x: false, y: false } },
      tzDate: (seconds) => UPlot.tzDate(new Date(seconds * 1000), zone),
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.08] } },
      axes: [
        {
          ...axis,
          ...(times[1] - times[0] >= DAY ? { incrs: [DAY, 7 * DAY, 28 * DAY] } : {}),
          values: (_, splits) =>
            splits.map((one) =>
              new Intl.DateTimeFormat(locale(), { ...stepOf(splits), timeZone: zone }).format(
                one * 1000,
              ),
            ),
        },
        {
          ...axis,
          size: 64,
          label: uom,
          labelSize: 20,
          labelFont: "12px system-ui, sans-serif",
          values: (_, splits) => splits.map((one) => number(one, 3)),
        },
      ],
      series: [
        {
          label: t("chart.time"),
          value: (_, one) =>
            one === null ? "–" : written(new Date(one * 1000).toISOString(), zone, "minute"),
        },
        ...series.map((one) => ({
          label: one.label,
          stroke: style.getPropertyValue(`--${one.role}`).trim(),
          width: 2,
          spanGaps: false,
          points: { size: 4 },
          paths: one.stepped === false ? undefined : UPlot.paths.stepped({ align: 1 }),
          value: (_, figure) =>
            figure === null || figure === undefined ? "–" : `${number(figure, 3)} ${uom}`,
        })),
      ],
    },
    data,
    place,
  );
  place.sized ??= new ResizeObserver(() =>
    place.plot?.setSize({ width: Math.max(place.clientWidth, 200), height: 220 }),
  );
  place.sized.observe(place);
}

const DAY = 86_400;

const shapeOf = (series, zone, uom) =>
  JSON.stringify([
    series.map((one) => one.label),
    zone,
    uom,
    matchMedia("(prefers-color-scheme: dark)").matches,
  ]);

function stepOf(splits) {
  const step = splits.length > 1 ? splits[1] - splits[0] : 0;
  return step >= DAY
    ? { day: "2-digit", month: "2-digit" }
    : { hour: "2-digit", minute: "2-digit" };
}

/** Bands of states over a period, one a work unit: [{work_unit, from, to, state, reason}]. */
export function timeline(label, bands, from, to, zone) {
  const start = Date.parse(from);
  const span = Math.max(Date.parse(to) - start, 1);
  const units = [...new Set(bands.map((one) => one.work_unit ?? ""))].sort();
  const at = (instant) =>
    Math.min(Math.max((1000 * (Date.parse(instant) - start)) / span, 0), 1000);
  return h(
    "div.timeline",
    { "data-key": "timeline" },
    units.map((unit) =>
      h(
        "div.band",
        { "data-key": unit || "line" },
        h("span.name", unit || t("timeline.line")),
        svg(
          "svg",
          {
            viewBox: "0 0 1000 20",
            preserveAspectRatio: "none",
            role: "img",
            "aria-label": `${label} ${unit}: ${summary(
              bands.filter((one) => (one.work_unit ?? "") === unit),
              to,
            )}`,
          },
          svg("rect", { class: "ground", x: 0, y: 0, width: 1000, height: 20 }),
          bands
            .filter((one) => (one.work_unit ?? "") === unit)
            .map((one) =>
              svg(
                "rect",
                {
                  "data-state": kindOf(one),
                  x: at(one.from),
                  y: 0,
                  width: Math.max(at(one.to ?? to) - at(one.from), 1.5),
                  height: 20,
                },
                svg(
                  "title",
                  `${word("state", one.state)} ${one.reason ?? ""} ${written(one.from, zone, "minute")} – ${one.to ? written(one.to, zone, "minute") : t("timeline.still")}`,
                ),
              ),
            ),
        ),
      ),
    ),
    h(
      "div.scale",
      { "aria-hidden": "true" },
      [0, 1, 2, 3, 4].map((step) =>
        h("span", written(new Date(start + (span * step) / 4).toISOString(), zone, "time")),
      ),
    ),
  );
}

/** Which of the five kinds of state a band is: those of the API, or a PackML state by its sort. */
export function kindOf({ state, planned }) {
  if (["running", "planned_stop", "unplanned_stop", "silent", "unknown"].includes(state))
    return state;
  if (planned === true) return "planned_stop";
  if (planned === false) return "unplanned_stop";
  if (state === "Execute") return "running";
  return ["Aborted", "Aborting", "Stopped", "Stopping", "Held", "Holding"].includes(state)
    ? "halted"
    : "waiting";
}

function summary(bands, to) {
  const sums = new Map();
  for (const one of bands) {
    const seconds = (Date.parse(one.to ?? to) - Date.parse(one.from)) / 1000;
    sums.set(one.state, (sums.get(one.state) ?? 0) + seconds);
  }
  return [...sums]
    .map(([name, seconds]) => `${word("state", name)} ${duration(seconds)}`)
    .join(", ");
}
