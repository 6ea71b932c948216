import type { Schema } from "@/api/paths";

/** How a prediction can be asked for. */
export const ways = ["image", "rows", "texts", "inputs"] as const;
export type Way = (typeof ways)[number];

type Version = Schema<"ModelVersion">;

/** The way that a version was made for, as far as it says. */
export function wayOf(version: Version): Way {
  if (version.columns) return "rows";
  const prepared = version.preprocessing as { image?: object | null; text?: object | null } | null;
  if (prepared?.image) return "image";
  const inputs = version.signature.inputs;
  if (prepared?.text || (inputs.length === 1 && inputs[0]?.datatype === "BYTES")) return "texts";
  return "inputs";
}

/** Zeros of a shape; what is free is one. Long ones are left to whoever asks. */
function zeros(shape: number[], most = 256): unknown {
  const size = shape.reduce((product, n) => product * Math.max(1, n), 1);
  if (size > most) return [];
  const [first, ...rest] = shape;
  if (first === undefined) return 0;
  return Array.from({ length: Math.max(1, first) }, () => zeros(rest, most));
}

/** Something to begin with, in the form that the version takes. */
export function exampleOf(version: Version, way: Way): string {
  if (way === "rows")
    return JSON.stringify([Object.fromEntries((version.columns ?? []).map((name) => [name, 0]))], null, 2);
  if (way === "inputs")
    return JSON.stringify(
      Object.fromEntries(version.signature.inputs.map(({ name, shape }) => [name, zeros(shape)])),
    );
  return "";
}
