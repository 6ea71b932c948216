import type { Schema } from "@/api/paths";

export const operators = ["eq", "ne", "gt", "gte", "lt", "lte"] as const;

export interface FilterRow {
  key: number;
  name: string;
  type: (typeof operators)[number];
  value: string;
}

/** `true`, `false` and figures are what they look like; anything else, and what stands in quotes, is text. */
export function readValue(text: string): string | number | boolean {
  const trimmed = text.trim();
  if (trimmed === "true" || trimmed === "false") return trimmed === "true";
  if (trimmed !== "" && Number.isFinite(Number(trimmed))) return Number(trimmed);
  return /^".*"$/.test(trimmed) ? trimmed.slice(1, -1) : trimmed;
}

/** All of them must hold; those without a name do not count. */
export function filterOf(rows: FilterRow[]): Schema<"AttributeFilter"> | undefined {
  const filters = rows
    .filter((row) => row.name.trim())
    .map((row) => ({ type: row.type, key: row.name.trim(), value: readValue(row.value) }));
  if (filters.length === 0) return undefined;
  return filters.length === 1 ? filters[0] : { type: "and", filters };
}
