import type { Schema } from "@/api/paths";

export type Entry = Schema<"AuditLog">;

export interface Change {
  field: string;
  before: unknown;
  after: unknown;
}

const object = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};

/** The details of an entry, which stand under the name of its type. */
export function detailsOf(entry: Entry): Record<string, unknown> {
  return object((entry as unknown as Record<string, unknown>)[entry.type]);
}

/** What was changed, or with what something was made or removed: field by field, down into objects. */
export function changesOf(details: Record<string, unknown>): Change[] {
  const { before, changes_requested, after, data } = details;
  const now = changes_requested ?? after ?? data;
  return compare(flatten(before), flatten(now), before !== undefined && now !== undefined);
}

function compare(before: Map<string, unknown>, after: Map<string, unknown>, both: boolean): Change[] {
  const fields = new Set([...before.keys(), ...after.keys()]);
  return (
    [...fields]
      .map((field) => ({ field, before: before.get(field), after: after.get(field) }))
      // Of a change only what is different; of something new or gone all that it had.
      .filter((change) =>
        both
          ? JSON.stringify(change.before) !== JSON.stringify(change.after)
          : (change.after ?? change.before) != null,
      )
  );
}

function flatten(value: unknown, prefix = ""): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const [key, item] of Object.entries(object(value))) {
    if (item !== null && typeof item === "object" && !Array.isArray(item)) {
      for (const [inner, deep] of flatten(item, `${prefix}${key}.`)) fields.set(inner, deep);
    } else {
      fields.set(prefix + key, item);
    }
  }
  return fields;
}

/** A value as a person reads it. */
export function written(value: unknown): string {
  if (value === undefined || value === null) return "–";
  if (Array.isArray(value)) return value.map(written).join(", ") || "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Who acted: a key's id, a person's address, or `console` for the command line. */
export function actorOf(entry: Entry): { key?: string; email?: string; id?: string } {
  if (entry.actor.api_key) return { key: entry.actor.api_key.id };
  const user = object(object(entry.actor.session).user);
  return {
    email: typeof user.email === "string" ? user.email : undefined,
    id: typeof user.id === "string" ? user.id : undefined,
  };
}
