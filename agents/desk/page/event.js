// One event, by where it is in the log.

import { get, part } from "./api.js";
import { heading } from "./parts.js";
import { story } from "./story.js";
import { t, word } from "./texts.js";

export const load = ({ parts }, signal) => get(`/events/${parts.map(part).join("/")}`, {}, signal);

export const draw = (one) => [
  heading(`${t("event.title")} ${one.id ?? ""}`, {
    filter: [word("type", one.type)],
    fresh: one.fresh,
  }),
  story(one, "h2"),
];
