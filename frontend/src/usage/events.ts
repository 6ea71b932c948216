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

/** Calls, latest first, page by page. */
export function useEvents(filters: EventFilters, limit = 50) {
  const events = useInfiniteQuery({
    queryKey: ["get", "/v1/insula/usage/events", filters, limit],
    queryFn: ({ pageParam, signal }) =>
      bodyOf(
        client.GET("/v1/insula/usage/events", {
          params: { query: { ...filters, after: pageParam, limit } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => (page.has_more ? (page.last_id ?? undefined) : undefined),
  });
  return { ...events, rows: events.data?.pages.flatMap((page) => page.data) };
}
