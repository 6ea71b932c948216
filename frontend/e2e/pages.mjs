// Every page that the router knows. A new one is among them by itself.
import { readFileSync } from "node:fs";

const tree = readFileSync(new URL("../src/routeTree.gen.ts", import.meta.url), "utf8");
const union = tree.match(/\n {2}to:\n([\s\S]*?)\n {2}id:/)?.[1] ?? "";
const paths = [...union.matchAll(/"([^"]+)"/g)].map((match) => match[1]);

/** In front of the door. */
export const open = paths.filter(
  (path) => path === "/sign-in" || path === "/accept-invitation" || path === "/reset-password",
);

export const fixed = paths.filter((path) => !path.includes("$") && !open.includes(path));

/** Pages of one thing, and what their addresses look like. A page that is visited before leads there. */
export const dynamic = paths
  .filter((path) => path.includes("$"))
  .sort((a, b) => a.split("$").length - b.split("$").length)
  .map((path) => ({ path, pattern: new RegExp(`^${path.replaceAll(/\$\w+/g, "[^/?#]+")}$`) }));
