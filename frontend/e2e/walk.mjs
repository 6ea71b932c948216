// A walk over every page that the router knows, in one language and one size.
import { audit } from "../browser/axe.mjs";
import { base, open, settled } from "../browser/open.mjs";
import { dynamic, fixed, open as inFront } from "./pages.mjs";

/** What is wrong with a page: what axe finds in either theme, and what makes it scroll sideways. */
async function look(page, path, themes) {
  await page.goto(base + path);
  await settled(page);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  const violations = await audit(page, themes);
  return [
    ...(wide > 0 ? [`${path}: ${wide} px too wide`] : []),
    ...violations.map(
      ({ id, nodes }) => `${path}: ${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`,
    ),
  ];
}

/** Everything that is wrong with the pages, as somebody sees them who is signed in with `state`. */
export async function walk(browser, view, state) {
  const problems = [];
  const page = await open(browser, { ...view, state });
  const links = new Set();
  const visit = async (path) => {
    problems.push(...(await look(page, path, { bothThemes: true })));
    const found = await page.evaluate(() =>
      [...document.querySelectorAll("a[href^='/']")].map((link) => link.getAttribute("href")),
    );
    for (const href of found) links.add(href.split(/[?#]/)[0]);
  };
  for (const path of fixed) await visit(path);
  for (const { path, pattern } of dynamic) {
    const found = [...links].find((link) => pattern.test(link) && !fixed.includes(link));
    if (found) await visit(found);
    else problems.push(`${path}: no page leads there`);
  }
  problems.push(...page.failures);
  await page.context().close();
  // Loaded in the dark for once: what the first paint chooses, and not only what the colours are after it.
  const night = await open(browser, { ...view, scheme: "dark", state });
  problems.push(...(await look(night, "/")));
  await night.context().close();
  const stranger = await open(browser, view);
  for (const path of inFront) problems.push(...(await look(stranger, path, { bothThemes: true })));
  problems.push(...stranger.failures);
  await stranger.context().close();
  return problems;
}
