import { $operator } from "@/api/client";
import { lastDays } from "./range";

// The same question from several pages is asked once.

export const tenantsOptions = () => $operator.queryOptions("get", "/v1/insula/operator/tenants");

/** What was earned, by day; by tenant, or by what for. */
export const costsOptions = (days: number, by: "project_id" | "line_item", tenant?: string) =>
  $operator.queryOptions("get", "/v1/organization/costs", {
    params: {
      query: {
        ...lastDays(days),
        bucket_width: "1d",
        group_by: [by],
        limit: days,
        ...(tenant ? { project_ids: [tenant] } : {}),
      },
    },
  });

/** What was used, by day and tenant. The server keeps apart what models read and wrote from what was only embedded. */
export const completionsOptions = (days: number, tenant?: string) =>
  $operator.queryOptions("get", "/v1/organization/usage/completions", {
    params: {
      query: {
        ...lastDays(days),
        bucket_width: "1d",
        group_by: ["project_id"],
        limit: Math.min(days, 31),
        ...(tenant ? { project_ids: [tenant] } : {}),
      },
    },
  });

export const embeddingsOptions = (days: number, tenant?: string) =>
  $operator.queryOptions("get", "/v1/organization/usage/embeddings", {
    params: {
      query: {
        ...lastDays(days),
        bucket_width: "1d",
        group_by: ["project_id"],
        limit: Math.min(days, 31),
        ...(tenant ? { project_ids: [tenant] } : {}),
      },
    },
  });

/** Bytes as they are now; only the bucket of today has them. */
export const storageOptions = (tenant?: string) =>
  $operator.queryOptions("get", "/v1/organization/usage/vector_stores", {
    params: {
      query: {
        ...lastDays(1),
        bucket_width: "1d",
        group_by: ["project_id"],
        limit: 1,
        ...(tenant ? { project_ids: [tenant] } : {}),
      },
    },
  });

export const plansOptions = () => $operator.queryOptions("get", "/v1/insula/operator/plans");

export const routesOptions = () => $operator.queryOptions("get", "/v1/insula/operator/routes");

type Bucket<Result> = { start_time: number; results: Result[] };

/** Sums of one figure by tenant over all buckets of a report. */
export function byTenant<Result extends { project_id: string | null }>(
  buckets: Bucket<Result>[] | undefined,
  figure: (result: Result) => number,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { results } of buckets ?? []) {
    for (const result of results) {
      const tenant = result.project_id ?? "";
      sums.set(tenant, (sums.get(tenant) ?? 0) + figure(result));
    }
  }
  return sums;
}

export const total = (sums: Map<string, number>) => [...sums.values()].reduce((sum, value) => sum + value, 0);
