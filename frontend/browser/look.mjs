// `npm run look -- /usage /requests`: pictures of pages in both languages, themes and sizes, and what axe says of each.
import { mkdirSync } from "node:fs";
import { audit } from "./axe.mjs";
import { base, launch, open, settled } from "./open.mjs";

const args = process.argv.slice(2);
const paths = args.filter((arg) => arg.startsWith("/"));
const folder = process.env.LOOK ?? "../.runtime/look";
mkdirSync(folder, { recursive: true });

const view = (language, scheme, size) => ({ language, scheme, size });
// Every language with every theme and size; in short each of them at least twice.
const views = args.includes("--quick")
  ? [view("en", "light", "desktop")]
  : args.includes("--all")
    ? ["en", "ar"].flatMap((language) =>
        ["light", "dark"].flatMap((scheme) =>
          ["desktop", "phone"].map((size) => view(language, scheme, size)),
        ),
      )
    : [
        view("en", "light", "desktop"),
        view("en", "dark", "phone"),
        view("ar", "light", "phone"),
        view("ar", "dark", "desktop"),
      ];

const browser = await launch();
let bad = 0;
for (const view of views) {
  const page = await open(browser, view);
  for (const path of paths) {
    await page.goto(base + path);
    await settled(page);
    const name = `${path.replaceAll(/[^\w]+/g, "_").replace(/^_|_$/g, "") || "home"}-${view.language}-${view.scheme}-${view.size}`;
    await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) console.log(`${name}: ${wide} px too wide`);
    for (const violation of await audit(page)) {
      bad += 1;
      console.log(`${name}: ${violation.id}: ${violation.help}`);
      for (const node of violation.nodes.slice(0, 3))
        console.log(`    ${node.html.slice(0, 200)}\n    ${node.why.split("\n")[1] ?? ""}`);
    }
  }
  for (const failure of page.failures) {
    bad += 1;
    console.log(`${JSON.stringify(view)}: ${failure.slice(0, 400)}`);
  }
  await page.context().close();
}
await browser.close();
if (bad) process.exit(1);
