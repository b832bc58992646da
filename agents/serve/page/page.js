// The live page: draws the status document as it comes. Every text goes through textContent.
"use strict";

const LINES_SHOWN_MAX = 200;
const ORIGINAL_SHOWN_MAX = 16384; // characters of a refused record's original value
const QUIET_MS = 8000; // the worker speaks at least every 5 s
const GIVE_UP_MS = 30000; // a connection this silent is dead: open another
const OLD_MS = 5000; // a look at the lines that is older is said to be
const ASK_MS = 2000; // between two questions for lines that a status doesn't list
const RETRY_MS = [1000, 2000, 4000];
const TOKEN = "lineside-token"; // its name in the tab's storage

const byId = (id) => document.getElementById(id);
const fixed = new Map(
  [...document.querySelectorAll("[data-path]")].map((element) => [element.dataset.path, element]),
);

// Drawing: an element is touched only if what it shows has changed.

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setData(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

// Digits are grouped by a margin: the text stays the plain number, for scripts and for copying.
function setNumber(element, value, shown = String(value ?? "–")) {
  setData(element, "value", String(value));
  if (element.textContent === shown) return;
  const [, sign, whole, rest] = /^(-?)(\d{5,})(.*)$/s.exec(shown) ?? [];
  if (whole === undefined) {
    element.textContent = shown;
    return;
  }
  const head = whole.length % 3 || 3;
  const groups = whole.slice(head).match(/\d{3}/g).map((digits) => {
    const group = document.createElement("span");
    group.className = "group";
    group.textContent = digits;
    return group;
  });
  element.replaceChildren(sign + whole.slice(0, head), ...groups, rest);
}

function setFixed(path, value, shown) {
  setNumber(fixed.get(path), value, shown);
}

function setTime(element, value, now) {
  if (element.title !== (value ?? "")) element.title = value ?? "";
  setText(element, timeOf(value, now));
}

// Return a function that makes a table's body show `items`, row by row in place.
function tableOf(id, keyOf, columns, markRow = () => {}) {
  const table = byId(id);
  const body = table.tBodies[0];
  const labels = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const rows = new Map();
  let fresh = false; // what is there when the page opens isn't news

  function rowFor(key) {
    const row = document.createElement("tr");
    row.setAttribute("role", "row");
    row.dataset.key = key;
    row.classList.toggle("fresh", fresh);
    const cells = columns.map(([member, , role], index) => {
      const cell = document.createElement(role === "rowheader" ? "th" : "td");
      cell.setAttribute("role", role === "rowheader" ? role : "cell");
      if (role === "rowheader") cell.scope = "row";
      if (role === "number") cell.className = "number";
      cell.dataset.member = member;
      cell.dataset.label = labels[index];
      row.append(cell);
      return cell;
    });
    return { row, cells };
  }

  return (items, now) => {
    const wanted = new Map();
    for (const item of items) {
      let key = keyOf(item);
      while (wanted.has(key)) key += " (again)"; // a record may be repeated with its id
      wanted.set(key, item);
    }
    for (const [key, { row }] of rows) {
      if (!wanted.has(key)) {
        row.remove();
        rows.delete(key);
      }
    }
    let next = body.firstElementChild;
    for (const [key, item] of wanted) {
      let known = rows.get(key);
      if (known === undefined) rows.set(key, (known = rowFor(key)));
      if (known.row === next) next = next.nextElementSibling;
      else body.insertBefore(known.row, next);
      columns.forEach(([member, write], index) => {
        write(known.cells[index], item, now, member);
      });
      markRow(known.row, item);
    }
    fresh = true;
    table.classList.toggle("empty", wanted.size === 0);
  };
}

const text = (cell, item, now, member) => setText(cell, String(item[member] ?? ""));
const number = (cell, item, now, member) => setNumber(cell, item[member]);
const time = (cell, item, now, member) => setTime(cell, item[member], now);
const place = (cell, item) => setText(cell, placeOf(item));
const kind = (cell, item) => setText(cell, shortType(item.type));
const rate = (cell, item, now, member) => setNumber(cell, item[member], rateText(item[member]));

// What things are called.

const placeOf = ({ plant, line }) => [plant, line].filter((part) => part != null).join("/");
const shortType = (type) =>
  String(type).replace(/^(erp|summary)\./, "").replace(/\.v\d+$/, "").replaceAll("_", " ");
// Which part of the inputs the figures are of: other workers have the rest.
const isPart = ({ share }) => share !== undefined && share.partitions < share.of;
const shareText = ({ share }) =>
  share === undefined ? "–" : `${share.partitions} of ${share.of}`;
const rateText = (value) =>
  typeof value === "number" ? value.toFixed(value < 100 ? 1 : 0) : "–";

// A time of `now`'s day without its date; the element's title has it all.
function timeOf(value, now) {
  const at = new Date(value ?? NaN);
  if (Number.isNaN(at.getTime())) return String(value ?? "–");
  const utc = at.toISOString();
  const today = String(now).slice(0, 10) === utc.slice(0, 10);
  return (today ? "" : `${utc.slice(0, 10)} `) + utc.slice(11, 19);
}

function spanText(seconds) {
  if (typeof seconds !== "number") return "–";
  const [d, h, m, s] = [86400, 3600, 60, 1].map((unit) => Math.floor(seconds / unit));
  if (d) return `${d} d ${h % 24} h`;
  if (h) return `${h} h ${m % 60} min`;
  return m ? `${m} min ${s % 60} s` : `${s} s`;
}

// Conservation: decimals of any length, so text and BigInt, never a float.

const isZero = (decimal) => /^-?0+(\.0+)?$/.test(decimal);

function addsUp({ accepted, emitted, open, parked }) {
  const decimals = [accepted, emitted, open, parked].map(String);
  if (!decimals.every((decimal) => /^-?\d+(\.\d+)?$/.test(decimal))) return false;
  const parts = decimals.map((decimal) => decimal.split("."));
  const places = Math.max(...parts.map(([, fraction = ""]) => fraction.length));
  const [left, ...right] = parts.map(([whole, fraction = ""]) =>
    BigInt(whole + fraction.padEnd(places, "0")),
  );
  return left === right.reduce((sum, value) => sum + value, 0n);
}

const isExact = (row) => isZero(row.error) && addsUp(row);
const measureOf = ({ type, measure, uom }) =>
  `${shortType(type)} · ${measure}${uom === undefined ? "" : ` in ${uom}`}`;
const isWhole = ({ accepted, left, waiting, parked, taken_out: out, error }) =>
  error === 0 && accepted === left + waiting + parked + out;

const drawConservationRows = tableOf(
  "conservation-table",
  (row) => [row.type, row.measure, row.uom].filter(Boolean).join(" "),
  [
    ["measure", (cell, row) => setText(cell, measureOf(row)), "rowheader"],
    ["accepted", number, "number"],
    ["emitted", number, "number"],
    ["open", number, "number"],
    ["parked", number, "number"],
    ["error", number, "number"],
  ],
  (element, row) => {
    setData(element, "exact", String(isExact(row)));
    if (element.title !== row.type) element.title = row.type;
  },
);

const drawSingleRows = tableOf(
  "singles-table",
  (row) => row.type,
  [
    ["type", kind, "rowheader"],
    ...["accepted", "left", "waiting", "parked", "taken_out", "error"].map((name) => [name, number, "number"]),
  ],
  (element, row) => {
    setData(element, "exact", String(isWhole(row)));
    if (element.title !== row.type) element.title = row.type;
  },
);

function drawConservation(status) {
  const { error = "–", rows = [], singles = [] } = status.conservation ?? {};
  const none = status.share?.partitions === 0;
  const known = status.conservation != null && !none;
  const wrong = rows.filter((row) => !isExact(row)).length;
  const odd = singles.filter((row) => !isWhole(row)).length;
  const exact = isZero(error) && wrong === 0 && odd === 0;
  setFixed("conservation.error", known ? error : null, known ? error : "–");
  setText(byId("formula"), `accepted ${exact || !known ? "=" : "≠"} emitted + open + parked`);
  setText(byId("outcome"), !known ? "not known yet" : exact ? "exact" : "NOT exact");
  setText(
    byId("verdict-note"),
    none ? "This worker has no partition now: others have them, or they are being handed out."
    : !known ? "The worker is looking at its lines."
    : wrong ? `Measures that don't add up: ${wrong} of ${rows.length}, marked below.`
    : odd ? `Records that don't add up: ${odd} of ${singles.length} types, marked below.`
    : !exact ? "The worker reports an error that no row below shows."
    : rows.length
      ? `${rows.length} measures, added up again by this page at every update.${partText(status)}`
    : `Nothing has been accepted yet.${partText(status)}`,
  );
  setData(byId("conservation"), "exact", known ? String(exact) : "unknown");
  drawConservationRows(known ? rows : []);
  drawSingleRows(known ? singles : []);
  byId("singles").hidden = !known || singles.length === 0;
  return exact || !known;
}

const partText = (status) => {
  const part = isPart(status)
    ? ` Of ${shareText(status)} partitions: other workers have the rest.` : "";
  const old = Date.parse(status.now) - Date.parse(status.surveyed) > OLD_MS;
  return part + (old ? ` As of ${timeOf(status.surveyed, status.now)}.` : "");
};

// Counters.

const COUNTS = ["accepted", "duplicate", "exception", "tick"];

function drawCounters(status) {
  const counts = status.counts ?? {};
  for (const name of ["in", ...COUNTS]) setFixed(`counts.${name}`, counts[name]);
  for (const name of ["late", "open_windows", "waiting_finals", "parked", "waiting_ends", "overlong_episodes"]) {
    setFixed(name, status[name]);
  }
  setText(byId("held-note"), heldText(status));
  const of = isPart(status) ? ` Of this worker's ${shareText(status)} partitions.` : "";
  for (const element of document.querySelectorAll(".warn")) {
    setData(element, "some", String(!["0", "null"].includes(element.lastElementChild.dataset.value)));
  }
  const missing = counts.in - COUNTS.reduce((sum, name) => sum + counts[name], 0);
  setData(byId("counters"), "whole", String(missing === 0));
  setText(
    byId("sum-note"),
    missing === 0
      ? `Every event that came in is exactly one of the four.${of}`
      : `The four don't add up to what came in: the difference is ${missing}.`,
  );
  drawKinds("transactions", "transactions-by-type", status.transactions, shortType);
  drawKinds("summaries", "summaries-by-type", status.summaries, shortType);
  drawKinds("exceptions", "exceptions-by-code", status.exceptions, String);
}

// What was accepted and isn't in the ERP yet, in words.
function heldText({ parked, parked_since: since, waiting_finals: finals, forgotten_open_seconds: lost, now }) {
  const said = [];
  if (parked) said.push(`Holds keep ${events(parked)} from the ERP, the oldest of ${timeOf(since, now)}.`);
  if (finals) said.push(`Final confirmations that wait for their posting window to close: ${finals}.`);
  if (lost != null && !isZero(lost)) said.push(`Seconds counted for stops that never ended: ${lost}.`);
  return said.join(" ");
}

const events = (count) => `${count} event${count === 1 ? "" : "s"}`;

function drawKinds(member, id, counts = {}, nameOf) {
  const body = byId(id);
  const names = Object.keys(counts);
  if (names.join() !== body.dataset.names) {
    body.dataset.names = names.join();
    body.replaceChildren(
      ...names.map((name) => {
        const row = document.createElement("tr");
        const head = document.createElement("th");
        const cell = document.createElement("td");
        head.scope = "row";
        head.title = name;
        head.textContent = nameOf(name);
        cell.className = "number";
        cell.dataset.path = `${member}.${name}`;
        row.append(head, cell);
        return row;
      }),
    );
  }
  names.forEach((name, index) => setNumber(body.rows[index].cells[1], counts[name]));
}

// Lines: those that are down first, then by name, numbers in names by size.

const STATES = ["down", "planned", "silent", "running"];
const WORDS = { planned: "planned stop" };
const wordOf = (state) => WORDS[state] ?? state;
const sortKeys = new Map();

function sortKey(line) {
  const name = placeOf(line);
  let key = sortKeys.get(name);
  if (key === undefined) {
    key = `${name.replace(/\d+/g, (digits) => digits.padStart(12, "0"))} ${name}`;
    sortKeys.set(name, key);
  }
  return (line.state === "down" ? "0" : "1") + key;
}

function chosen(lines, words) {
  const matching = words.length
    ? lines.filter((line) => {
        const all = `${placeOf(line)} ${line.state} ${line.detail}`.toLowerCase(); // as lines.py has it
        return words.every((word) => all.includes(word));
      })
    : lines;
  return matching
    .map((line) => [sortKey(line), line])
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, line]) => line);
}

const drawLineRows = tableOf(
  "lines-table",
  placeOf,
  [
    ["state", (cell, line) => setText(cell, wordOf(line.state))],
    ["line", place, "rowheader"],
    ["detail", text],
    ["rate", rate, "number"],
    ["accepted", number, "number"],
    ["late", number, "number"],
    ["open_windows", number, "number"],
    ["mes_watermark", time, "number"],
    ["machine_watermark", time, "number"],
  ],
  (row, line) => setData(row, "state", line.state),
);

function drawLines(status) {
  const { lines = [], now } = status;
  const total = status.line_count ?? lines.length;
  const filter = byId("filter").value;
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const asked = total > lines.length && words.length > 0;
  const found = asked && answered?.text === filter ? answered : null;
  const matching = found === null ? chosen(lines, words) : chosen(found.lines, []);
  const count = found?.matching ?? (words.length ? matching.length : total);
  const rest = Math.max(0, count - LINES_SHOWN_MAX);
  drawLineRows(matching.slice(0, LINES_SHOWN_MAX), now);
  drawStates(lines, status.line_states);
  setText(
    byId("lines-note"),
    status.line_count === null ? "The worker is looking at its lines."
    : total === 0 ? "No line has been seen yet."
    : asked && found === null ? "Looking for more …"
    : rest ? `${rest} more ${words.length ? "match" : "lines"}: filter to see them.`
    : words.length ? `${count} of ${total} lines match.`
    : "",
  );
  if (asked) ask(filter);
}

// A status lists only so many lines: for others the worker is asked, one question after the other.

let answered = null;
let asking = false;

async function ask(text) {
  if (asking || (answered?.text === text && performance.now() - answered.at < ASK_MS)) return;
  asking = true;
  try {
    const query = new URLSearchParams({ text });
    const response = await fetch(`api/lines?${query}`, { headers: credentials(), cache: "no-store" });
    if (response.ok) answered = { ...(await response.json()), text, at: performance.now() };
    else await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  } catch {
    // the stream tells of lost connections
  } finally {
    asking = false;
  }
  if (latest !== null) drawLines(latest);
}

function drawStates(lines, counts) {
  const list = byId("lines-states");
  if (list.childElementCount === 0) {
    list.append(
      ...STATES.map((state) => {
        const item = document.createElement("span");
        const count = document.createElement("b");
        item.dataset.state = state;
        count.dataset.count = state;
        item.append(count, ` ${wordOf(state)}`);
        return item;
      }),
    );
  }
  STATES.forEach((state, index) => {
    const count = counts?.[state] ?? lines.filter((line) => line.state === state).length;
    setNumber(list.children[index].firstElementChild, count);
    setData(list.children[index], "some", String(count > 0));
  });
}

// What leaves: the members somebody looks for first, measures before all.

const MEASURES = ["quantity", "seconds", "good", "scrap", "rework", "stops"];
const LABELS = { operation: "op", work_unit: "unit" };
const LEADING = ["order", "operation", "item", "lot", "work_unit", "reason"];
const LEFT_OUT = new Set([
  ...MEASURES, ...LEADING, "uom", "row", "measures", "causes", "cause_count", "count",
  "posting_date", "window_start", "window_end", "revision",
]);

function essentials(data, now) {
  const all = { ...data, ...data.row, ...data.measures };
  const parts = [];
  for (const name of MEASURES) {
    if (all[name] == null) continue;
    const unit = name === "seconds" ? "s" : name === "stops" ? null : all.uom;
    const amount = [all[name], unit].filter((part) => part != null).join(" ");
    parts.push(["measure", name === "quantity" || name === "seconds" ? null : name, amount]);
  }
  for (const name of [...LEADING, ...Object.keys(all).filter((key) => !LEFT_OUT.has(key))]) {
    if (all[name] == null) continue;
    const value = typeof all[name] === "object" ? JSON.stringify(all[name]) : String(all[name]);
    parts.push(["member", LABELS[name] ?? name.replaceAll("_", " "), value]);
  }
  if (data.revision > 0) parts.push(["member", "late, for", timeOf(data.window_start, now)]);
  return parts;
}

const drawnParts = new WeakMap();

function content(cell, event, now) {
  const parts = essentials(event.data ?? {}, now);
  const drawn = JSON.stringify(parts);
  if (drawnParts.get(cell) === drawn) return;
  drawnParts.set(cell, drawn);
  cell.replaceChildren(
    ...parts.flatMap(([className, label, value]) => {
      const part = document.createElement("span");
      part.className = className;
      if (label !== null) {
        const name = document.createElement("span");
        name.className = "name";
        name.textContent = label;
        part.append(name, " ");
      }
      part.append(value);
      return [part, " "];
    }),
  );
}

const LEAVING = [
  ["time", time],
  ["type", kind, "rowheader"],
  ["line", place],
  ["content", content],
  ["id", text],
];
const drawTransactions = tableOf("transactions-table", (event) => event.id, LEAVING);
const drawSummaries = tableOf("summaries-table", (event) => event.id, LEAVING);

// Exceptions: the original value is decoded when somebody opens it.

const whereOf = ({ topic, partition, offset }) => `${topic}/${partition}/${offset}`;

function decoded(base64) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return `(not base64) ${base64}`;
  }
  const all = new TextDecoder().decode(bytes);
  const cut = all.length > ORIGINAL_SHOWN_MAX;
  return cut ? `${all.slice(0, ORIGINAL_SHOWN_MAX)}\n… (${bytes.length} bytes in all)` : all;
}

function original(cell, event) {
  let details = cell.firstElementChild;
  if (details === null) {
    details = document.createElement("details");
    const summary = document.createElement("summary");
    const list = document.createElement("dl");
    summary.textContent = "original";
    details.append(summary, list);
    details.addEventListener("toggle", () => {
      list.replaceChildren(...(details.open ? originalParts(details.event.data ?? {}) : []));
      drawExceptions();
    });
    cell.append(details);
  }
  details.event = event;
}

function originalParts({ key, headers, value }) {
  const parts = [["value", decoded(value ?? "")], ["key", String(key ?? "none")]];
  if (headers?.length) parts.push(["headers", headers.map((header) => JSON.stringify(header)).join("\n")]);
  return parts.flatMap(([name, shown]) => {
    const head = document.createElement("dt");
    const body = document.createElement("dd");
    head.textContent = name;
    body.className = "original";
    body.textContent = shown;
    return [head, body];
  });
}

const drawExceptionRows = tableOf("exceptions-table", (event) => event.id, [
  ["time", time],
  ["code", (cell, event) => setText(cell, String(event.data?.code ?? "")), "rowheader"],
  ["line", place],
  ["reason", (cell, event) => setText(cell, String(event.data?.reason ?? ""))],
  ["where", (cell, event) => setText(cell, whereOf(event.data ?? {}))],
  ["original", original],
]);

// An original that is being read doesn't move away: the list waits until it's closed.
function drawExceptions() {
  if (latest === null) return;
  const reading = byId("exceptions-table").querySelector("details[open]") !== null;
  setText(byId("exceptions-note"), reading ? "The list waits while an original is open." : "");
  if (!reading) drawExceptionRows(latest.recent?.exceptions ?? [], latest.now);
}

const drawPartitions = tableOf(
  "partitions-table",
  ({ topic, partition }) => `${topic}/${partition}`,
  [
    ["partition", (cell, { topic, partition }) => setText(cell, `${topic}/${partition}`), "rowheader"],
    ["offset", number, "number"],
    ["end_offset", number, "number"],
    ["lag", number, "number"],
    ["state", (cell, one) => setText(cell, stateOf(one))],
  ],
  (row, one) => setData(row, "state", markOf(one)),
);

const records = (count) => `${count} record${count === 1 ? "" : "s"}`;

function stateOf({ standby, ready, recovery, lag, deleted }) {
  if (standby !== undefined) return standby ? `standby, ${records(standby)} behind` : "standby, up to date";
  if (ready || recovery == null) {
    if (ready && deleted) return `goes on without ${records(deleted)} that were deleted unprocessed`;
    return lag == null ? "at work, its end isn't known" : lag ? `${records(lag)} behind` : "up to date";
  }
  if (recovery.left === null) return "opening";
  const time = recovery.seconds === null ? "" : `, about ${Math.ceil(recovery.seconds)} s`;
  return `recovering: ${records(recovery.left)} left${time}`;
}

function markOf({ standby, ready, recovery, lag }) {
  if (standby !== undefined) return standby ? "behind" : "current";
  if (!ready && recovery != null) return "recovering";
  return lag === 0 ? "current" : "behind";
}

// Copies of other workers' states stand below the worker's own partitions.
function withStandbys({ partitions = [], standbys = [] }) {
  return [...partitions, ...standbys.map(({ left, ...at }) => ({ ...at, standby: left }))];
}

const drawEpisodes = tableOf("episodes-table", (one) => `${placeOf(one)}/${one.episode}`, [
  ["time", time],
  ["problem", text, "rowheader"],
  ["line", place],
  ["work_unit", text],
  ["episode", text],
]);

const drawHolds = tableOf("holds-table", (one) => `${one.plant}/${one.hold}`, [
  ["problem", text, "rowheader"],
  ["plant", text],
  ["hold", text],
]);

// The whole page.

let latest = null;
let held = false;

function draw(status) {
  latest = status;
  for (const name of ["job", "broker", "version"]) setText(fixed.get(name), String(status[name] ?? "–"));
  setFixed("rate", status.rate, rateText(status.rate));
  setFixed("uptime_seconds", status.uptime_seconds, spanText(status.uptime_seconds));
  setText(fixed.get("ready"), status.ready ? "ready" : "not ready");
  setData(fixed.get("ready"), "value", String(status.ready));
  setTime(fixed.get("now"), status.now, status.now);
  setText(fixed.get("share"), shareText(status));
  const exact = drawConservation(status);
  drawCounters(status);
  drawLines(status);
  drawTransactions(status.recent?.transactions ?? [], status.now);
  drawSummaries(status.recent?.summaries ?? [], status.now);
  drawExceptions();
  drawPartitions(withStandbys(status));
  drawEpisodes(status.episodes ?? [], status.now);
  byId("episodes").hidden = !status.episodes?.length;
  drawHolds(status.holds ?? [], status.now);
  byId("holds").hidden = !status.holds?.length;
  setText(document.querySelector("title"), `${exact ? "" : "NOT EXACT: "}lineside ${status.job}`);
}

byId("filter").addEventListener("input", () => latest !== null && drawLines(latest));
byId("hold").addEventListener("click", () => {
  held = !held;
  byId("hold").setAttribute("aria-pressed", String(held));
  setText(byId("hold"), held ? "Go on" : "Hold");
  say(linked);
});

// The connection: said in words, and made again whenever it's lost.

const NOTICES = {
  ended: "The job has ended: the figures below are its last, of",
  lost: "Connection lost: the figures below are those of",
  quiet: "No news from the worker: the figures below are those of",
};
let linked = "connecting";
let source = null;
let pending = null;
let heardAt = 0;
let failures = 0;
let retry = 0;
let version = null;
let token = null;

function say(state) {
  linked = state;
  const shown = state === "live" && held ? "held" : state;
  const words = { lost: "lost, reconnecting", quiet: "no news", locked: "token needed", ended: "job has ended" }[shown] ?? shown;
  setText(byId("connection"), words);
  setData(byId("connection"), "state", shown);
  setData(document.body, "state", shown);
  byId("login").hidden = shown !== "locked";
  const notice = NOTICES[shown];
  byId("notice").hidden = notice === undefined;
  setData(byId("notice"), "state", shown);
  const since = latest === null ? "nothing yet" : `${timeOf(latest.now, latest.now)} UTC`;
  setText(byId("notice"), notice === undefined ? "" : `${notice} ${since}.`);
}

function connect() {
  source?.abort();
  clearTimeout(retry);
  heardAt = performance.now();
  const own = (source = new AbortController());
  listen(own.signal)
    .catch(() => {})
    .then(() => own.signal.aborted || lose());
}

function lose() {
  source.abort();
  say(latest?.ended ? "ended" : "lost"); // another job may begin there
  retry = setTimeout(connect, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
  failures += 1;
}

const credentials = () => (token === null ? {} : { Authorization: `Bearer ${token}` });

// Server-Sent Events by hand: EventSource can't carry a token.
async function listen(signal) {
  const response = await fetch("api/stream", { headers: credentials(), signal, cache: "no-store" });
  if (response.status === 401 || response.status === 403) return askForToken(response.status);
  if (!response.ok) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let parts = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done || signal.aborted) return;
    const end = value.lastIndexOf("\n"); // a status has none in it
    if (end >= 0) {
      const lines = (parts.join("") + value.slice(0, end)).split("\n");
      const newest = lines.filter((line) => line.startsWith("data: ")).at(-1);
      if (newest !== undefined) hear(newest.slice(6));
      parts = [];
    }
    parts.push(value.slice(end + 1));
  }
}

function hear(data) {
  failures = 0;
  heardAt = performance.now();
  if (pending === null) requestAnimationFrame(drawPending); // only the newest is drawn
  pending = data;
  if (linked !== "live") say("live");
}

// A token comes by the form, or in the address as #token=..., a part that browsers send nowhere; it
// stays with this tab, so that the page can load itself anew.

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return sessionStorage.getItem(TOKEN);
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", location.pathname + location.search);
  return given;
}

function askForToken(status) {
  source.abort();
  sessionStorage.removeItem(TOKEN);
  const wrong = status === 403 ? "This token is for the metrics only." : "This token isn't known.";
  setText(byId("login-note"), token === null ? "" : wrong);
  token = null;
  say("locked");
  byId("token").focus();
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  byId("token").value = "";
  sessionStorage.setItem(TOKEN, token);
  say("connecting");
  connect();
});

window.addEventListener("hashchange", () => {
  if (!location.hash.startsWith("#token=")) return;
  token = takeToken();
  connect();
});

function drawPending() {
  const data = pending;
  pending = null;
  const status = JSON.parse(data);
  if (held && latest !== null && !status.ended) return;
  version ??= status.version;
  if (status.version !== version) location.reload(); // the worker was replaced, and so its page
  draw(status);
  if (status.ended) say("ended");
}

setInterval(() => {
  if (document.hidden || ["lost", "locked", "ended"].includes(linked)) return;
  const silence = performance.now() - heardAt;
  if (silence > GIVE_UP_MS) lose();
  else if (silence > QUIET_MS && linked === "live") say("quiet");
}, 1000);

// A hidden tab holds no connection: browsers allow only six to one host.
document.addEventListener("visibilitychange", () => {
  if (linked === "locked") return;
  if (!document.hidden) return connect();
  source.abort();
  clearTimeout(retry);
});

token = takeToken();
connect();
