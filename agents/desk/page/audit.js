// The audit trail: who did what, to which exception, when and why.

import { get } from "./api.js";
import { choices, filters, heading, pager, told } from "./parts.js";
import * as rows from "./rows.js";
import { t, word } from "./texts.js";

const ACTS = ["resend", "fix", "dismiss", "assign", "comment", "approve", "reject"];

export const load = ({ query }, signal) => get("/acts", query, signal);

export function draw({ items, next, fresh }, route) {
  const { query } = route;
  return [
    heading(t("audit.title"), {
      fresh,
      filter: told(
        { ...query, act: query.act && word("act", query.act) },
        {
          who: t("col.who"),
          act: "",
          subject: t("col.subject"),
          from: t("col.from"),
          to: t("col.before"),
        },
      ),
    }),
    filters(route, [
      { name: "who", label: t("col.who") },
      { name: "act", label: t("col.act"), options: choices("act", ACTS) },
      { name: "subject", label: t("col.subject") },
      { name: "from", label: t("col.from"), type: "date" },
      { name: "to", label: t("col.before"), type: "date" },
    ]),
    rows.acts(t("audit.title"), items),
    pager(route, next, { path: "/acts", query, name: "audit-trail" }),
  ];
}
