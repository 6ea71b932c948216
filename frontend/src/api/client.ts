import createFetchClient, { type Middleware } from "openapi-fetch";
import createQueryClient from "openapi-react-query";
import { noteSuspended } from "@/session/suspended";
import { noteSwitch } from "@/session/switched";
import { ApiError } from "./error";
import type { Paths } from "./paths";

let tenant: string | null = null;

/** Names the tenant that this tab shows; the server refuses a call if another tab has switched meanwhile. */
export function setTenantHeader(id: string | null) {
  tenant = id;
}

/** Headers for the few calls that cannot go through the client (upload progress). */
export const ownHeaders = (): Record<string, string> => (tenant ? { "Insula-Tenant": tenant } : {});

const naming: Middleware = {
  onRequest({ request }) {
    if (tenant) request.headers.set("Insula-Tenant", tenant);
    return request;
  },
};

const failing: Middleware = {
  async onResponse({ response }) {
    if (response.ok) return;
    const error = await ApiError.from(response);
    // Another tab has changed the tenant: everything here would be of the wrong one.
    if (error.code === "tenant_switched") {
      noteSwitch();
      window.location.reload();
    }
    if (error.code === "tenant_suspended" && tenant) noteSuspended(tenant);
    throw error;
  },
  onError({ error }) {
    if (error instanceof ApiError || (error instanceof Error && error.name === "AbortError"))
      return error as Error;
    return new ApiError("The server cannot be reached.", 0, "unreachable");
  },
};

const origin = typeof window === "undefined" ? "http://localhost" : window.location.origin;

/** Calls by path, typed by the document. A failed call throws an ApiError. */
export const client = createFetchClient<Paths>({ baseUrl: origin, credentials: "same-origin" });
client.use(naming, failing);

/** The same as hooks and query options. */
export const $api = createQueryClient(client);

/** Calls of the operator: they name no tenant, and so are about the whole install. */
export const operatorClient = createFetchClient<Paths>({ baseUrl: origin, credentials: "same-origin" });
operatorClient.use(failing);

export const $operator = createQueryClient(operatorClient);

/** For calls outside of hooks: the body alone, since failures throw. */
export async function bodyOf<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call;
  return data as T;
}

/** Paging of lists that go on after the last id. */
export const cursor = {
  pageParamName: "after",
  // Not undefined, which would be sent as 0; null is left out.
  initialPageParam: null as string | null,
  getNextPageParam: (page: { has_more: boolean; last_id?: string | null }) =>
    page.has_more ? (page.last_id ?? undefined) : undefined,
};
