// Endpoints that the server's document does not name yet, in the shape of schema.d.ts. When it does, this file goes and
// paths.ts passes schema.d.ts on.
import type { operations as done, components as known } from "./schema";

type Json<Body> = { headers: { [name: string]: unknown }; content: { "application/json": Body } };
type Errors = { "4XX": known["responses"]["Error"]; "5XX": known["responses"]["Error"] };
type Answers<Body> = { 200: Json<Body> } & Errors;
type Nothing = { query?: never; header?: never; path?: never; cookie?: never };
type Query<Q> = { query?: Q; header?: never; path?: never; cookie?: never };
type Path<P> = { query?: never; header?: never; path: P; cookie?: never };
type Get<Body, Parameters = Nothing> = {
  parameters: Parameters;
  requestBody?: never;
  responses: Answers<Body>;
};
type Send<Input, Body, Parameters = Nothing> = {
  parameters: Parameters;
  requestBody: { content: { "application/json": Input } };
  responses: Answers<Body>;
};
type List<Item> = {
  object: string;
  data: Item[];
  has_more: boolean;
  first_id: string | null;
  last_id: string | null;
};
type Page = { limit?: number; order?: string; after?: string; before?: string };

export interface components {
  schemas: {
    ApiKeyLimits: {
      requests_per_minute?: number | null;
      tokens_per_minute?: number | null;
      concurrency?: number | null;
    };
    ApiKey: {
      object: string;
      id: string;
      name: string;
      redacted: string;
      scopes: string[];
      vector_store_ids: string[] | null;
      limits: components["schemas"]["ApiKeyLimits"] | null;
      created_at: number;
      expires_at: number | null;
      revoked_at: number | null;
      last_used_at: number | null;
      created_by: string | null;
    };
    ApiKeyWithValue: components["schemas"]["ApiKey"] & { key: string };
    UsageSum: known["schemas"]["UsageSum"] & {
      end_user: string | null;
      latency_p50_ms: number | null;
      latency_p95_ms: number | null;
    };
    UsageTrace: {
      stages: { name: string; start_ms: number; duration_ms: number }[];
      attempts: {
        provider: string;
        upstream_model: string;
        outcome: string;
        status: number | null;
        duration_ms: number;
      }[];
      chunks: { vector_store_id: string; file_id: string; chunk_id: string; score: number }[];
    };
    UsageEventWithTrace: known["schemas"]["UsageEvent"] & {
      trace: components["schemas"]["UsageTrace"] | null;
      request_log_id: string | null;
    };
    SearchAnalytics: {
      object: string;
      searches: number;
      zero_result: number;
      mean_top_score: number | null;
      top: { query: string; searches: number; mean_top_score: number | null; zero_result: number }[];
      zero: { query: string; searches: number; last_at: number }[];
      low: { query: string; searches: number; mean_top_score: number; last_at: number }[];
    };
    SearchAnalyticsSettings: { enabled: boolean; retention_days: number };
    Erasure: {
      object: string;
      tenant_id: string;
      name: string;
      erased_at: number;
      deleted: { [what: string]: number };
      audit_head: string;
    };
  };
}

type Schemas = components["schemas"];
type Range = { start_time?: number; end_time?: number };
type UsageFilters = { model?: string; api_key_id?: string; endpoint?: string; end_user?: string };

export interface paths {
  "/v1/insula/api_keys": {
    get: Get<List<Schemas["ApiKey"]>, Query<Page>>;
    post: Send<
      {
        name: string;
        scopes?: string[];
        vector_store_ids?: string[] | null;
        expires_in_seconds?: number | null;
        limits?: Schemas["ApiKeyLimits"] | null;
      },
      Schemas["ApiKeyWithValue"]
    >;
  };
  "/v1/insula/api_keys/{api_key_id}": {
    get: Get<Schemas["ApiKey"], Path<{ api_key_id: string }>>;
    post: Send<
      { name?: string; limits?: Schemas["ApiKeyLimits"] | null },
      Schemas["ApiKey"],
      Path<{ api_key_id: string }>
    >;
    delete: Get<{ id: string; deleted: boolean }, Path<{ api_key_id: string }>>;
  };
  "/v1/insula/api_keys/{api_key_id}/rotate": {
    post: Send<{ grace_seconds?: number }, Schemas["ApiKeyWithValue"], Path<{ api_key_id: string }>>;
  };
  "/v1/insula/usage": {
    get: Get<
      List<Schemas["UsageSum"]>,
      Query<Range & UsageFilters & { bucket_width?: string; group_by?: string[] }>
    >;
  };
  "/v1/insula/usage/events": {
    get: Get<
      known["schemas"]["List_UsageEvent"],
      Query<Range & UsageFilters & { outcome?: string; before?: number; limit?: number }>
    >;
  };
  "/v1/insula/usage/events/{usage_event_id}": {
    get: Get<Schemas["UsageEventWithTrace"], Path<{ usage_event_id: string }>>;
  };
  "/v1/insula/search_analytics": { get: Get<Schemas["SearchAnalytics"], Query<Range>> };
  "/v1/insula/settings/search_analytics": {
    get: Get<Schemas["SearchAnalyticsSettings"]>;
    put: Send<Schemas["SearchAnalyticsSettings"], Schemas["SearchAnalyticsSettings"]>;
  };
  "/v1/insula/operator/tenants/{tenant_id}/budgets": {
    get: Get<known["schemas"]["TenantBudgets"], Path<{ tenant_id: string }>>;
    put: done["put_tenant_budgets"];
  };
  "/v1/insula/operator/tenants/{tenant_id}/erase": {
    post: Send<{ confirm: string }, Schemas["Erasure"], Path<{ tenant_id: string }>>;
  };
}

export type operations = done;
