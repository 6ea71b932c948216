// Endpoints that the server is about to have: what their document will say. Each goes when `npm run types` brings it.
import type { components as known } from "./schema";

/** A deletion of everything that a tenant stored, and its receipt. */
interface Erasure {
  id: string;
  object: string;
  tenant_id: string;
  name: string;
  status: "running" | "completed";
  requested_by: string;
  requested_at: number;
  completed_at: number | null;
  deleted: Record<string, number>;
  billed: ErasureBill[];
  audit_head: string | null;
  digest: string | null;
}

interface ErasureBill {
  month: string;
  requests: number;
  input_tokens: number;
  output_tokens: number;
  cost: string;
}

/** A time in which somebody who runs the install may read what a tenant stores. */
interface TenantAccess {
  id: string;
  object: string;
  tenant_id: string;
  tenant_name: string;
  reason: string;
  opened_by: string;
  opened_at: number;
  expires_at: number;
  ended_at: number | null;
  ended_by: string | null;
}

interface Price {
  object: string;
  model: string;
  target: string;
  provider: string;
  currency: string;
  input: string;
  cached_input: string;
  output: string;
  valid_from: number | null;
  valid_until: number | null;
  current: boolean;
}

interface PasswordReset {
  object: string;
  email: string;
  url: string;
  expires_at: number;
}

interface PasswordResetPreview {
  object: string;
  email: string;
  expires_at: number;
}

export interface Schemas {
  Erasure: Erasure;
  TenantAccess: TenantAccess;
  Price: Price;
  PasswordReset: PasswordReset;
  PasswordResetPreview: PasswordResetPreview;
}

interface List<One> {
  object: string;
  data: One[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

type Operation<Parameters, Body, Answer> = {
  parameters: Parameters & { header?: never; cookie?: never };
  responses: {
    200: { headers: Record<string, unknown>; content: { "application/json": Answer } };
    "4XX": known["responses"]["Error"];
  };
} & (Body extends undefined
  ? { requestBody?: never }
  : { requestBody: { content: { "application/json": Body } } });

interface Paging {
  limit?: number;
  after?: string;
  order?: "asc" | "desc";
}

type Get<Parameters, Answer> = {
  parameters: Record<string, never>;
  get: Operation<Parameters, undefined, Answer>;
};
type Post<Parameters, Body, Answer> = {
  parameters: Record<string, never>;
  post: Operation<Parameters, Body, Answer>;
};

export interface Paths {
  "/v1/insula/operator/tenants/{tenant_id}/erase": Post<
    { path: { tenant_id: string } },
    { confirm: string },
    Erasure
  >;
  "/v1/insula/operator/erasures": Get<{ query?: Paging }, List<Erasure>>;
  "/v1/insula/operator/erasures/{erasure_id}": Get<{ path: { erasure_id: string } }, Erasure>;
  "/v1/insula/operator/tenants/{tenant_id}/access": Post<
    { path: { tenant_id: string } },
    { reason: string; minutes?: number },
    TenantAccess
  >;
  "/v1/insula/operator/accesses": Get<
    { query?: Paging & { tenant_id?: string; open?: boolean } },
    List<TenantAccess>
  >;
  "/v1/insula/operator/accesses/{access_id}/end": Post<
    { path: { access_id: string } },
    undefined,
    TenantAccess
  >;
  "/v1/insula/accesses": Get<{ query?: Paging }, List<TenantAccess>>;
  "/v1/insula/accesses/{access_id}/end": Post<{ path: { access_id: string } }, undefined, TenantAccess>;
  "/v1/insula/operator/people/password_resets": Post<unknown, { email: string }, PasswordReset>;
  "/v1/insula/password_resets/preview": Post<unknown, { token: string }, PasswordResetPreview>;
  "/v1/insula/password_resets/accept": Post<
    unknown,
    { token: string; password: string },
    known["schemas"]["Session"]
  >;
  "/v1/insula/operator/prices": Get<unknown, List<Price>>;
}

/** What objects that the document knows will say besides. */
export interface More {
  Session: { access?: { id: string; expires_at: number; reason: string } | null };
  FileCitation: { vector_store_id?: string };
  VectorStoreFile: { filename?: string };
}
