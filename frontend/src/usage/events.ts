import { useInfiniteQuery } from "@tanstack/react-query";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import type { Filters } from "./useUsage";

export type UsageEvent = Schema<"UsageEvent">;

export interface EventFilters extends Filters {
  outcome?: string;
  start_time?: number;
  end_time?: number;
}

/** Calls, latest first, page by page. Pages are cut at whole seconds, so one may begin with what the last one ended with. */
export function useEvents(filters: EventFilters, limit = 50) {
  const events = useInfiniteQuery({
    queryKey: ["get", "/v1/insula/usage/events", filters, limit],
    queryFn: ({ pageParam, signal }) =>
      bodyOf(
        client.GET("/v1/insula/usage/events", {
          params: { query: { ...filters, before: pageParam, limit } },
          signal,
        }),
      ),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => {
      const first = page.data[0];
      const last = page.data.at(-1);
      if (!page.has_more || !first || !last) return undefined;
      // A whole page within one second: go on before it, or it would come again for ever.
      return first.created_at === last.created_at ? last.created_at : last.created_at + 1;
    },
  });
  const seen = new Set<string>();
  const rows = events.data?.pages
    .flatMap((page) => page.data)
    .filter((event) => !seen.has(event.id) && Boolean(seen.add(event.id)));
  return { ...events, rows };
}
