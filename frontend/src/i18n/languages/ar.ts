// Everything of one language in one chunk: pages change without waiting for texts.
const files = import.meta.glob<Record<string, unknown>>("../ar/*.json", { eager: true, import: "default" });

export default Object.fromEntries(
  Object.entries(files).map(([path, texts]) => [path.slice("../ar/".length, -".json".length), texts]),
);
