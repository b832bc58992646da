// The form that asks for a token, where the desk wants one.

import { forgetToken, get, keepToken } from "./api.js";
import { h } from "./dom.js";
import { t } from "./texts.js";

/** Return who the token is, once one is given that is known. */
export function login(place) {
  return new Promise((resolve) => {
    const note = h("p", { id: "login-note", role: "alert" });
    const field = h("input", {
      id: "token",
      type: "password",
      required: true,
      autocomplete: "off",
      spellcheck: "false",
    });
    const form = h(
      "form.login",
      {
        "aria-labelledby": "login-title",
        onsubmit: async (event) => {
          event.preventDefault();
          keepToken(field.value.trim());
          try {
            resolve(await get("/me"));
          } catch (error) {
            forgetToken();
            note.textContent = error.status === 401 ? t("login.unknown") : error.message;
            field.select();
          }
        },
      },
      h("h1", { id: "login-title" }, t("login.title")),
      h("p.note", t("login.why")),
      h("label", { for: "token" }, t("login.token")),
      field,
      h("button.primary", { type: "submit" }, t("login.show")),
      note,
    );
    place.replaceChildren(form);
    place.removeAttribute("aria-busy");
    field.focus();
  });
}
