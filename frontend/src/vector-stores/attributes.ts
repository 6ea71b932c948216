export const kinds = ["string", "number", "boolean"] as const;

/** An attribute as it is typed in. */
export interface AttributeRow {
  key: number;
  name: string;
  kind: (typeof kinds)[number];
  value: string;
}

export function toRows(attributes: Record<string, unknown>): AttributeRow[] {
  return Object.entries(attributes).map(([name, value], key) => ({
    key,
    name,
    kind: typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : "string",
    value: String(value),
  }));
}

/** As the server takes them; null if one of them is nothing that it could take. */
export function fromRows(rows: AttributeRow[]): Record<string, string | number | boolean> | null {
  const attributes: Record<string, string | number | boolean> = {};
  for (const { name, kind, value } of rows) {
    if (!name.trim() || name in attributes) return null;
    if (kind === "number") {
      const number = Number(value);
      if (value.trim() === "" || !Number.isFinite(number)) return null;
      attributes[name] = number;
    } else if (kind === "boolean") {
      if (value !== "true" && value !== "false") return null;
      attributes[name] = value === "true";
    } else {
      attributes[name] = value;
    }
  }
  return attributes;
}
