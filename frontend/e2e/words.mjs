// The stories speak of what is on the page in its own words, so that a better word does not break them.
import { readFileSync } from "node:fs";

const files = new Map();

function load(language, namespace) {
  const path = new URL(`../src/i18n/${language}/${namespace}.json`, import.meta.url);
  if (!files.has(path.href)) files.set(path.href, JSON.parse(readFileSync(path, "utf8")));
  return files.get(path.href);
}

/** `words("ar")("members:invite.action")`, with `{{name}}` filled in. */
export const words =
  (language) =>
  (key, values = {}) => {
    const [namespace, path] = key.split(":");
    const text = path.split(".").reduce((part, name) => part?.[name], load(language, namespace));
    if (typeof text !== "string") throw new Error(`no text ${language}/${key}`);
    return text.replaceAll(/\{\{(\w+)(?:, \w+)?\}\}/g, (whole, name) => values[name] ?? whole);
  };
