import { useTranslation } from "react-i18next";

const named = [
  "files",
  "bytes",
  "vector_stores",
  "chunks",
  "responses",
  "conversations",
  "batches",
  "assistants",
  "api_keys",
  "members",
  "people",
  "webhooks",
  "usage_events",
  "request_logs",
  "audit_events",
] as const;

export interface Deleted {
  key: (typeof named)[number] | "other";
  label: string;
  count: number;
}

/** What a receipt counts, in words: what people know by name, and all other records as one sum. */
export function useDeleted(deleted: Record<string, number>): Deleted[] {
  const { t } = useTranslation("erasures");
  const known = named
    .filter((key) => deleted[key] !== undefined)
    .map((key) => ({ key, label: t(`what.${key}`), count: deleted[key] ?? 0 }));
  const other = Object.entries(deleted)
    .filter(([key]) => !named.some((name) => name === key))
    .reduce((sum, [, count]) => sum + count, 0);
  return other ? [...known, { key: "other", label: t("what.other"), count: other }] : known;
}
