// What the page says, in the reader's language: texts.<language>.json, and the words of the API.

const LANGUAGES = ["en", "de"];
const KEPT = "lineside-language";

let texts = {};
let language = "en";

/** The language that is spoken: `en` or `de`. */
export const spoken = () => language;
export const languages = () => LANGUAGES;

/** The locale for numbers and dates: the browser's own, if it is of the language that is spoken. */
export function locale() {
  return navigator.languages.find((one) => one.split("-")[0] === language) ?? language;
}

/** Return the language chosen before, else the browser's, else English. */
export function preferred() {
  const wished = [kept(), ...navigator.languages.map((one) => one.split("-")[0])];
  return wished.find((one) => LANGUAGES.includes(one)) ?? "en";
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // storage is switched off
  }
}

/** Fetch a language's texts and speak it from now on. */
export async function speak(wanted, keep = false) {
  const answer = await fetch(new URL(`texts.${wanted}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`texts.${wanted}.json: ${answer.status}`);
  texts = await answer.json();
  language = wanted;
  document.documentElement.lang = wanted;
  if (!keep) return;
  try {
    localStorage.setItem(KEPT, wanted);
  } catch {
    // then it is chosen anew next time
  }
}

/** The text of this name, `{members}` filled in; with `n` 1 its singular, if it has one. */
export function t(name, values = {}) {
  const text = (String(values.n) === "1" && texts[`${name}.one`]) || texts[name];
  if (text === undefined) return name;
  return text.replace(/\{(\w+)\}/g, (_, member) => values[member] ?? "–");
}

/** The word for one of the API's values, or the value as it is. */
export function word(kind, value) {
  if (value === null || value === undefined || value === "") return "–";
  return texts[`${kind}.${value}`] ?? String(value);
}

/** Whether there is a text of this name. */
export const says = (name) => name in texts;
