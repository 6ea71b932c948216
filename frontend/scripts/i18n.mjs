// Fails where a translation is missing, different in its placeholders, without a plural form, or used nowhere.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = "src/i18n";
const plural = /_(zero|one|two|few|many|other)$/;
const forms = { en: ["one", "other"], ar: ["zero", "one", "two", "few", "many", "other"] };
const problems = [];

function flatten(object, prefix = "") {
  return Object.entries(object).flatMap(([key, value]) =>
    typeof value === "string" ? [[prefix + key, value]] : flatten(value, `${prefix}${key}.`),
  );
}

function load(language) {
  const files = readdirSync(join(root, language)).filter((name) => name.endsWith(".json"));
  return Object.fromEntries(
    files.map((name) => [
      name.slice(0, -5),
      flatten(JSON.parse(readFileSync(join(root, language, name), "utf8"))),
    ]),
  );
}

const placeholders = (text) => [...text.matchAll(/\{\{\s*(\w+)/g)].map((match) => match[1]);
const tags = (text) =>
  [...text.matchAll(/<\/?(\w+)>/g)]
    .map((match) => match[0])
    .sort()
    .join();

const languages = { en: load("en"), ar: load("ar") };
const typed = readFileSync(join(root, "i18next.d.ts"), "utf8");

for (const namespace of new Set([...Object.keys(languages.en), ...Object.keys(languages.ar)])) {
  const texts = {};
  for (const language of ["en", "ar"]) {
    const found = languages[language][namespace];
    if (!found) problems.push(`${language}/${namespace}.json is missing`);
    texts[language] = new Map(found ?? []);
  }
  if (!typed.includes(`./en/${namespace}.json`)) problems.push(`i18next.d.ts does not name ${namespace}`);
  const bases = (map) => new Set([...map.keys()].map((key) => key.replace(plural, "")));
  for (const [language, other] of [
    ["en", "ar"],
    ["ar", "en"],
  ]) {
    for (const base of bases(texts[language])) {
      if (!bases(texts[other]).has(base)) problems.push(`${other}/${namespace}: ${base} is missing`);
    }
  }
  for (const language of ["en", "ar"]) {
    for (const [key, text] of texts[language]) {
      if (text.trim() === "") problems.push(`${language}/${namespace}: ${key} is empty`);
      const base = key.replace(plural, "");
      if (key !== base) {
        for (const form of forms[language]) {
          if (!texts[language].has(`${base}_${form}`))
            problems.push(`${language}/${namespace}: ${base}_${form} is missing`);
        }
      }
      const model = texts.en.get(key) ?? texts.en.get(`${base}_other`);
      if (model === undefined) continue;
      // A plural form may leave out the number ("two files" is one word in Arabic), never name something unknown.
      const known = new Set(placeholders(model));
      for (const name of placeholders(text)) {
        if (!known.has(name))
          problems.push(`${language}/${namespace}: ${key} has {{${name}}}, which English has not`);
      }
      if (key === base) {
        for (const name of known) {
          if (!placeholders(text).includes(name))
            problems.push(`${language}/${namespace}: ${key} lacks {{${name}}}`);
        }
      }
      if (tags(text) !== tags(model))
        problems.push(`${language}/${namespace}: ${key} has other tags than English`);
    }
  }
}

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) && !/\.(test|d|gen)\.tsx?$/.test(entry.name)
      ? [readFileSync(path, "utf8")]
      : [];
  });
}

const code = sources("src");
for (const [namespace, entries] of Object.entries(languages.en)) {
  // A key is used if a file that names its namespace has it as a string, or begins a template with its first part.
  const own = namespace === "common" ? code : code.filter((text) => text.includes(`"${namespace}"`));
  const literals = new Set();
  const prefixes = [];
  for (const text of own) for (const match of text.matchAll(/"([\w.-]+)"/g)) literals.add(match[1]);
  for (const text of own) for (const match of text.matchAll(/`([\w.-]+\.)\$\{/g)) prefixes.push(match[1]);
  for (const text of code) {
    for (const match of text.matchAll(/"([\w-]+):([\w.-]+)"/g))
      if (match[1] === namespace) literals.add(match[2]);
    for (const match of text.matchAll(/`([\w-]+):([\w.-]+\.)\$\{/g))
      if (match[1] === namespace) prefixes.push(match[2]);
  }
  for (const [key] of entries) {
    const base = key.replace(plural, "");
    if (!literals.has(base) && !literals.has(key) && !prefixes.some((prefix) => key.startsWith(prefix))) {
      problems.push(`en/${namespace}: ${key} is used nowhere`);
    }
  }
}

for (const problem of [...new Set(problems)]) console.error(problem);
const count = Object.values(languages.en).flat().length;
if (problems.length) process.exit(1);
console.log(`translations: ${count} texts, complete in English and Arabic`);
