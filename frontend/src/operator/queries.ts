import { queryOptions } from "@tanstack/react-query";
import { $operator, bodyOf, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { lastDays } from "./range";

/** A customer of the install: OpenAI's organizations call it a project. */
export type Tenant = Schema<"Project">;

// The same question from several pages is asked once.

/** All tenants, with the names that people call them by. */
export const tenantsOptions = () =>
  queryOptions({
    queryKey: ["operator", "tenants"],
    queryFn: async ({ signal }) => {
      const all: Tenant[] = [];
      let after: string | undefined;
      do {
        const query = { limit: 100, include_archived: true, ...(after ? { after } : {}) };
        const page = await bodyOf(
          operatorClient.GET("/v1/organization/projects", { params: { query }, signal }),
        );
        all.push(...page.data);
        after = page.has_more ? (page.last_id ?? undefined) : undefined;
      } while (after);
      return all;
    },
  });

export const tenantOptions = (id: string) =>
  queryOptions({
    queryKey: ["operator", "tenants", id],
    queryFn: ({ signal }) =>
      bodyOf(
        operatorClient.GET("/v1/organization/projects/{project_id}", {
          params: { path: { project_id: id } },
          signal,
        }),
      ),
  });

export const stateOf = (tenant: Tenant): "active" | "suspended" | "archived" =>
  tenant.archived_at ? "archived" : tenant.suspended ? "suspended" : "active";

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

export const erasuresPath = "/v1/insula/operator/erasures";

/** The server's word for it is any text to the types. */
export const stageOf = (erasure: Schema<"Erasure">): "running" | "completed" =>
  erasure.status === "completed" ? "completed" : "running";

export const accessesPath = "/v1/insula/operator/accesses";

export const plansOptions = () => $operator.queryOptions("get", "/v1/insula/operator/plans");

export const pricesOptions = () => $operator.queryOptions("get", "/v1/insula/operator/prices");

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
