// What the first page costs, compressed: the entry, what it imports statically, the Overview's own chunks, and its styles.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const limit = 400 * 1024;
const manifest = JSON.parse(readFileSync("dist/.vite/manifest.json", "utf8"));
const files = new Set();

function add(key) {
  const chunk = manifest[key];
  if (!chunk || files.has(chunk.file)) return;
  files.add(chunk.file);
  for (const css of chunk.css ?? []) files.add(css);
  for (const next of chunk.imports ?? []) add(next);
}

for (const key of Object.keys(manifest)) {
  // Arabic and English are never loaded both; the larger one counts.
  if (manifest[key].isEntry || /routes\/_app(\/index)?\.tsx/.test(key) || /i18n\/languages\/ar\.ts/.test(key))
    add(key);
}

let sum = gzipSync(readFileSync("dist/index.html")).length;
for (const file of [...files].sort()) {
  const bytes = gzipSync(readFileSync(`dist/${file}`), { level: 6 }).length;
  sum += bytes;
  console.log(`${(bytes / 1024).toFixed(1).padStart(8)} KB  ${file}`);
}
console.log(`${(sum / 1024).toFixed(1).padStart(8)} KB  first page, gzip; at most ${limit / 1024} KB`);
if (sum > limit) process.exit(1);
