// Whether all of it works: the database, how far each topic is read, the workers, the desks.

import { get } from "./api.js";
import { h } from "./dom.js";
import { bytes, number, time } from "./format.js";
import { facts, heading, section, table } from "./parts.js";
import { t, word } from "./texts.js";

export const load = (_, signal) => get("/health", {}, signal);

export function draw({ status, database, topics, workers, desks, at }) {
  return [
    heading(t("health.title")),
    h(
      "p.verdict",
      {
        "data-key": "verdict",
        "data-exact": String(status === "ok"),
        "data-health": status,
        role: "status",
      },
      word("health", status),
      " ",
      h("small.quiet", t("health.at"), " ", time(at, null)),
    ),
    section(
      t("health.database"),
      facts([
        [t("health.kind"), `${word("database", database.kind)} ${database.version ?? ""}`],
        [t("health.size"), bytes(database.bytes)],
        [t("health.reachable"), t(database.reachable ? "yes" : "no")],
      ]),
    ),
    section(
      t("health.workers"),
      h("p.note", t("health.workersWhy")),
      table(
        t("health.workers"),
        [
          { title: t("col.worker"), head: true, cell: (one) => one.name ?? one.url },
          {
            title: t("health.reachable"),
            cell: (one) =>
              h(
                "span",
                { "data-overdue": String(!one.reachable) },
                t(one.reachable ? "yes" : "no"),
              ),
          },
          {
            title: t("health.partitions"),
            number: true,
            cell: (one) =>
              one.of
                ? t("health.of", { n: number(size(one.partitions)), of: number(one.of) })
                : number(size(one.partitions)),
          },
          { title: t("health.lag"), number: true, cell: (one) => number(one.lag) },
          {
            title: t("health.rate"),
            number: true,
            cell: (one) =>
              one.rate === null || one.rate === undefined
                ? "–"
                : `${number(Math.max(Number(one.rate), 0), 1)}\u00a0/s`,
          },
          { title: t("health.windows"), number: true, cell: (one) => number(one.open_windows) },
          { title: t("health.error"), number: true, cell: (one) => number(one.conservation_error) },
        ],
        workers,
        { key: (one) => one.url },
      ),
    ),
    section(
      t("health.topics"),
      table(
        t("health.topics"),
        [
          { title: t("col.topic"), head: true, cell: (one) => one.topic },
          { title: t("col.partition"), number: true, cell: (one) => number(one.partition) },
          { title: t("health.read"), number: true, cell: (one) => number(one.next_offset) },
          { title: t("health.end"), number: true, cell: (one) => number(one.end) },
          { title: t("health.processed"), number: true, cell: (one) => number(one.processed) },
          { title: t("health.behindBy"), number: true, cell: (one) => number(one.behind) },
        ],
        topics,
        { key: (one) => `${one.topic}/${one.partition}` },
      ),
    ),
    section(
      t("health.desks"),
      table(
        t("health.desks"),
        [
          { title: t("col.desk"), head: true, cell: (one) => one.name },
          {
            title: t("health.partitions"),
            cell: (one) =>
              Array.isArray(one.partitions)
                ? one.partitions
                    .map((part) =>
                      typeof part === "object" ? `${part.topic}/${part.partition}` : part,
                    )
                    .join(", ")
                : number(one.partitions),
          },
        ],
        desks,
        { key: (one) => one.name },
      ),
    ),
  ];
}

const size = (partitions) => (Array.isArray(partitions) ? partitions.length : partitions);
