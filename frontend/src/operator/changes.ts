import type { Schema } from "@/api/paths";

export type Entry = Schema<"List_AuditLog">["data"][number];

/** What an act changed: a field, what it was, and what it became. Absent: there was or is none. */
export interface Change {
  field: string;
  before?: unknown;
  after?: unknown;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The details that stand under the type's name. */
export function detailsOf(entry: Entry): Record<string, unknown> {
  const found = (entry as Record<string, unknown>)[entry.type];
  return isRecord(found) ? found : {};
}

/** `before` and `changes_requested` side by side; `data` is what something new was made with. */
export function changesOf(entry: Entry): Change[] {
  const details = detailsOf(entry);
  const before = isRecord(details.before) ? details.before : {};
  const after = isRecord(details.changes_requested)
    ? details.changes_requested
    : isRecord(details.data)
      ? details.data
      : {};
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return fields.map((field) => ({
    field,
    ...(field in before ? { before: before[field] } : {}),
    ...(field in after ? { after: after[field] } : {}),
  }));
}

/** A value as one reads it. */
export const written = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value, null, 1).replace(/\s*\n\s*/g, " ");

/** Who acted: a key's id, a person's, or the command line. */
export function actorOf({ actor }: Entry): string {
  if (actor.api_key) return actor.api_key.id;
  const session = actor.session as { user?: { id?: unknown } } | null | undefined;
  return typeof session?.user?.id === "string" ? session.user.id : actor.type;
}
