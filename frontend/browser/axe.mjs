import axe from "axe-core";

/**
 * What axe finds wrong with a page as it is now, in its theme and in the other one.
 *
 * Themes differ in nothing but the values of custom properties, so what is asked anew in the second is colours alone: a page
 * is loaded and looked at as a whole once for each language and size.
 */
export async function audit(page, { bothThemes = false } = {}) {
  await page.evaluate(axe.source);
  return page.evaluate(async (bothThemes) => {
    const run = async (only) => {
      const { violations } = await window.axe.run(document, {
        resultTypes: ["violations"],
        ...(only ? { runOnly: only } : {}),
      });
      return violations.map(({ id, help, nodes }) => ({
        id,
        help,
        nodes: nodes.map((node) => ({ html: node.html, why: node.failureSummary ?? "" })),
      }));
    };
    const found = await run();
    if (!bothThemes) return found;
    const attribute = "data-mantine-color-scheme";
    const root = document.documentElement;
    const scheme = root.getAttribute(attribute);
    const other = scheme === "dark" ? "light" : "dark";
    root.setAttribute(attribute, other);
    await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
    const colours = await run(["color-contrast"]);
    root.setAttribute(attribute, scheme);
    return [...found, ...colours.map((one) => ({ ...one, id: `${one.id} (${other})` }))];
  }, bothThemes);
}
