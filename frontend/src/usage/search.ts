import type { Filters } from "./useUsage";

/** What an address says about filters; anything odd is left out. */
export function filtersOf(search: Record<string, unknown>): Filters {
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  return {
    model: text(search.model),
    api_key_id: text(search.api_key_id),
    endpoint: text(search.endpoint),
    end_user: text(search.end_user),
  };
}

/** Unix seconds from an address. */
export const secondsOf = (value: unknown) =>
  typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
