import { keepPreviousData } from "@tanstack/react-query";
import { $api } from "@/api/client";
import { useFormat } from "@/lib/useFormat";
import type { Range } from "./range";
import type { Group, Metric } from "./sums";

export type Filters = { model?: string; api_key_id?: string; endpoint?: string; end_user?: string };

type Asked = { width?: "1h" | "1d" | "all"; group?: Group; filters?: Filters };

function initOf(range: Range, { width, group, filters = {} }: Asked) {
  return {
    params: {
      query: {
        start_time: range.from,
        end_time: range.until,
        bucket_width: width ?? range.width,
        ...(group ? { group_by: [group as string] } : {}),
        ...filters,
      },
    },
  };
}

/** For loaders, which ask before the page does. */
export const usageOptions = (range: Range, asked: Asked = {}) =>
  $api.queryOptions("get", "/v1/insula/usage", initOf(range, asked));

/** What is shown stays until the next is there: a switch of the range does not flicker. */
export const useUsage = (range: Range, asked: Asked = {}) =>
  $api.useQuery("get", "/v1/insula/usage", initOf(range, asked), { placeholderData: keepPreviousData });

/** How a metric is written. */
export function useMetricFormat(metric: Metric): (value: number) => string {
  const format = useFormat();
  return metric === "cost" ? format.money : format.compact;
}

/** What the beginning of a bucket is called. Days are UTC's and so is their name; hours are those of the clock on the wall. */
export function useBucketLabel(range: Range): (at: number) => string {
  const format = useFormat();
  if (range.width === "1d") return format.day;
  return range.until - range.from > 86_400 ? format.dayHour : format.hour;
}
